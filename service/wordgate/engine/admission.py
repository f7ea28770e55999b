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

_LEAST_RETRY_SECONDS = 0.1


class Admission:
    """Work of one kind, from being taken to its end. For any thread."""

    def __init__(
        self, max_wait_seconds: float, spared: int, clock: Callable[[], float] = monotonic
    ) -> None:
        """Work is taken that would wait for at most `max_wait_seconds`; and whatever its size,
        while fewer than `spared` others are there, which slow each other down that much at most.
        """
        self._max_wait_seconds = max_wait_seconds
        self._most_seconds = 2 * max(max_wait_seconds, _REMEMBERED_SECONDS)
        self._spared = spared
        self._clock = clock
        self._lock = Lock()
        self._jobs = 0
        self._size = 0.0
        self._done_size = 0.0
        self._done_seconds = 0.0
        self._counted_at = clock()

    @property
    def wait_seconds(self) -> float:
        """How long it would take until all is done that is there."""
        with self._lock:
            return self._wait(self._clock())

    def enter(self, size: float) -> None:
        """Take work of this size, in the unit of all others. Raises `Overloaded`."""
        with self._lock:
            now = self._clock()
            wait = self._wait(now)
            if self._jobs >= self._spared and wait > self._max_wait_seconds:
                problem = f"{self._jobs} requests are before this one; try again soon"
                retry_seconds = min(max(_LEAST_RETRY_SECONDS, wait), self._most_seconds)
                raise Overloaded(problem, retry_seconds, Excess.WAIT)
            if not self._jobs:
                self._counted_at = now
            self._jobs += 1
            self._size += size

    def leave(self, size: float, *, is_done: bool) -> None:
        """Work has ended; what was dropped unbegun says nothing of how fast the others are done."""
        with self._lock:
            self._jobs -= 1
            self._size = self._size - size if self._jobs else 0.0
            if is_done:
                now = self._clock()
                seconds = self._seconds_since_last(now)
                kept = math.exp(-seconds / _REMEMBERED_SECONDS)
                self._done_seconds = kept * self._done_seconds + seconds
                self._done_size = kept * self._done_size + size
                self._counted_at = now

    def _wait(self, now: float) -> float:
        if not self._jobs:
            return 0.0
        seconds = self._done_seconds + self._seconds_since_last(now)
        return seconds * self._size / self._done_size if self._done_size else seconds

    def _seconds_since_last(self, now: float) -> float:
        """How long nothing was done, up to more than anything may wait for: all may have been
        dropped meanwhile, which says nothing of what comes next."""
        return min(now - self._counted_at, self._most_seconds)
