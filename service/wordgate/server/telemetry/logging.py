"""Log lines on standard error, for people or for programs.

Knows which call the running task answers, and names it. Nothing of a user's text is ever logged:
what logs has to see to that. Libraries do not, so of what they log only the fixed part is written,
and of an exception only its type and its places.
"""

import asyncio
import logging
import sys
from contextlib import suppress
from traceback import format_tb
from types import TracebackType
from typing import Any, TextIO, cast

import structlog
from grpc.aio import InternalError
from structlog.typing import EventDict, Processor

from wordgate.server.telemetry.request_id import current_call
from wordgate.server.telemetry.tracing import current_span


def configure_logs(log_format: str, **bound: object) -> None:
    """Lines of text, or of JSON when `log_format` is "json"; each has what is `bound`."""
    rendering: Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)
    )

    def bind(logger: object, name: str, event: EventDict) -> EventDict:
        return {**event, **_of_call(), **bound}

    structlog.configure(
        processors=[
            bind,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            rendering,
        ],
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Lossy(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_OfLibraries()], level=logging.WARNING, force=True)


def _of_call() -> dict[str, str]:
    """Which call the running task answers, if it does, and the trace that shows it."""
    call, span = current_call.get(), current_span.get()
    named = {} if call is None else {"request": call.request_id}
    return named if span is None else {**named, "trace_id": span.trace_id}


def log_lost_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Log what nobody waits for any more, without its own words."""

    def lost(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        structlog.get_logger().error("error that nobody waited for", **described(error))

    loop.set_exception_handler(lost)


def described(error: BaseException | None) -> dict[str, str]:
    """The type and the places of an error; its words may repeat what a user wrote."""
    if error is None:
        return {}
    return {"error": type(error).__name__, "trace": trace_of(error.__traceback__)}


def trace_of(trace: TracebackType | None) -> str:
    """The places that an error came through."""
    return "".join(format_tb(trace))


class _Lossy:
    """Where lines go, without an error when they cannot: calls are answered with a full disk, or
    after whoever read the log has gone, too."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()


class _OfLibraries(logging.Handler):
    """Writes what libraries log as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, InternalError):
            return  # grpc's word for a caller who has gone
        # A message that was put together already may repeat anything.
        event = record.msg if record.args else f"{record.levelname.lower()} of {record.name}"
        level = max(record.levelno, logging.WARNING)
        log = structlog.get_logger()
        log.log(level, str(event), logger=record.name, **described(error))
