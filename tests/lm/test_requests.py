"""Time slices of CPU-bound algorithms, by a clock that the test sets."""

from collections.abc import Generator

import pytest

from wordgate.lm import requests
from wordgate.lm.requests import SLICE_SECONDS, YIELD, TimeSlice
from wordgate.text.cooperative_steps import Steps


class Clock:
    """A clock that stands still between two calls of `pass_time`."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now

    def pass_time(self, slices: float) -> None:
        """Let the time of some slices pass."""
        self.now += slices * SLICE_SECONDS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of time slices."""
    clock = Clock()
    monkeypatch.setattr(requests, "perf_counter", clock)
    return clock


def test_a_slice_is_over_after_its_time(clock: Clock) -> None:
    """The slice starts at the first check and ends once."""
    time_slice = TimeSlice()
    checks = []
    for slices in (0.0, 0.6, 0.6, 0.6, 0.6, 0.6):
        clock.pass_time(slices)
        checks.append(time_slice.is_over())
    assert checks == [False, False, True, False, False, True]


def test_time_before_the_first_check_does_not_count(clock: Clock) -> None:
    """Neither a yield nor a model request uses up the next slice, however long it takes."""
    time_slice = TimeSlice()
    for start in (lambda: None, time_slice.is_over, time_slice.restart):
        start()
        clock.pass_time(50)
    assert not time_slice.is_over()


def test_a_computation_yields_after_each_slice(clock: Clock) -> None:
    """Ten steps of 0.4 slices yield after the fourth and the eighth, and return their result."""

    def steps() -> Steps[str]:
        for _ in range(10):
            yield
            clock.pass_time(0.4)
        return "done"

    def task() -> Generator[object, None, None]:
        results.append((yield from TimeSlice().run(steps())))

    results: list[str] = []
    assert list(task()) == [YIELD, YIELD]
    assert results == ["done"]
