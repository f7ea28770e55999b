"""Log records of libraries, and a log that cannot be written."""

import asyncio
import logging
import socket
import subprocess
import sys
from contextvars import copy_context
from pathlib import Path

import pytest
from grpc.aio import InternalError
from tests.running import PATIENCE_SECONDS, until
from tests.server.conftest import Lines

from wordgate.client import Client
from wordgate.errors import WordgateError
from wordgate.server.telemetry.logging import log_lost_errors
from wordgate.server.telemetry.request_id import RequestId, current_call

SECRET = "what a user wrote"


def test_only_the_constant_part_of_a_message_is_logged(lines: Lines) -> None:
    """Neither arguments nor the message of an exception are logged."""
    log = logging.getLogger("a.library")
    log.warning("took %s", SECRET)
    log.error(f"Task failed: {SECRET}")  # noqa: G004  as asyncio does
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("it failed")
    assert SECRET not in str(lines())
    assert [line["event"] for line in lines()] == ["took %s", *["error of a.library"] * 2]
    assert lines()[2]["error"] == "ValueError"
    assert "test_logging.py" in lines()[2]["trace"]


def test_a_line_names_its_request(lines: Lines) -> None:
    """A library's line during a call has the request id; other lines have none."""

    def answer() -> None:
        current_call.set(RequestId("found-again"))
        logging.getLogger("a.library").warning("slow")

    copy_context().run(answer)
    logging.getLogger("a.library").warning("slow")
    assert [line.get("request") for line in lines()] == ["found-again", None]


def test_client_disconnects_are_not_logged(lines: Lines) -> None:
    """Clients that open and close calls cannot fill the log."""
    try:
        raise InternalError("the caller has gone")
    except InternalError:
        logging.getLogger("grpc").exception("failed")
    assert not lines()


async def test_background_errors_are_logged_without_their_messages(lines: Lines) -> None:
    """An unhandled exception of a background task is logged with its type and stack."""
    loop = asyncio.get_running_loop()
    log_lost_errors(loop)
    context = {"message": SECRET, "exception": KeyError(SECRET)}
    loop.call_exception_handler(context)
    [line] = lines()
    assert line["error"] == "KeyError"
    assert SECRET not in str(line)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_unwritable_log_does_not_stop_the_server(bundle: Path, workers: str) -> None:
    """With a full disk or a closed pipe, calls are answered and the server drains."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    options = {
        "--model": str(bundle),
        "--listen": address,
        "--metrics-listen": "",
        "--access-log": "all",
        "--workers": workers,
    }
    words = [word for pair in options.items() for word in pair]
    command = [sys.executable, "-m", "wordgate.cli.main", "serve", *words]
    with Path("/dev/full").open("w") as full, subprocess.Popen(command, stderr=full) as server:
        until(lambda: _answers(address) or server.poll() is not None, "an answer")
        assert _answers(address)
        server.terminate()
        assert server.wait(PATIENCE_SECONDS) == 0


def _answers(address: str) -> bool:
    try:
        with Client(address) as client:
            return bool(client.predict("the").suggestions)
    except WordgateError:
        return False
