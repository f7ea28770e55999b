"""Limits on calls and streams that are open at the same time."""

import pytest

from wordgate.errors import Overloaded, OverloadReason
from wordgate.server.security.concurrency_limit import ConcurrencyLimit


def test_above_the_limit_entering_is_rejected() -> None:
    """The error has the reason, the delay and the limit; a place is free again after an exit."""
    limit = ConcurrencyLimit(1, "{most} open; retry after {retry:g} s", OverloadReason.CALLS, 0.5)
    with limit:
        with pytest.raises(Overloaded, match=r"^1 open; retry after 0\.5 s$") as caught, limit:
            pass
        assert (caught.value.excess, caught.value.retry_after_seconds) == (
            OverloadReason.CALLS,
            0.5,
        )
    with limit:
        assert limit.in_use == 1


def test_a_lower_limit_keeps_what_is_open() -> None:
    """After the limit is lowered, entering is rejected until enough has exited."""
    limit = ConcurrencyLimit(2, "")
    with limit, limit:
        limit.most = 1
    with limit, pytest.raises(Overloaded), limit:
        pass
    limit.most = None
    with limit, limit, limit:
        assert limit.in_use == 3
