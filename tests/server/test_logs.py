"""What libraries log, as lines of ours."""

import asyncio
import logging
from contextvars import copy_context

from grpc.aio import InternalError
from tests.server.conftest import Lines

from wordgate.server.calls import Call, current_call
from wordgate.server.logs import log_lost_errors

SECRET = "what a user wrote"


def test_of_a_message_the_fixed_part_is_written(lines: Lines) -> None:
    """Neither what was put into it nor what an exception says."""
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
    assert "test_logs.py" in lines()[2]["trace"]


def test_a_line_names_the_call_that_is_answered(lines: Lines) -> None:
    """What a library says while a call is answered has its request; other lines have none."""

    def answer() -> None:
        current_call.set(Call("found-again"))
        logging.getLogger("a.library").warning("slow")

    copy_context().run(answer)
    logging.getLogger("a.library").warning("slow")
    assert [line.get("request") for line in lines()] == ["found-again", None]


def test_callers_who_go_are_no_errors(lines: Lines) -> None:
    """Whoever opens and closes calls cannot fill the log."""
    try:
        raise InternalError("the caller has gone")
    except InternalError:
        logging.getLogger("grpc").exception("failed")
    assert not lines()


async def test_lost_errors_are_logged_without_their_words(lines: Lines) -> None:
    """What nobody waits for any more is said by its type and its places."""
    loop = asyncio.get_running_loop()
    log_lost_errors(loop)
    context = {"message": SECRET, "exception": KeyError(SECRET)}
    loop.call_exception_handler(context)
    [line] = lines()
    assert line["error"] == "KeyError"
    assert SECRET not in str(line)
