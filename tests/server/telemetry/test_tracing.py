"""Measurements of spans, independent of the exporter."""

import asyncio
from collections.abc import Iterator
from typing import Self

import grpc
import pytest

from wordgate.engine.job import Priority
from wordgate.server.telemetry.tracing import current_span, message_span, work_span


class _Span:
    """A span that stores what is set on it."""

    trace_id = "0" * 32

    def __init__(self, name: str) -> None:
        self.name = name
        self.parts: list[_Span] = []
        self.notes: dict[str, float | str] = {}
        self.error: BaseException | None = None
        self.ends = 0

    def part(self, name: str, began_ns: int) -> Self:
        self.parts.append(type(self)(name))
        return self.parts[-1]  # type: ignore[return-value]

    def note(self, name: str, value: float | str) -> None:
        self.notes[name] = value

    def failed(self, error: BaseException) -> None:
        self.error = error

    def end(self, ended_ns: int | None = None) -> None:
        self.ends += 1

    def finish(self, code: grpc.StatusCode) -> None:
        self.ends += 1


@pytest.fixture
def span() -> Iterator[_Span]:
    """The span of the call that the test works for."""
    span = _Span("call")
    before = current_span.set(span)
    yield span
    current_span.reset(before)


async def test_work_is_counted(span: _Span) -> None:
    """When the future is done, the job's requests and rows become a span of the call."""
    future: asyncio.Future[str] = asyncio.Future()
    work = work_span(future, Priority.NORMAL)
    assert work is not None
    for rows, is_step in ((2, True), (1, False)):
        work.resumed()
        work.requested(rows, is_step)
    work.ended()
    asyncio.get_running_loop().call_soon(future.set_result, "found")
    assert await future == "found"
    [part] = span.parts
    counts = {key: part.notes[f"wordgate.{key}"] for key in ("rounds", "steps", "outputs")}
    assert counts == {"rounds": 2, "steps": 2, "outputs": 1}
    assert (part.notes["wordgate.priority"], part.error, part.ends) == ("normal", None, 1)


async def test_dropped_work_ends_its_span(span: _Span) -> None:
    """Work dropped before its start has no counts and is recorded as cancelled."""
    future: asyncio.Future[str] = asyncio.Future()
    assert work_span(future, Priority.INTERACTIVE) is not None
    asyncio.get_running_loop().call_soon(future.cancel)
    with pytest.raises(asyncio.CancelledError):
        await future
    [work] = span.parts
    assert isinstance(work.error, asyncio.CancelledError)
    assert "wordgate.rounds" not in work.notes
    assert work.ends == 1


def test_a_superseded_answer_ends_its_span(span: _Span) -> None:
    """Its span ends, and the cancellation is re-raised."""

    def answer() -> None:
        with message_span("answer", began_ns=0, sequence=7):
            assert current_span.get() is span.parts[0]
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        answer()
    [part] = span.parts
    assert (part.notes["wordgate.sequence"], part.ends) == (7, 1)
    assert isinstance(part.error, asyncio.CancelledError)
    assert current_span.get() is span


async def test_without_a_trace_nothing_is_measured() -> None:
    """Neither work nor an answer has a span."""
    assert work_span(asyncio.Future(), Priority.NORMAL) is None
    with message_span("answer", began_ns=0, sequence=1):
        assert current_span.get() is None
