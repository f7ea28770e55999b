"""Continuous batching with priorities: merge the model requests of all jobs into batches.

A job is a generator that yields model requests. Each round schedules the requests that are queued,
runs them as one batch, and completes their jobs, which then request more rows or end. A batch is
never delayed to fill it. A request with more rows than a batch has room for is split over several
batches, so that it does not block others.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any

from wordgate.engine.admission import AdmissionController
from wordgate.engine.batch import Batch
from wordgate.engine.job import Job, Priority
from wordgate.engine.job_queue import Dropped, JobQueue, Waited
from wordgate.engine.scheduler_policy import SchedulerPolicy
from wordgate.errors import Overloaded, OverloadReason, WordgateError
from wordgate.lm.requests import YIELD


class Scheduler:
    """Runs jobs in rounds. Thread-safe: several threads may call `step` to run batches at once.

    Only one thread at a time uses the queues, the generators and the state caches; models run
    concurrently.
    """

    def __init__(
        self,
        policy: SchedulerPolicy | None = None,
        dropped: Dropped = lambda reason: None,
        waited: Waited = lambda priority, seconds: None,
        admissions: Mapping[Priority, AdmissionController] | None = None,
    ) -> None:
        """Create a scheduler without jobs.

        - `dropped`: called for each dropped job.
        - `waited`: called with the queueing delay of each job in seconds.
        - `admissions`: admission control per priority; a priority without one admits all jobs.
        """
        self._policy = policy = policy or SchedulerPolicy()
        self._admissions = admissions or {}
        self._inbox: deque[Job] = deque()
        self._turn = Lock()

        def queue(priority: Priority, levels: tuple[int, ...] = ()) -> JobQueue:
            return JobQueue(priority, levels, policy, dropped, waited)

        self._interactive = queue(Priority.INTERACTIVE, policy.interactive_levels)
        self._normal = queue(Priority.NORMAL, policy.normal_levels)
        self._batch = queue(Priority.BATCH)
        self._queues = {
            Priority.INTERACTIVE: self._interactive,
            Priority.NORMAL: self._normal,
            Priority.BATCH: self._batch,
        }
        self._next_sweep = 0.0
        self._interactive_until = 0.0

    @property
    def has_work(self) -> bool:
        """Whether a call of `step` would have something to do. May be read by any thread."""
        return bool(self._inbox or self._interactive.jobs or self._normal.jobs or self._batch.jobs)

    @property
    def jobs(self) -> int:
        """Number of jobs that wait for a batch. May be read by any thread."""
        return len(self._inbox) + sum(queue.jobs for queue in self._queues.values())

    @property
    def queued_rows(self) -> int:
        """Number of requested rows not yet in a batch, plus one per job that has not started.

        May be read by any thread.
        """
        return self._interactive.rows + self._normal.rows + self._batch.rows

    def submit(self, job: Job) -> None:
        """Accept a job, which the next `step` queues.

        Raises `Overloaded` if the job would wait too long (admission control).
        """
        admission = self._admissions.get(job.priority)
        if admission is not None and job.size and not job.admitted:
            job.admitted_work = admission.acquire(job.size, job.parallel_rows)
            job.done = partial(_leave, job, job.done)
        self._inbox.append(job)

    def step(self, has_more: Callable[[], None] = lambda: None) -> bool:
        """Run one round: schedule a batch, run it, complete its jobs.

        Calls `has_more` if jobs are left for a concurrent batch. Return whether jobs are left.
        """
        with self._turn:
            batch = self.schedule()
            is_more_left = self.has_work
        if is_more_left:
            has_more()
        batch.run(self._policy.yield_seconds)
        with self._turn:
            self.complete(batch)
            return self.has_work

    def schedule(self) -> Batch:
        """Queue the submitted jobs and take the next batch; drop cancelled and expired jobs.

        These are detected when their turn comes, and by a periodic sweep over the queues.
        """
        now = monotonic()
        if now >= self._next_sweep:
            self._sweep(now)
        if self._inbox:
            self.receive()
        batch = Batch()
        self._fill(batch, now)
        return batch

    def receive(self) -> None:
        """Queue the submitted jobs."""
        while self._inbox:
            self._enqueue(self._inbox.popleft(), monotonic())

    def complete(self, batch: Batch) -> None:
        """Give a batch's results to its jobs, which then request more rows or end.

        Jobs that yielded without a request come last, and interactive jobs first. Those that stay
        at the front of their queue keep their order.
        """
        jobs = batch.jobs[::-1]
        if len(jobs) > 1:
            jobs.sort(key=_completion_order)
        for job in jobs:
            self._complete(job, self._queues[job.priority])

    def _complete(self, job: Job, queue: JobQueue) -> None:
        rows, results = len(job.part), job.part_results
        job.part = job.part_results = YIELD  # a queued job must not keep them in memory
        if isinstance(results, Exception):
            queue.rows -= job.rows - rows
            job.fail(results)
            return
        job.results += results
        job.count_done(len(results) or self._policy.yield_rows)
        if job.rows:
            queue.push_rest(job)
        elif job.advance_prefill() or job.run():
            queue.push(job)

    def _enqueue(self, job: Job, now: float) -> None:
        """Queue a job; run it to its first request if its queue is short.

        Rejects it with `Overloaded` if too many rows are queued. Lower-priority work never blocks
        admission, since every batch reserves rows for each priority.
        """
        queue = self._queues[job.priority]
        reason = job.drop_reason(now)
        if reason is not None:
            queue.reject(job, *reason)
            return
        if not job.admitted:
            rows = self._rows_up_to(job.priority)
            if rows >= self._policy.max_queued_rows:
                job.fail(_overloaded(rows, self._policy.retry_after_seconds))
                return
        if not queue.is_short() or job.run():
            queue.push(job)

    def _rows_up_to(self, priority: Priority) -> int:
        """Return the queued rows of this priority and all higher ones."""
        rows = self._interactive.rows
        if priority is not Priority.INTERACTIVE:
            rows += self._normal.rows
        if priority is Priority.BATCH:
            rows += self._batch.rows
        return rows

    def _sweep(self, now: float) -> None:
        """Drop cancelled and expired jobs in the queues, and plan the next sweep."""
        for queue in self._queues.values():
            if queue.jobs:
                queue.sweep(now)
        took = monotonic() - now
        policy = self._policy
        self._next_sweep = now + max(policy.sweep_seconds, policy.sweep_duty_cycle * took)

    def _fill(self, batch: Batch, now: float) -> None:
        """Take the rows of one batch, by priority, with reserved rows for lower priorities."""
        policy, room = self._policy, self._policy.max_rows
        batch_rows = max(self._batch.rows, self._batch.jobs)
        bulk = max(self._normal.rows, self._normal.jobs) + batch_rows
        kept = min(bulk, room // policy.low_priority_share)
        if self._interactive.jobs:
            room -= self._interactive.take(room - kept, batch)
        if batch.jobs:
            self._interactive_until = now + policy.interactive_window_seconds
        if not bulk:
            return
        if now < self._interactive_until:
            room = min(room, max(kept, policy.max_bulk_rows_while_interactive))
        kept = min(batch_rows, math.ceil(room / policy.low_priority_share))
        room -= self._normal.take(room - kept, batch)
        self._batch.take(room, batch)


def _completion_order(job: Job) -> tuple[bool, bool]:
    """Return a sort key: jobs that yielded last, interactive jobs first."""
    return not job.part, job.priority is not Priority.INTERACTIVE


def _overloaded(rows: int, seconds: float) -> WordgateError:
    problem = f"overloaded: {rows} rows queued; retry after {seconds} s"
    return Overloaded(problem, seconds, OverloadReason.ROWS)


def _leave(
    job: Job,
    done: Callable[[Any, BaseException | None], None],
    result: Any,
    error: BaseException | None,
) -> None:
    """Remove a job from admission control, then call its original callback."""
    job.done = done  # avoid a reference cycle that keeps the job's states in memory
    if job.admitted_work is not None:
        job.admitted_work.release(is_done=error is None)
    done(result, error)
