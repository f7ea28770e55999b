"""Polling for changes that have settled."""

import asyncio
from collections.abc import Mapping, Set

import pytest
from structlog.testing import capture_logs

from wordgate.server.settled_poller import SettledPoller


class PanicException(BaseException):
    """Stand-in for the exception that libraries in Rust raise."""


class _Poller(SettledPoller[str, int]):
    """Finds given values, or raises a given error; records what has settled."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, int] = {}
        self.error: BaseException | None = None
        self.settled: list[Set[str]] = []
        self.looked = asyncio.Event()

    def _find(self) -> dict[str, int]:
        return dict(self.values)

    async def _apply(self, found: Mapping[str, int], settled: Set[str]) -> None:
        self.looked.set()
        if self.error is not None:
            raise self.error
        self.settled.append(settled)


async def test_a_value_settles_when_two_polls_agree() -> None:
    """Each key settles by itself; a poll on a signal takes every value as settled."""
    poller = _Poller()
    for values in ({"a": 1}, {"a": 1, "b": 1}, {"a": 2, "b": 1}, {"b": 1}, {"a": 2}):
        poller.values = values
        await poller.look()
    assert poller.settled == [set(), {"a"}, {"b"}, {"b"}, set()]
    poller.values = {"c": 1}
    await poller.look(at_once=True)
    assert poller.settled[-1] == {"c"}


async def test_only_cancellation_ends_the_polling() -> None:
    """Polling continues after any other error, which is logged once until a poll succeeds."""
    poller = _Poller()

    async def poll(error: BaseException | None, times: int) -> None:
        poller.error = error
        for _ in range(times):
            poller.looked.clear()
            await asyncio.wait_for(poller.looked.wait(), 10)

    with capture_logs() as logged:
        running = asyncio.create_task(poller.run(0.001))
        await poll(PanicException("boom"), 4)
        await poll(None, 2)
        await poll(OSError(5, "broken disk"), 4)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    problems = [line["problem"] for line in logged]
    assert problems == ["PanicException: boom", "[Errno 5] broken disk"]


async def test_without_an_interval_only_a_signal_polls() -> None:
    """`poll_now` polls at once and takes what it finds as settled."""
    poller = _Poller()
    poller.values = {"a": 1}
    running = asyncio.create_task(poller.run(0))
    await asyncio.sleep(0)
    assert poller.settled == []
    poller.poll_now()
    await asyncio.wait_for(poller.looked.wait(), 10)
    running.cancel()
    assert poller.settled == [{"a"}]
