"""How much one caller may ask: rows a second, and streams open at once.

Knows numbers and a clock; does not know who the caller is. Rows are paid when the model is asked
for them, from whichever thread, so a request that begins in credit is done to its end: what it
asked beyond the credit is a debt that keeps the next ones out until it is paid.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from wordgate.errors import Overloaded, OverloadReason
from wordgate.lm.requests import ModelTask, T

_STREAM_RETRY_SECONDS = 5.0


@dataclass(frozen=True)
class Quota:
    """The most that a caller may ask; None is as much as the server has."""

    rows_per_second: float | None = None
    streams: int | None = None


NO_QUOTA = Quota()


class TokenBucket:
    """What a caller has open, and what is left of its rows: at most those of one second."""

    def __init__(self, quota: Quota, clock: Callable[[], float] = monotonic) -> None:
        self.quota = quota
        self._clock = clock
        self._lock = Lock()
        self._rows = quota.rows_per_second or 0.0
        self._counted_at = clock()
        self._streams = 0

    def set_quota(self, quota: Quota) -> None:
        """Another quota from now on; what is open stays open, what is owed stays owed."""
        with self._lock:
            self._earn()
            if self.quota.rows_per_second is None:
                self._rows = quota.rows_per_second or 0.0
            self.quota = quota

    def check_rows(self) -> None:
        """Raise `Overloaded` with the time until the debt is paid, if there is one."""
        rate = self.quota.rows_per_second
        if rate is None:
            return
        with self._lock:
            self._earn()
            owed = -self._rows
        if owed >= 0:
            problem = f"{rate:g} rows a second are this token's quota, and they were asked"
            raise Overloaded(problem, (owed + 1) / rate, OverloadReason.QUOTA)

    def paid(self, asks: ModelTask[T]) -> ModelTask[T]:
        """The same generator; each of its questions is paid when it is asked."""
        try:
            ask = next(asks)
            while True:
                self._pay(len(ask))
                ask = asks.send((yield ask))
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            asks.close()

    @contextmanager
    def stream(self) -> Iterator[None]:
        """A stream while it lasts. Raises `Overloaded` for one too many."""
        most = self.quota.streams
        if most is not None and self._streams >= most:
            problem = f"{most} streams at once are this token's quota, and they are open"
            raise Overloaded(problem, _STREAM_RETRY_SECONDS, OverloadReason.QUOTA)
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    def _pay(self, rows: int) -> None:
        with self._lock:
            self._earn()
            self._rows -= rows

    def _earn(self) -> None:
        now = self._clock()
        rate = self.quota.rows_per_second or 0.0
        self._rows = min(rate, self._rows + rate * (now - self._counted_at))
        self._counted_at = now
