"""Quotas, with a clock that a test moves."""

import pytest
from tests.clock import Clock

from wordgate.errors import Overloaded
from wordgate.lm.requests import ModelTask, Step
from wordgate.server.security.quota import NO_QUOTA, Quota, TokenBucket


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


def test_a_request_in_credit_is_done_to_its_end(clock: Clock) -> None:
    """What it asked beyond the credit keeps the next one out until it is paid."""
    usage = TokenBucket(Quota(rows_per_second=10), clock)
    usage.check_rows()
    _ask(usage, 30)
    with pytest.raises(Overloaded) as caught:
        usage.check_rows()
    clock.now += caught.value.retry_after_seconds
    usage.check_rows()


def test_credit_is_that_of_one_second(clock: Clock) -> None:
    """A night of silence does not buy a day of work."""
    usage = TokenBucket(Quota(rows_per_second=10), clock)
    clock.now += 10_000
    _ask(usage, 10)
    with pytest.raises(Overloaded):
        usage.check_rows()


def test_without_a_quota_nothing_is_refused(clock: Clock) -> None:
    """Rows and streams are as many as the server has."""
    usage = TokenBucket(NO_QUOTA, clock)
    _ask(usage, 1000)
    usage.check_rows()
    with usage.stream(), usage.stream():
        pass


def test_a_stream_too_many_is_refused(clock: Clock) -> None:
    """When one ends there is room again."""
    usage = TokenBucket(Quota(streams=1), clock)
    with usage.stream(), pytest.raises(Overloaded), usage.stream():
        pass
    with usage.stream():
        pass


def test_another_quota_keeps_debts(clock: Clock) -> None:
    """Neither a renewed file nor another quota forgives what is owed."""
    usage = TokenBucket(Quota(rows_per_second=10), clock)
    _ask(usage, 30)
    usage.set_quota(Quota(rows_per_second=5))
    with pytest.raises(Overloaded) as caught:
        usage.check_rows()
    assert caught.value.retry_after_seconds == pytest.approx(21 / 5)


def test_a_first_quota_begins_with_credit(clock: Clock) -> None:
    """What was asked before there was one is not counted."""
    usage = TokenBucket(NO_QUOTA, clock)
    _ask(usage, 30)
    usage.set_quota(Quota(rows_per_second=5))
    usage.check_rows()


def _ask(usage: TokenBucket, rows: int) -> None:
    """Ask for so many rows, two at a time."""
    for _ in usage.paid(_steps(rows // 2)):
        pass


def _steps(count: int) -> ModelTask[None]:
    for _ in range(count):
        yield Step([(None, 0), (None, 0)])
