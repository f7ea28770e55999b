"""Continuous batching with priorities: merge the model requests of all jobs into batches.

A job is a generator that yields model requests. The scheduler never delays a batch to fill it; each
round takes the requests that are queued. A request with more rows than a batch has room for is
split over several batches, so that it does not block others.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import chain
from time import monotonic, sleep
from typing import Any

from wordgate.engine.admission import AdmissionController, AdmittedWork
from wordgate.errors import Cancelled, DeadlineExceeded, Overloaded, OverloadReason
from wordgate.lm.requests import MAX_ROWS, Model, ModelRequest, ModelTask, Step

DEFAULT_MAX_QUEUED_ROWS = 20_000
LOW_PRIORITY_SHARE = 4
"""A batch reserves 1/4 of its rows for lower priorities, if they have work queued."""

MAX_BULK_ROWS_WHILE_INTERACTIVE = 16
"""Limit on bulk rows per batch beside interactive jobs, and on rows of long jobs beside short ones.

A batch of 16 rows takes little longer than one of a few rows.
"""

INTERACTIVE_WINDOW_SECONDS = 0.02
"""After an interactive request, keep treating the engine as interactive for this long."""

_RETRY_AFTER_SECONDS = 0.5
QUANTUM_ROWS = 1024
"""Time slice of a bulk job in rows; then other jobs run.

Running few jobs at a time keeps their states in the CPU cache, and the limit prevents large jobs
from blocking others for longer.
"""

_LONG_SHARE = 4
"""A batch reserves 1/4 of its rows for long jobs while short jobs could fill it."""

_MAX_LONGEST_JOBS = 4
"""Limit on interactive jobs of the longest level per batch; the others wait until one ends.

A search uses 9 KB of memory per row.
"""

_START_ROWS = 4
"""Rows charged for starting a bulk or batch job, since it may tokenize long texts."""

PREFETCH_BATCHES = 4
"""Batches for which requests are prepared ahead.

Later jobs are started when their turn comes; until then they use no memory except for their texts.
"""

YIELD_COST_ROWS = 16
"""Rows charged to a job that yields without a model request; it is CPU-bound."""

_PAUSE_SECONDS = 0.0002
"""Sleep that is long enough for another engine thread to wake up."""

_SWEEP_SECONDS = 0.005
"""Interval between sweeps for cancelled or expired jobs still in the queue."""

SWEEP_DUTY_CYCLE = 20
"""Sweeping takes at most 1/20 of the time, however long the queue."""


class Priority(Enum):
    """Priorities from highest to lowest: a user types, a program waits, spare capacity only."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BATCH = "batch"


_LEVELS: dict[Priority, tuple[int, ...]] = {
    Priority.INTERACTIVE: (16, 128, 512),
    Priority.NORMAL: (2 * QUANTUM_ROWS,),
    Priority.BATCH: (),
}
"""Row counts at which a job moves to the next, lower queue level of its priority.

This is least-attained-service scheduling (Kleinrock 1976). A keystroke takes 3 rows, a prediction
10 to 400. Bulk jobs of ordinary length stay in the first level and run one after the other, so few
are in progress at a time.
"""

_UP_TO = {priority: list(Priority)[: index + 1] for index, priority in enumerate(Priority)}
"""Each priority with all higher ones."""


class DropReason(Enum):
    """Reason for dropping a job before its end."""

    CANCELLED = "cancelled"
    DEADLINE = "deadline"


@dataclass(eq=False)
class Job:
    """A scheduled generator, with its current request and the results received for it so far.

    - `done`: called once, with the result or the error.
    - `deadline`: a time of `time.monotonic`.
    - `cancelled`: returns whether to drop the job before its next batch.
    - `admitted`: bypass overload protection, for jobs of an accepted session.
    - `size`: amount of work relative to other jobs of this priority, in any unit; 0 bypasses
      admission control.
    - `rows_at_once`: approximate rows per request.
    """

    model: Model
    asks: ModelTask[Any]
    done: Callable[[Any, BaseException | None], None]
    priority: Priority = Priority.INTERACTIVE
    deadline: float | None = None
    cancelled: Callable[[], bool] = lambda: False
    admitted: bool = False
    size: float = 0.0
    rows_at_once: int = 1
    came_at: float = field(default_factory=monotonic)
    started: bool = False
    taken: bool = False
    turn_rows: int = 0
    done_rows: int = 0
    level: int = 0
    admitted_work: AdmittedWork | None = None
    ask: ModelRequest = field(default_factory=lambda: Step([]))
    answered: list[Any] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows of the current request without a result; 1 before the first request."""
        return len(self.ask) - len(self.answered) if self.started else 1


Group = list[tuple[Job, ModelRequest]]
"""Jobs of one model, each with the part of its request that is in this batch."""


class Batch:
    """Parts of requests to run together, grouped by model.

    The part of a job that yields without a request has no rows. `ask` may be called by any thread,
    concurrently with other batches; it does not use the scheduler.
    """

    def __init__(self, groups: list[Group]) -> None:
        self.groups = groups
        self.answers: list[list[Any] | Exception] = []

    def __bool__(self) -> bool:
        return bool(self.groups)

    def ask(self) -> None:
        """Run each model. If all jobs yield without a request, let other threads run."""
        self.answers = [_answers(group) for group in self.groups]
        if not any(len(ask) for group in self.groups for _, ask in group):
            sleep(_PAUSE_SECONDS)


def _answers(group: Group) -> list[Any] | Exception:
    """Run a model on the requests of a group; return the results or an error for all jobs."""
    if not any(len(ask) for _, ask in group):
        return [[] for _ in group]
    try:
        answers = group[0][0].model.answer([ask for _, ask in group])
        if len(answers) != len(group):
            return ValueError(f"{len(answers)} results for {len(group)} model requests")
        return answers
    except BaseException as error:  # noqa: BLE001  passed to the owners of the jobs
        return _as_exception(error)


class Scheduler:
    """Runs jobs in rounds: `take` a batch, run the batch, `postprocess` its results.

    Not thread-safe, except where noted. Batches may run concurrently.
    """

    def __init__(
        self,
        max_rows: int = MAX_ROWS,
        max_queued_rows: int = DEFAULT_MAX_QUEUED_ROWS,
        dropped: Callable[[DropReason], None] = lambda reason: None,
        waited: Callable[[Priority, float], None] = lambda priority, seconds: None,
        admissions: Mapping[Priority, AdmissionController] | None = None,
    ) -> None:
        """Create a scheduler without jobs.

        - `dropped`: called for each dropped job.
        - `waited`: called with the queueing delay of each job in seconds.
        - `admissions`: admission control per priority; a priority without one admits all jobs.
        """
        self._max_rows = max_rows
        self._admissions = admissions or {}
        self._max_waiting_rows = max_queued_rows
        self._dropped = dropped
        self._waited = waited
        self._queues: dict[Priority, list[deque[Job]]] = {
            priority: [deque() for _ in (0, *levels)] for priority, levels in _LEVELS.items()
        }
        self._waiting = dict.fromkeys(Priority, 0)
        self._next_sweep = 0.0
        self._interactive_until = 0.0

    @property
    def jobs(self) -> int:
        """Number of live jobs."""
        return sum(map(self._count, Priority))

    @property
    def waiting_rows(self) -> int:
        """Number of requested rows not yet in a batch, plus one per job that has not started.

        May be read by any thread.
        """
        return sum(self._waiting.values())

    def admit(self, job: Job) -> None:
        """Apply admission control to a job before `add`. Thread-safe.

        Raises `Overloaded` if the job would wait too long.
        """
        admission = self._admissions.get(job.priority)
        if admission is not None and job.size and not job.admitted:
            job.admitted_work = admission.enter(job.size, job.rows_at_once)
            job.done = partial(_leave, job, job.done)

    def add(self, job: Job) -> None:
        """Queue a job; run it to its first request if the queue is short.

        Raises `Overloaded` if too many rows are queued. Lower-priority work never blocks admission,
        since every batch reserves rows for each priority.
        """
        abandoned = _drop_reason(job)
        if abandoned is not None:
            self._drop(job, *abandoned)
            return
        waiting = sum(self._waiting[priority] for priority in _UP_TO[job.priority])
        if waiting >= self._max_waiting_rows and not job.admitted:
            problem = f"overloaded: {waiting} rows queued; retry after {_RETRY_AFTER_SECONDS} s"
            raise Overloaded(problem, _RETRY_AFTER_SECONDS, OverloadReason.ROWS)
        rows = PREFETCH_BATCHES * self._max_rows
        is_near = len(self._queues[job.priority][0]) < max(
            PREFETCH_BATCHES, rows // YIELD_COST_ROWS
        )
        if is_near and self._waiting[job.priority] < rows:
            self._resume(job)
        else:
            self._queue(job)

    def step(self) -> bool:
        """Run one round; return whether jobs are left."""
        batch = self.take()
        batch.ask()
        self.postprocess(batch)
        return self.jobs > 0

    def take(self) -> "Batch":
        """Schedule the next batch; drop cancelled and expired jobs.

        These are detected when their turn comes, and by a periodic sweep over the queues.
        """
        now = monotonic()
        if now >= self._next_sweep:
            self._drop_abandoned()
            took = monotonic() - now
            self._next_sweep = now + max(_SWEEP_SECONDS, SWEEP_DUTY_CYCLE * took)
        by_model: dict[int, list[tuple[Job, ModelRequest]]] = {}
        for job, ask in self._take():
            by_model.setdefault(id(job.model), []).append((job, ask))
        return Batch(list(by_model.values()))

    def postprocess(self, batch: "Batch") -> None:
        """Return a batch's results to its jobs, which then request more rows or end."""
        for group, answers in zip(batch.groups, batch.answers, strict=True):
            self._hand_out(group, answers)

    def _drop_abandoned(self) -> None:
        """Drop all cancelled and expired jobs."""
        for queue in chain.from_iterable(self._queues.values()):
            if not any(map(_drop_reason, queue)):
                continue
            for _ in range(len(queue)):
                job = queue.popleft()
                if not self._drop_if_abandoned(job):
                    queue.append(job)

    def _drop_if_abandoned(self, job: Job) -> bool:
        """Drop a dequeued job if it is cancelled or expired; return whether it was dropped."""
        abandoned = _drop_reason(job)
        if abandoned is None:
            return False
        self._waiting[job.priority] -= job.rows
        self._drop(job, *abandoned)
        return True

    def _drop(self, job: Job, reason: DropReason, error: Exception) -> None:
        job.asks.close()
        self._dropped(reason)
        job.done(None, error)

    def _take(self) -> list[tuple[Job, ModelRequest]]:
        """Dequeue the rows of one batch, by priority, with reserved rows for lower priorities."""
        bulk, batch = self._wanted(Priority.NORMAL), self._wanted(Priority.BATCH)
        kept = min(bulk + batch, self._max_rows // LOW_PRIORITY_SHARE)
        taken, left = self._take_from(Priority.INTERACTIVE, self._max_rows - kept)
        room = left + kept
        if self._interactive_recently(bool(taken)):
            room = min(room, max(kept, MAX_BULK_ROWS_WHILE_INTERACTIVE))
        kept = min(batch, math.ceil(room / LOW_PRIORITY_SHARE))
        more, left = self._take_from(Priority.NORMAL, room - kept)
        rest, _ = self._take_from(Priority.BATCH, left + kept)
        return taken + more + rest

    def _wanted(self, priority: Priority) -> int:
        """Return the rows that could be dequeued; a job without a request counts as one."""
        return max(self._waiting[priority], self._count(priority))

    def _count(self, priority: Priority) -> int:
        """Return the number of queued jobs of a priority."""
        return sum(map(len, self._queues[priority]))

    def _interactive_recently(self, now: bool) -> bool:
        """Return whether there is an interactive request `now` or was one recently."""
        moment = monotonic()
        if now:
            self._interactive_until = moment + INTERACTIVE_WINDOW_SECONDS
        return moment < self._interactive_until

    def _take_from(
        self, priority: Priority, room: int
    ) -> tuple[list[tuple[Job, ModelRequest]], int]:
        """Dequeue parts of requests of one priority; also return the room left."""
        longest = _MAX_LONGEST_JOBS if priority is Priority.INTERACTIVE else self._max_rows
        return self._take_levels(self._queues[priority], room, longest)

    def _take_levels(
        self, levels: list[deque[Job]], room: int, longest: int
    ) -> tuple[list[tuple[Job, ModelRequest]], int]:
        """Dequeue parts of requests, shortest jobs first, with reserved rows for longer jobs.

        Takes at most `longest` jobs from the last level. Also returns the room left.
        """
        first, others = levels[0], levels[1:]
        if not others:
            return self._take_queued(first, room, longest)
        kept = math.ceil(room / _LONG_SHARE) if any(others) else 0
        taken, left = self._take_queued(first, room - kept)
        most = max(kept, MAX_BULK_ROWS_WHILE_INTERACTIVE) if taken else room
        for_others = min(left + kept, most)
        more, unused = self._take_levels(others, for_others, longest)
        return taken + more, left + kept - (for_others - unused)

    def _take_queued(
        self, queue: deque[Job], room: int, most_jobs: int | None = None
    ) -> tuple[list[tuple[Job, ModelRequest]], int]:
        """Dequeue parts of requests in queue order; also return the room left."""
        taken: list[tuple[Job, ModelRequest]] = []
        while queue and room > 0 and len(taken) != most_jobs:
            job = queue.popleft()
            if self._drop_if_abandoned(job):
                continue
            start_rows = 0
            if not job.started:
                start_rows = 0 if job.priority is Priority.INTERACTIVE else _START_ROWS
                if not self._begin(job):
                    room -= start_rows or 1
                    continue
            if not job.taken:
                job.taken = True
                self._waited(job.priority, monotonic() - job.came_at)
            first = len(job.answered)
            part = job.ask.part(first, min(len(job.ask), first + room))
            self._waiting[job.priority] -= len(part)
            taken.append((job, part))
            room -= max(len(part) or YIELD_COST_ROWS, start_rows)
        return taken, max(0, room)  # a yield may be charged more rows than were left

    def _hand_out(self, group: "Group", answers: list[Any] | Exception) -> None:
        """Return a group's results, or the error of its inference, to its jobs."""
        if isinstance(answers, Exception):
            for job, part in group:
                self._waiting[job.priority] -= job.rows - len(part)
                job.asks.close()
                job.done(None, answers)
            return
        answered = reversed(list(zip(group, answers, strict=True)))
        for (job, _), answer in sorted(answered, key=_priority_order):
            job.answered.extend(answer)
            _count_done(job, len(answer) or YIELD_COST_ROWS)
            if job.rows and job.priority is Priority.BATCH:
                self._queue_of(job).appendleft(job)
            elif job.rows:
                self._queue_of(job).append(job)
            else:
                self._resume(job)

    def _begin(self, job: Job) -> bool:
        """Run a queued job to its first request; return whether it has one."""
        self._waiting[job.priority] -= job.rows
        if not self._run_on(job):
            return False
        self._waiting[job.priority] += job.rows
        return True

    def _resume(self, job: Job) -> None:
        """Run a job to its next request and queue it, unless it ends."""
        if self._run_on(job):
            self._queue(job)

    def _run_on(self, job: Job) -> bool:
        """Send a job its results. Return True at its next request, False at its end."""
        complete, job.answered = job.answered, []
        try:
            job.ask = job.asks.send(complete) if job.started else next(job.asks)
            job.started = True
            _expect(job)
        except StopIteration as stop:
            job.done(stop.value, None)
        except BaseException as error:  # noqa: BLE001  passed to the owner of the job
            job.asks.close()
            job.done(None, _as_exception(error))
        else:
            return True
        return False

    def _queue(self, job: Job) -> None:
        """Queue a job at the front within its time slice, else at the back.

        Staying at the front keeps few jobs in progress. The time slice of bulk jobs is
        `QUANTUM_ROWS`; that of interactive and batch jobs is unlimited.
        """
        self._waiting[job.priority] += job.rows
        queue = self._queue_of(job)
        most = QUANTUM_ROWS if job.priority is Priority.NORMAL else math.inf
        if 0 < job.turn_rows < most:
            queue.appendleft(job)
        else:
            job.turn_rows = 0
            queue.append(job)

    def _queue_of(self, job: Job) -> deque[Job]:
        """Return the queue of a job, by its priority and completed rows."""
        level = bisect_right(_LEVELS[job.priority], job.done_rows)
        if level != job.level:
            job.level, job.turn_rows = level, 0  # start at the back of the new level
        return self._queues[job.priority][level]


def _count_done(job: Job, rows: int) -> None:
    """Count completed rows, or the charge for a yield."""
    job.turn_rows += rows
    job.done_rows += rows
    if job.admitted_work is not None:
        job.admitted_work.progress(rows)


def _expect(job: Job) -> None:
    """Report the number of tokens to admission control once known. Raises `Overloaded`."""
    ask = job.ask
    if job.admitted_work is not None and isinstance(ask, Step) and ask.following:
        job.admitted_work.expect(len(ask) + ask.following)


def _as_exception(error: BaseException) -> Exception:
    """Wrap an error that is not an `Exception`, such as a panic of a Rust library."""
    if isinstance(error, Exception):
        return error
    wrapped = RuntimeError(type(error).__name__)
    wrapped.__cause__ = error
    return wrapped


def _priority_order(entry: tuple[tuple[Job, ModelRequest], Any]) -> tuple[bool, bool]:
    """Return a sort key: interactive jobs first; jobs that yielded last."""
    (job, ask), _ = entry
    return len(ask) == 0, job.priority is not Priority.INTERACTIVE


def _leave(
    job: Job,
    done: Callable[[Any, BaseException | None], None],
    result: Any,
    error: BaseException | None,
) -> None:
    """Remove a job from admission control, then call its original callback."""
    job.done = done  # avoid a reference cycle that keeps the job's states in memory
    if job.admitted_work is not None:
        job.admitted_work.leave(is_done=error is None)
    done(result, error)


def _drop_reason(job: Job) -> tuple[DropReason, Exception] | None:
    """Return the reason to drop a job and the error for its owner, or None."""
    if job.cancelled():
        return DropReason.CANCELLED, Cancelled("request cancelled")
    if job.deadline is not None and monotonic() >= job.deadline:
        return DropReason.DEADLINE, DeadlineExceeded(
            "deadline exceeded before the result was ready"
        )
    return None
