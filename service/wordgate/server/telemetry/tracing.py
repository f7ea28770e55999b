"""Trace spans for calls, messages of streams and the engine's work.

Spans contain times and numbers, never user text. `wordgate.server.telemetry.opentelemetry`
implements the protocols below; it is loaded only if tracing is on.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from time import perf_counter_ns, time_ns
from typing import Any, Protocol, Self

from grpc import StatusCode

from wordgate.engine.job import Priority
from wordgate.server.telemetry.metrics import Method
from wordgate.server.telemetry.request_id import RequestId

Metadata = Iterable[tuple[str, str | bytes]]
_NANOSECONDS = 1_000_000_000


class Span(Protocol):
    """A span of a call or of a part of it, while it is open."""

    @property
    def trace_id(self) -> str:
        """Trace ID in hexadecimal."""
        ...

    def part(self, name: str, began_ns: int) -> Self:
        """Start a child span that began at this Unix time in nanoseconds."""
        ...

    def note(self, name: str, value: float | str) -> None:
        """Set an attribute."""
        ...

    def failed(self, error: BaseException) -> None:
        """Record the type of an error; its message may contain user text."""
        ...

    def end(self, ended_ns: int | None = None) -> None:
        """End the span, now or at this Unix time in nanoseconds."""
        ...

    def finish(self, code: StatusCode) -> None:
        """End the span of a call with its status code."""
        ...


class Tracer(Protocol):
    """Creates spans for sampled calls and exports them."""

    def begin(
        self, method: Method, metadata: Metadata, call: RequestId, caller: str | None
    ) -> Span | None:
        """Start the span of a call; return None if the call is not sampled."""
        ...

    async def close(self, seconds: float) -> None:
        """Export the remaining spans, for at most this many seconds."""
        ...


current_span: ContextVar[Span | None] = ContextVar("current_span", default=None)
"""Span that the running task works for; None if the call is not traced."""


def message_span(name: str, began_ns: int, sequence: int) -> AbstractContextManager[None]:
    """Trace the answer to one message of a stream; do nothing if the call is not traced."""
    stream = current_span.get()
    return nullcontext() if stream is None else _message_span(stream, name, began_ns, sequence)


@contextmanager
def _message_span(stream: Span, name: str, began_ns: int, sequence: int) -> Iterator[None]:
    span = stream.part(name, began_ns)
    span.note("wordgate.sequence", sequence)
    outer = current_span.set(span)
    try:
        yield
    except BaseException as error:
        span.failed(error)
        raise
    finally:
        current_span.reset(outer)
        span.end()


def work_span(future: "asyncio.Future[Any]", priority: Priority) -> "WorkSpan | None":
    """Return a recorder of a job's work if the call is traced.

    When the future is done, the work becomes a span of the call.
    """
    span = current_span.get()
    if span is None:
        return None
    work = WorkSpan()
    future.add_done_callback(partial(_worked, span, work, priority))
    return work


class WorkSpan:
    """Counts and times of a job's model requests. Only one engine thread writes at a time."""

    __slots__ = (
        "began_ns",
        "ended_ns",
        "outputs",
        "requested_ns",
        "rounds",
        "started_ns",
        "steps",
        "waited_ns",
    )

    def __init__(self) -> None:
        self.began_ns = time_ns()
        self.started_ns = self.ended_ns = self.requested_ns = 0
        self.waited_ns = self.rounds = self.steps = self.outputs = 0

    def resumed(self) -> None:
        """Record that the job starts, or continues with the results of its request."""
        if not self.started_ns:
            self.started_ns = time_ns()
        else:
            self.waited_ns += perf_counter_ns() - self.requested_ns

    def requested(self, rows: int, is_step: bool) -> None:
        """Record a request of tokens to read, or of output rows."""
        self.rounds += 1
        if is_step:
            self.steps += rows
        else:
            self.outputs += rows
        self.requested_ns = perf_counter_ns()

    def ended(self) -> None:
        """Record the end of the job."""
        self.ended_ns = time_ns()


def _worked(span: Span, work: WorkSpan, priority: Priority, future: "asyncio.Future[Any]") -> None:
    """Record the engine's work as a child span."""
    part = span.part("engine", work.began_ns)
    part.note("wordgate.priority", priority.value)
    if work.started_ns:
        part.note("wordgate.start_wait_seconds", (work.started_ns - work.began_ns) / _NANOSECONDS)
        part.note("wordgate.model_wait_seconds", work.waited_ns / _NANOSECONDS)
        part.note("wordgate.rounds", work.rounds)
        part.note("wordgate.steps", work.steps)
        part.note("wordgate.outputs", work.outputs)
    error = asyncio.CancelledError() if future.cancelled() else future.exception()
    if error is not None:
        part.failed(error)
    part.end(work.ended_ns or None)
