"""Quotas per token: model rows per second (a token bucket), and open streams.

The bucket may go negative, because rows are charged when they are requested from the model. A
started request therefore always completes. The next requests are rejected until the bucket has
refilled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from wordgate.errors import Overloaded, OverloadReason
from wordgate.server.security.concurrency_limit import ConcurrencyLimit


@dataclass(frozen=True)
class Quota:
    """Limits of one token; None means no limit besides those of the server."""

    rows_per_second: float | None = None
    streams: int | None = None


NO_QUOTA = Quota()


class TokenBucket:
    """Usage of one token: its row balance, of at most one second's rows, and its open streams.

    Rows may be charged from any thread. `with bucket.streams:` counts an open stream.
    """

    def __init__(self, quota: Quota, clock: Callable[[], float] = monotonic) -> None:
        self.quota = quota
        self._clock = clock
        self._lock = Lock()
        self._rows = quota.rows_per_second or 0.0
        self._counted_at = clock()
        self.streams = ConcurrencyLimit(
            quota.streams,
            "quota exceeded: {most} open streams for this token; close one or retry later",
            OverloadReason.QUOTA,
        )

    def set_quota(self, quota: Quota) -> None:
        """Change the quota. Open streams stay open, and a negative balance is kept."""
        with self._lock:
            self._earn()
            if self.quota.rows_per_second is None:
                self._rows = quota.rows_per_second or 0.0
            self.quota = quota
        self.streams.most = quota.streams

    def check_rows(self) -> None:
        """Raise `Overloaded` with the time until the refill if no rows are left."""
        rate = self.quota.rows_per_second
        if rate is None:
            return
        with self._lock:
            self._earn()
            owed = -self._rows
        if owed >= 0:
            retry = (owed + 1) / rate
            problem = f"quota exceeded: {rate:g} rows/s for this token; retry after {retry:.3g} s"
            raise Overloaded(problem, retry, OverloadReason.QUOTA)

    def pay(self, rows: int) -> None:
        """Charge the rows of a model request."""
        with self._lock:
            self._earn()
            self._rows -= rows

    def _earn(self) -> None:
        now = self._clock()
        rate = self.quota.rows_per_second or 0.0
        self._rows = min(rate, self._rows + rate * (now - self._counted_at))
        self._counted_at = now
