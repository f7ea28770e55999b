"""Quotas, with a clock controlled by the test."""

import pytest
from tests.clock import Clock

from wordgate.errors import Overloaded
from wordgate.server.security.quota import NO_QUOTA, Quota, TokenBucket


@pytest.fixture
def clock() -> Clock:
    """A clock controlled by the test."""
    return Clock()


def test_a_started_request_completes(clock: Clock) -> None:
    """A negative balance rejects the next request until the bucket has refilled."""
    usage = TokenBucket(Quota(rows_per_second=10), clock)
    usage.check_rows()
    _ask(usage, 30)
    with pytest.raises(Overloaded) as caught:
        usage.check_rows()
    clock.now += caught.value.retry_after_seconds
    usage.check_rows()


def test_the_bucket_holds_one_second_of_rows(clock: Clock) -> None:
    """A long idle time does not add credit beyond one second."""
    usage = TokenBucket(Quota(rows_per_second=10), clock)
    clock.now += 10_000
    _ask(usage, 10)
    with pytest.raises(Overloaded):
        usage.check_rows()


def test_without_a_quota_nothing_is_rejected(clock: Clock) -> None:
    """Rows and streams are limited by the server only."""
    usage = TokenBucket(NO_QUOTA, clock)
    _ask(usage, 1000)
    usage.check_rows()
    with usage.streams, usage.streams:
        pass


def test_streams_above_the_quota_are_rejected(clock: Clock) -> None:
    """A stream is accepted again after another one has ended."""
    usage = TokenBucket(Quota(streams=1), clock)
    with usage.streams, pytest.raises(Overloaded), usage.streams:
        pass
    with usage.streams:
        pass


def test_a_changed_quota_keeps_a_negative_balance(clock: Clock) -> None:
    """Neither a reload of the file nor another quota resets the balance."""
    usage = TokenBucket(Quota(rows_per_second=10), clock)
    _ask(usage, 30)
    usage.set_quota(Quota(rows_per_second=5))
    with pytest.raises(Overloaded) as caught:
        usage.check_rows()
    assert caught.value.retry_after_seconds == pytest.approx(21 / 5)


def test_a_first_quota_starts_with_a_full_bucket(clock: Clock) -> None:
    """Rows used before there was a quota are not counted."""
    usage = TokenBucket(NO_QUOTA, clock)
    _ask(usage, 30)
    usage.set_quota(Quota(rows_per_second=5))
    usage.check_rows()


def _ask(usage: TokenBucket, rows: int) -> None:
    """Request this many rows, two at a time."""
    for _ in range(rows // 2):
        usage.pay(2)
