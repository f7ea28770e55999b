"""What libraries log, as lines of ours."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
import structlog
from grpc.aio import InternalError

from wordgate.server.logs import configure_logs, log_lost_errors

SECRET = "what a user wrote"
Logged = Callable[[Callable[[], None]], str]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Logged]:
    """What a server's log has after something was done."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # else they would be closed
    written = StringIO()
    monkeypatch.setattr("sys.stderr", written)
    configure_logs("json")

    def after(do: Callable[[], None]) -> str:
        do()
        return written.getvalue()

    yield after
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_of_a_message_the_fixed_part_is_written(logged: Logged) -> None:
    """Neither what was put into it nor what an exception says."""

    def fail() -> None:
        log = logging.getLogger("a.library")
        log.warning("took %s", SECRET)
        log.error(f"Task failed: {SECRET}")  # noqa: G004  as asyncio does
        try:
            raise ValueError(SECRET)
        except ValueError:
            log.exception("it failed")

    said = logged(fail)
    lines = [json.loads(line) for line in said.splitlines()]
    assert SECRET not in said
    assert [line["event"] for line in lines] == ["took %s", *["error of a.library"] * 2]
    assert lines[2]["error"] == "ValueError"
    assert "test_logs.py" in lines[2]["trace"]


def test_callers_who_go_are_no_errors(logged: Logged) -> None:
    """Whoever opens and closes calls cannot fill the log."""

    def go() -> None:
        try:
            raise InternalError("the caller has gone")
        except InternalError:
            logging.getLogger("grpc").exception("failed")

    assert not logged(go)


async def test_lost_errors_are_logged_without_their_words(logged: Logged) -> None:
    """What nobody waits for any more is said by its type and its places."""
    loop = asyncio.get_running_loop()
    log_lost_errors(loop)
    context = {"message": SECRET, "exception": KeyError(SECRET)}
    said = logged(lambda: loop.call_exception_handler(context))
    assert "KeyError" in said
    assert SECRET not in said
