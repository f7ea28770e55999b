"""The queued jobs of one priority: shortest jobs first, with a fair share for longer ones.

This is least-attained-service scheduling (Kleinrock 1976): jobs move through levels by the rows
that they have completed, and lower levels get a share of each batch.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from wordgate.engine.batch import Batch
from wordgate.engine.job import DropReason, Job, Priority
from wordgate.engine.scheduler_policy import SchedulerPolicy

Dropped = Callable[[DropReason], None]
Waited = Callable[[Priority, float], None]


class JobQueue:
    """The queued jobs of one priority, in levels.

    `jobs` counts them. `rows` counts the requested rows that are not in a batch, and one per job
    that has not started.
    """

    def __init__(
        self,
        priority: Priority,
        thresholds: Sequence[int],
        policy: SchedulerPolicy,
        dropped: Dropped,
        waited: Waited,
    ) -> None:
        self.jobs = 0
        self.rows = 0
        self._policy = policy
        self._thresholds = thresholds
        self._dropped = dropped
        self._waited = waited
        self._levels: list[deque[Job]] = [deque() for _ in (0, *thresholds)]
        is_normal, is_interactive = priority is Priority.NORMAL, priority is Priority.INTERACTIVE
        self._quantum = policy.quantum_rows if is_normal else math.inf
        self._start_rows = 1 if is_interactive else policy.start_rows
        self._max_last = policy.max_longest_jobs if is_interactive else policy.max_rows
        self._is_batch = priority is Priority.BATCH

    def is_short(self) -> bool:
        """Return whether a new job would be scheduled within the next few batches."""
        batches, policy = self._policy.prefetch_batches, self._policy
        rows = batches * policy.max_rows
        jobs = max(batches, rows // policy.yield_rows)
        return self.rows < rows and len(self._levels[0]) < jobs

    def push(self, job: Job) -> None:
        """Queue a job at the front within its time slice, else at the back.

        Staying at the front keeps few jobs in progress. The time slice of bulk jobs is
        `quantum_rows`; that of interactive and batch jobs is unlimited.
        """
        self.jobs += 1
        self.rows += job.rows
        queue = self._level_of(job)
        if 0 < job.slice_rows < self._quantum:
            queue.appendleft(job)
        else:
            job.slice_rows = 0
            queue.append(job)

    def push_rest(self, job: Job) -> None:
        """Queue a job again whose request was only partly in a batch; its rows are counted."""
        self.jobs += 1
        queue = self._level_of(job)
        if self._is_batch:
            queue.appendleft(job)
        else:
            queue.append(job)

    def take(self, room: int, batch: Batch) -> int:
        """Move parts of requests into a batch, shortest jobs first; return the rows charged.

        Reserves `long_share` of the room for longer jobs, and takes at most `max_longest_jobs`
        interactive jobs from the last level.
        """
        left = share = room
        last = len(self._levels) - 1
        for level, queue in enumerate(self._levels):
            if not queue:
                continue
            has_longer = level < last and any(self._levels[level + 1 :])
            kept = math.ceil(share / self._policy.long_share) if has_longer else 0
            jobs = len(batch.jobs)
            most_jobs = self._max_last if level == last else self._policy.max_rows
            used = self._take_from(queue, share - kept, most_jobs, batch)
            left -= used
            share -= used
            if len(batch.jobs) > jobs:
                share = min(share, max(kept, self._policy.max_bulk_rows_while_interactive))
        return room - left

    def _take_from(self, queue: deque[Job], room: int, most_jobs: int, batch: Batch) -> int:
        """Move parts of requests of one level into a batch; return the rows charged."""
        left, taken, now = room, 0, monotonic()
        while queue and left > 0 and taken < most_jobs:
            job = queue.popleft()
            self.jobs -= 1
            if self._drop(job, now):
                continue
            charge = 0
            if not job.started:
                charge = self._start_rows
                self.rows -= 1
                if not job.run():
                    left -= charge
                    continue
                self.rows += job.rows
            if not job.scheduled:
                job.scheduled = True
                self._waited(job.priority, now - job.submitted_at)
            part = job.request
            if job.results or len(part) > left:
                part = _part(job, left)
            self.rows -= len(part)
            batch.add(job, part)
            taken += 1
            left -= max(len(part) or self._policy.yield_rows, charge)
        return room - max(0, left)  # a yield may be charged more rows than were left

    def reject(self, job: Job, reason: DropReason, error: Exception) -> None:
        """End a job that is not queued with the reason for dropping it."""
        self._dropped(reason)
        job.fail(error)

    def sweep(self, now: float) -> None:
        """Drop all cancelled and expired jobs."""
        for queue in self._levels:
            if not queue or not any(job.drop_reason(now) for job in queue):
                continue
            for _ in range(len(queue)):
                job = queue.popleft()
                if self._drop(job, now):
                    self.jobs -= 1
                else:
                    queue.append(job)

    def _drop(self, job: Job, now: float) -> bool:
        """Drop a dequeued job if it is cancelled or expired; return whether it was dropped."""
        reason = job.drop_reason(now)
        if reason is None:
            return False
        self.rows -= job.rows
        self.reject(job, *reason)
        return True

    def _level_of(self, job: Job) -> deque[Job]:
        """Return the level of a job by its completed rows."""
        level = bisect_right(self._thresholds, job.done_rows)
        if level != job.level:
            job.level, job.slice_rows = level, 0  # start at the back of the new level
        return self._levels[level]


def _part(job: Job, room: int) -> Any:
    """Return the rows of a job's request that come next, at most `room`."""
    request, first = job.request, len(job.results)
    return type(request)(request[first : first + room])
