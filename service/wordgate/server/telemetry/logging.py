"""Structured logging to standard error, as text or JSON.

Each line names the call that the running task works for. User text must never be logged; the code
that logs is responsible for that. Libraries are not trusted with it: only the constant part of
their messages is logged, and only the type and the stack of an exception.
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
    """Configure logging as text, or as JSON if `log_format` is "json".

    `bound` is added to each line.
    """
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
    """Return the request id and the trace id of the running task's call, if there are any."""
    call, span = current_call.get(), current_span.get()
    named = {} if call is None else {"request": call.request_id}
    return named if span is None else {**named, "trace_id": span.trace_id}


def log_lost_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Log unhandled exceptions of background tasks, without their messages."""

    def lost(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        structlog.get_logger().error("unhandled exception in a background task", **described(error))

    loop.set_exception_handler(lost)


def described(error: BaseException | None) -> dict[str, str]:
    """Return the type and the stack of an error; its message may contain user text."""
    if error is None:
        return {}
    return {"error": type(error).__name__, "trace": trace_of(error.__traceback__)}


def trace_of(trace: TracebackType | None) -> str:
    """Format a stack trace, without the error's message."""
    return "".join(format_tb(trace))


class _Lossy:
    """A stream that ignores write errors.

    The server keeps answering calls when the disk is full or the reader of the log is gone.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()


class _OfLibraries(logging.Handler):
    """Forwards the log records of libraries to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, InternalError):
            return  # the client has disconnected: https://github.com/grpc/grpc/pull/32551
        # A message without arguments may already be formatted and contain user text.
        event = record.msg if record.args else f"{record.levelname.lower()} of {record.name}"
        level = max(record.levelno, logging.WARNING)
        log = structlog.get_logger()
        log.log(level, str(event), logger=record.name, **described(error))
