"""Admission control by estimated queueing delay.

Overload is rejected before the queue grows. Throughput is measured in completed rows, so long jobs
count while they are in progress.
"""

import math
from collections.abc import Callable
from threading import Lock
from time import monotonic

from wordgate.errors import Overloaded, OverloadReason

THROUGHPUT_DECAY_SECONDS = 1.0
"""Time constant of the throughput estimate."""

BURST_WINDOW_SECONDS = 1.0
"""Without a rejection for this long, a short burst may queue for twice the limit."""

_MIN_RETRY_SECONDS = 0.1

_MAX_PROGRESS = 0.9
"""Limit on the fraction of a job that counts as done before the job ends."""

_KEPT_RATIO = 0.9
"""Decay of the moving averages of job size and rows, applied whenever a job ends."""


class AdmittedWork:
    """A job admitted by an `AdmissionController`. Thread-safe.

    `rows` counts its completed rows; `done_size` is the part of `size` that counts as done.
    """

    def __init__(self, admission: "AdmissionController", size: float, parallel_rows: int) -> None:
        self.size = size
        self.parallel_rows = parallel_rows
        self.rows = 0
        self.done_size = 0.0
        self._admission = admission

    def progress(self, rows: int) -> None:
        """Count completed rows."""
        self._admission.progress(self, rows)

    def expect(self, rows: int) -> None:
        """Announce that the job needs `rows` more rows. Raises `Overloaded`."""
        self._admission.expect(self, rows)

    def release(self, *, is_done: bool) -> None:
        """Remove the job. `is_done` is false if it was dropped or failed."""
        self._admission.release(self, is_done=is_done)


class AdmissionController:
    """Admission control for jobs of one kind. Thread-safe."""

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
        """Admit jobs with an estimated queueing delay of at most `max_queue_delay_seconds`.

        - `min_concurrency`: admit a job at any delay while fewer jobs than this are present.
        - `spared_in_calm`: replaces `min_concurrency` if nothing was rejected recently.
        - `spared_rows`: admit a job at any delay while all jobs together request fewer rows per
          inference than this; they share batches and hardly slow each other down.
        - `quantum`: the scheduler's time slice, in units of size. A job up to this size waits for
          at most one quantum of any other job.
        - `row_size`: initial estimate of the size of a row.
        - `most_rows`: if set, sizes are counted in rows. A job is then assumed to have the average
          size of past jobs, at most `most_rows`, until it announces more (`expect`). Jobs larger
          than a quantum are expected to let others pass.
        """
        self._max_queue_delay_seconds = max_queue_delay_seconds
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
        """Estimated time until all present jobs are done, in seconds."""
        with self._lock:
            return self._wait(self._size, self._clock())

    def acquire(self, size: float, rows: int = 1) -> AdmittedWork:
        """Admit a job of this size that requests about `rows` rows per inference.

        All jobs use the same unit of size. Raises `Overloaded`.
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
        """Raise the estimated size of a job, if sizes are counted in rows.

        Raises `Overloaded` if the job is now larger than a quantum and would wait too long.
        """
        with self._lock:
            size = float(work.rows + rows)
            if self._most_rows is None or size <= work.size:
                return
            if size > self._turn_size:
                others = self._size - (work.size - work.done_size)
                self._check(others, self._jobs - 1, self._rows - work.parallel_rows, self._clock())
            self._size += size - work.size
            self._turns += min(size, self._turn_size) - min(work.size, self._turn_size)
            work.size = size

    def progress(self, work: AdmittedWork, rows: int) -> None:
        """Count completed rows of a job."""
        with self._lock:
            work.rows += rows
            row_size = self._ended_size / self._ended_rows
            done = min(rows * row_size, _MAX_PROGRESS * work.size - work.done_size)
            self._count(rows if self._most_rows is not None else done, self._clock())
            self._remove(work, done)

    def release(self, work: AdmittedWork, *, is_done: bool) -> None:
        """Remove a job. The rest of a dropped job does not count towards throughput."""
        with self._lock:
            self._jobs -= 1
            self._rows -= work.parallel_rows
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
        """Add completed work to the throughput estimate."""
        seconds = self._seconds_since_last(now)
        kept = math.exp(-seconds / THROUGHPUT_DECAY_SECONDS)
        self._done_seconds = kept * self._done_seconds + seconds
        self._done_size = kept * self._done_size + size
        self._counted_at = now

    def _remove(self, work: AdmittedWork, size: float) -> None:
        """Subtract completed or dropped work from the queue."""
        before = min(work.done_size, self._turn_size)
        work.done_size += size
        self._size -= size
        self._turns -= min(work.done_size, self._turn_size) - before

    def _check(self, ahead: float, jobs: int, rows: int, now: float) -> None:
        """Raise `Overloaded` if a job would wait too long behind work of size `ahead`."""
        wait = self._wait(ahead, now)
        if self._is_spared(jobs, rows, now) or wait <= self._allowed(now):
            return
        self._refused_at = now
        retry_seconds = min(max(_MIN_RETRY_SECONDS, wait), self._most_seconds)
        problem = f"overloaded: {jobs} requests queued ahead; retry after {retry_seconds:.1f} s"
        raise Overloaded(problem, retry_seconds, OverloadReason.WAIT)

    def _allowed(self, now: float) -> float:
        """Return the present limit of the queueing delay in seconds."""
        return (2 if self._is_calm(now) else 1) * self._max_queue_delay_seconds

    def _is_calm(self, now: float) -> bool:
        return now - self._refused_at > BURST_WINDOW_SECONDS

    def _is_spared(self, jobs: int, rows: int, now: float) -> bool:
        """Return whether a job is admitted at any delay, given other jobs and their total rows."""
        min_concurrency = self._spared_in_calm if self._is_calm(now) else self._spared
        return jobs < min_concurrency or rows < self._spared_rows

    def _wait(self, ahead: float, now: float) -> float:
        """Return the estimated time to process work of size `ahead`, in seconds."""
        if not self._jobs:
            return 0.0
        seconds = self._done_seconds + self._seconds_since_last(now)
        return seconds * ahead / self._done_size if self._done_size else seconds

    def _seconds_since_last(self, now: float) -> float:
        """Return the time since work was last completed, up to a maximum.

        Without the maximum, a time in which all jobs were dropped would look like low throughput.
        """
        return min(now - self._counted_at, self._most_seconds)
