"""Admission control by estimated queueing delay.

Knows sizes and moments; does not know what the work is. Overload is rejected before the queue
grows. Throughput is measured by the rows that were answered, so that long work counts while it is
in progress.
"""

import math
from collections.abc import Callable
from threading import Lock
from time import monotonic

from wordgate.errors import Overloaded, OverloadReason

THROUGHPUT_DECAY_SECONDS = 1.0
"""Time constant of the throughput estimate."""

BURST_WINDOW_SECONDS = 1.0
"""Where nothing was refused for so long, work may wait for twice as long: a few who come at the
same time are no flood."""

_LEAST_RETRY_SECONDS = 0.1

_MOST_PROGRESS = 0.9
"""Share of work that is at most taken for done before its end."""

_KEPT_RATIO = 0.9
"""How much of what was known of the size of a row is kept at each end of work."""


class AdmittedWork:
    """A piece of work of an `AdmissionController`, from being taken to its end. For any thread.

    `done_size` is what is taken for done of its size, by the `rows` that were answered.
    """

    def __init__(self, admission: "AdmissionController", size: float, rows_at_once: int) -> None:
        self.size = size
        self.rows_at_once = rows_at_once
        self.rows = 0
        self.done_size = 0.0
        self._admission = admission

    def progress(self, rows: int) -> None:
        """Count rows that were answered."""
        self._admission.progress(self, rows)

    def expect(self, rows: int) -> None:
        """Note that so many more rows will be asked for. Raises `Overloaded`."""
        self._admission.expect(self, rows)

    def leave(self, *, is_done: bool) -> None:
        """End the work; `is_done` unless it was dropped or failed."""
        self._admission.leave(self, is_done=is_done)


class AdmissionController:
    """Work of one kind. For any thread."""

    def __init__(
        self,
        max_queue_delay_seconds: float,
        min_concurrency: int,
        *,
        spared_in_calm: int | None = None,
        spared_rows: int = 0,
        quantum: float = math.inf,
        row_size: float = 0.0,
        most_rows: float | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Admit work that would wait at most `max_queue_delay_seconds`, or twice that in a burst.

        However long that is, it is taken while fewer than `min_concurrency` others are there
        (`spared_in_calm` until some had to be refused), or while all
        together ask for fewer than `spared_rows` at once: they share calls, and hardly slow each
        other down. What is no larger than `quantum` goes before larger work of which so much is
        done, and waits for the rest of so much of any other. `row_size` is the size that a row is
        taken for until work has ended.

        With `most_rows`, sizes are rows: work is taken for as large as other work was on the
        average, for so many rows at most, until it is known to ask for more (`expect`). Work of
        more rows than a turn is expected to let other work pass.
        """
        self._max_wait_seconds = max_queue_delay_seconds
        self._most_seconds = 3 * max(max_queue_delay_seconds, THROUGHPUT_DECAY_SECONDS)
        self._spared = min_concurrency
        self._spared_in_calm = min_concurrency if spared_in_calm is None else spared_in_calm
        self._spared_rows = spared_rows
        self._turn_size = quantum
        self._clock = clock
        self._lock = Lock()
        self._jobs = 0
        self._rows = 0
        self._size = 0.0
        self._turns = 0.0
        self._done_size = 0.0
        self._done_seconds = 0.0
        self._ended_size, self._ended_rows = row_size, 1.0
        self._most_rows = most_rows
        if most_rows is not None:
            self._ended_size = self._ended_rows = most_rows
        self._ended_works = 1.0
        self._counted_at = clock()
        self._refused_at = -math.inf

    @property
    def wait_seconds(self) -> float:
        """How long it would take until all is done that is there."""
        with self._lock:
            return self._wait(self._size, self._clock())

    def enter(self, size: float, rows: int = 1) -> AdmittedWork:
        """Take work of this size, in the unit of all others, that asks for so many rows at once.

        Raises `Overloaded`.
        """
        with self._lock:
            now = self._clock()
            if self._most_rows is not None:
                size = min(self._most_rows, self._ended_rows / self._ended_works)
            ahead = self._turns if size <= self._turn_size else self._size
            self._check(ahead, self._jobs, self._rows, now)
            if not self._jobs:
                self._counted_at = now
            self._jobs += 1
            self._rows += rows
            self._size += size
            self._turns += min(size, self._turn_size)
            return AdmittedWork(self, size, rows)

    def expect(self, work: AdmittedWork, rows: int) -> None:
        """Take a piece of work for as large as it is now known to be, where sizes are rows.

        Raises `Overloaded` if that is more than a turn and would wait too long for other work.
        """
        with self._lock:
            size = float(work.rows + rows)
            if self._most_rows is None or size <= work.size:
                return
            if size > self._turn_size:
                others = self._size - (work.size - work.done_size)
                self._check(others, self._jobs - 1, self._rows - work.rows_at_once, self._clock())
            self._size += size - work.size
            self._turns += min(size, self._turn_size) - min(work.size, self._turn_size)
            work.size = size

    def progress(self, work: AdmittedWork, rows: int) -> None:
        """Count rows of a piece of work that were answered."""
        with self._lock:
            work.rows += rows
            row_size = self._ended_size / self._ended_rows
            done = min(rows * row_size, _MOST_PROGRESS * work.size - work.done_size)
            self._count(rows if self._most_rows is not None else done, self._clock())
            self._remove(work, done)

    def leave(self, work: AdmittedWork, *, is_done: bool) -> None:
        """Remove a piece of work. What is left of dropped work does not count as done."""
        with self._lock:
            self._jobs -= 1
            self._rows -= work.rows_at_once
            left = work.size - work.done_size
            self._remove(work, left)
            if is_done:
                rows = max(1, work.rows)
                self._count(0.0 if self._most_rows is not None else left, self._clock())
                size = rows if self._most_rows is not None else work.size
                self._ended_size = _KEPT_RATIO * self._ended_size + size
                self._ended_rows = _KEPT_RATIO * self._ended_rows + rows
                self._ended_works = _KEPT_RATIO * self._ended_works + 1
            if not self._jobs:
                self._size = self._turns = 0.0

    def _count(self, size: float, now: float) -> None:
        """Count so much as done now."""
        seconds = self._seconds_since_last(now)
        kept = math.exp(-seconds / THROUGHPUT_DECAY_SECONDS)
        self._done_seconds = kept * self._done_seconds + seconds
        self._done_size = kept * self._done_size + size
        self._counted_at = now

    def _remove(self, work: AdmittedWork, size: float) -> None:
        before = min(work.done_size, self._turn_size)
        work.done_size += size
        self._size -= size
        self._turns -= min(work.done_size, self._turn_size) - before

    def _check(self, ahead: float, jobs: int, rows: int, now: float) -> None:
        """Raise `Overloaded` if work would wait too long for `jobs` others, of size `ahead`."""
        wait = self._wait(ahead, now)
        if self._is_spared(jobs, rows, now) or wait <= self._allowed(now):
            return
        self._refused_at = now
        problem = f"{jobs} requests are before this one; try again soon"
        retry_seconds = min(max(_LEAST_RETRY_SECONDS, wait), self._most_seconds)
        raise Overloaded(problem, retry_seconds, OverloadReason.WAIT)

    def _allowed(self, now: float) -> float:
        return (2 if self._is_calm(now) else 1) * self._max_wait_seconds

    def _is_calm(self, now: float) -> bool:
        return now - self._refused_at > BURST_WINDOW_SECONDS

    def _is_spared(self, jobs: int, rows: int, now: float) -> bool:
        """Whether work is taken in any case beside so many others that ask for `rows` at once."""
        min_concurrency = self._spared_in_calm if self._is_calm(now) else self._spared
        return jobs < min_concurrency or rows < self._spared_rows

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
