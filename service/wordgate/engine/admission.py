"""Whether new work is taken: by how long it would wait.

Knows sizes and moments; does not know what the work is. How much is done in a second is measured
while there is something to do, so the wait is foretold, not suffered: a queue that is refused only
once it is slow has made all wait that are in it.
"""

import math
from collections.abc import Callable
from threading import Lock
from time import monotonic

from wordgate.errors import Excess, Overloaded

_REMEMBERED_SECONDS = 1.0
"""What was done longer ago says little about the speed of now."""

_CALM_SECONDS = 1.0
"""Where nothing was refused for so long, work may wait for twice as long: a few who come at the
same time are no flood."""

_LEAST_RETRY_SECONDS = 0.1


class Admission:
    """Work of one kind, from being taken to its end. For any thread."""

    def __init__(
        self,
        max_wait_seconds: float,
        spared: int,
        *,
        spared_rows: int = 0,
        turn_size: float = math.inf,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Work is taken that would wait for at most `max_wait_seconds`, twice that in a burst.

        However long that is, it is taken while fewer than `spared` others are there, or while all
        together ask for fewer than `spared_rows` at once: they share calls, and hardly slow each
        other down. What is no larger than `turn_size` waits for so much of each other at most.
        """
        self._max_wait_seconds = max_wait_seconds
        self._most_seconds = 3 * max(max_wait_seconds, _REMEMBERED_SECONDS)
        self._spared = spared
        self._spared_rows = spared_rows
        self._turn_size = turn_size
        self._clock = clock
        self._lock = Lock()
        self._jobs = 0
        self._rows = 0
        self._size = 0.0
        self._turns = 0.0
        self._done_size = 0.0
        self._done_seconds = 0.0
        self._counted_at = clock()
        self._refused_at = -math.inf

    @property
    def wait_seconds(self) -> float:
        """How long it would take until all is done that is there."""
        with self._lock:
            return self._wait(self._size, self._clock())

    def enter(self, size: float, rows: int = 1) -> None:
        """Take work of this size, in the unit of all others, that asks for so many rows at once.

        Raises `Overloaded`.
        """
        with self._lock:
            now = self._clock()
            ahead = self._turns if size <= self._turn_size else self._size
            wait = self._wait(ahead, now)
            if not self._is_spared and wait > self._allowed(now):
                self._refused_at = now
                problem = f"{self._jobs} requests are before this one; try again soon"
                retry_seconds = min(max(_LEAST_RETRY_SECONDS, wait), self._most_seconds)
                raise Overloaded(problem, retry_seconds, Excess.WAIT)
            if not self._jobs:
                self._counted_at = now
            self._jobs += 1
            self._rows += rows
            self._size += size
            self._turns += min(size, self._turn_size)

    def leave(self, size: float, rows: int = 1, *, is_done: bool) -> None:
        """Work has ended; what was dropped unbegun says nothing of how fast the others are done."""
        with self._lock:
            self._jobs -= 1
            self._rows -= rows
            self._size = self._size - size if self._jobs else 0.0
            self._turns = self._turns - min(size, self._turn_size) if self._jobs else 0.0
            if is_done:
                now = self._clock()
                seconds = self._seconds_since_last(now)
                kept = math.exp(-seconds / _REMEMBERED_SECONDS)
                self._done_seconds = kept * self._done_seconds + seconds
                self._done_size = kept * self._done_size + size
                self._counted_at = now

    def _allowed(self, now: float) -> float:
        is_calm = now - self._refused_at > _CALM_SECONDS
        return (2 if is_calm else 1) * self._max_wait_seconds

    @property
    def _is_spared(self) -> bool:
        return self._jobs < self._spared or self._rows < self._spared_rows

    def _wait(self, ahead: float, now: float) -> float:
        """How long work of so much size takes."""
        if not self._jobs:
            return 0.0
        seconds = self._done_seconds + self._seconds_since_last(now)
        return seconds * ahead / self._done_size if self._done_size else seconds

    def _seconds_since_last(self, now: float) -> float:
        """How long nothing was done, up to more than anything may wait for: all may have been
        dropped meanwhile, which says nothing of what comes next."""
        return min(now - self._counted_at, self._most_seconds)
