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

from wordgate.engine.scheduler import Priority
from wordgate.lm.requests import ModelRequest, ModelTask, Step, T
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


def work_span(asks: ModelTask[T], future: "asyncio.Future[T]", priority: Priority) -> ModelTask[T]:
    """Wrap a task; when its future is done, record its work as a span if the call is traced."""
    span = current_span.get()
    if span is None:
        return asks
    work = _Work()
    future.add_done_callback(partial(_worked, span, work, priority))
    return work.watched(asks)


class _Work:
    """Counts and times of a task's model requests. Only one engine thread writes at a time."""

    __slots__ = ("asked_ns", "began_ns", "ended_ns", "outputs", "rounds", "steps", "taken_ns")

    def __init__(self) -> None:
        self.began_ns = time_ns()
        self.taken_ns = self.ended_ns = 0
        self.asked_ns = self.rounds = self.steps = self.outputs = 0

    def watched(self, asks: ModelTask[T]) -> ModelTask[T]:
        self.taken_ns = time_ns()
        try:
            ask = next(asks)
            while True:
                self._count(ask)
                asked = perf_counter_ns()
                answer = yield ask
                self.asked_ns += perf_counter_ns() - asked
                ask = asks.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            asks.close()
            self.ended_ns = time_ns()

    def _count(self, ask: ModelRequest) -> None:
        self.rounds += 1
        if isinstance(ask, Step):
            self.steps += len(ask)
        else:
            self.outputs += len(ask)


def _worked(span: Span, work: _Work, priority: Priority, future: "asyncio.Future[Any]") -> None:
    """Record the engine's work as a child span."""
    part = span.part("engine", work.began_ns)
    part.note("wordgate.priority", priority.value)
    if work.taken_ns:
        part.note("wordgate.start_wait_seconds", (work.taken_ns - work.began_ns) / _NANOSECONDS)
        part.note("wordgate.model_wait_seconds", work.asked_ns / _NANOSECONDS)
        part.note("wordgate.rounds", work.rounds)
        part.note("wordgate.steps", work.steps)
        part.note("wordgate.outputs", work.outputs)
    error = asyncio.CancelledError() if future.cancelled() else future.exception()
    if error is not None:
        part.failed(error)
    part.end(work.ended_ns or None)
