"""The parts of a call that a trace shows: the call, messages of a stream, the engine's work.

Knows what is measured of them: times and numbers, nothing of any text. Does not know who keeps it:
`wordgate.server.telemetry.opentelemetry` does, and only where an operator asks for it.
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
    """A part of a call while it lasts."""

    @property
    def trace_id(self) -> str:
        """The trace that it belongs to, in hexadecimal."""
        ...

    def part(self, name: str, began_ns: int) -> Self:
        """A part of this part, which began at this time since the epoch."""
        ...

    def note(self, name: str, value: float | str) -> None:
        """Something to know of it."""
        ...

    def failed(self, error: BaseException) -> None:
        """It ends with this error, whose words are nobody's business."""
        ...

    def end(self, ended_ns: int | None = None) -> None:
        """It is over, now or at this time since the epoch."""
        ...

    def finish(self, code: StatusCode) -> None:
        """It is over, and was a call that ended with this code."""
        ...


class Tracer(Protocol):
    """Keeps the spans of those calls that are traced."""

    def begin(
        self, method: Method, metadata: Metadata, call: RequestId, caller: str | None
    ) -> Span | None:
        """The span of a call that begins now; None if it is not traced."""
        ...

    async def close(self, seconds: float) -> None:
        """Hand over what is left, for at most so long."""
        ...


current_span: ContextVar[Span | None] = ContextVar("current_span", default=None)
"""The part of a call for which the running task works, if it is traced."""


def message_span(name: str, began_ns: int, sequence: int) -> AbstractContextManager[None]:
    """Around the answer to a message of a stream: its part of the trace, if there is one."""
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


def work_span(asks: ModelTask[T], future: "asyncio.Future[T]", urgency: Priority) -> ModelTask[T]:
    """The same generator; when its future is done its work has been noted, if that is wanted."""
    span = current_span.get()
    if span is None:
        return asks
    work = _Work()
    future.add_done_callback(partial(_worked, span, work, urgency))
    return work.watched(asks)


class _Work:
    """What a generator asked, and when. The engine's threads write it, one after another."""

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


def _worked(span: Span, work: _Work, urgency: Priority, future: "asyncio.Future[Any]") -> None:
    """Make a part of what the engine did."""
    part = span.part("engine", work.began_ns)
    part.note("wordgate.urgency", urgency.value)
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
