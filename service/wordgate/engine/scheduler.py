"""One owner of all live work: gathers what it asks, asks once, hands the answers back.

Knows generators, classes and rows; does not know text, onnxruntime, threads or sockets. It never
waits for company: each step takes what is there. A question of more rows than one call takes is
answered in parts, so that nobody waits behind a large one.
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
from wordgate.lm.requests import Model, ModelRequest, ModelTask, Step

DEFAULT_MAX_ROWS = 64
DEFAULT_MAX_WAITING_ROWS = 20_000
LOW_PRIORITY_SHARE = 4
"""While more urgent work fills every call, one row in this many is kept for the less urgent."""

MAX_BULK_ROWS_WHILE_INTERACTIVE = 16
"""Rows of bulk work in a call while people ask, and of long jobs while short ones ask: a call of
so many takes little longer than one of a few."""

INTERACTIVE_WINDOW_SECONDS = 0.02
"""How long after a question of theirs another is expected."""

_RETRY_AFTER_SECONDS = 0.5
QUANTUM_ROWS = 1024
"""Rows of a job before others have a turn. Few jobs that are half done keep their states in the
processor's cache; a large one still cannot hold up the others for longer than this."""

_LONG_SHARE = 4
"""While jobs of fewer rows fill a call, those of more rows keep one row of it in this many."""

_LONGEST_AT_ONCE = 4
"""Interactive jobs of the most rows that share a call. A search keeps 9 KB for each of its rows:
the others of that length wait for the end of these."""

_BEGINNING_ROWS = 4
"""Rows charged to a job for which no person waits when it is begun: it may cut long texts."""

PREFETCH_BATCHES = 4
"""Calls for which questions are kept ready; work that comes behind them is begun in its turn, and
takes no memory but for its texts until then."""

YIELD_COST_ROWS = 16
"""Rows charged to a job that yields without a question; it is CPU-bound."""

_PAUSE_SECONDS = 0.0002
"""Long enough for a thread that waits for its turn to wake up."""

_SWEEP_SECONDS = 0.005
"""How often those are looked for that nobody waits for and whose turn has not come."""

SWEEP_DUTY_CYCLE = 20
"""That takes at most one second in so many: the queue may be long."""


class Priority(Enum):
    """Who waits, the most urgent first: a person who types, a program, nobody."""

    INTERACTIVE = "interactive"
    BULK = "bulk"
    BATCH = "batch"


_LEVELS: dict[Priority, tuple[int, ...]] = {
    Priority.INTERACTIVE: (16, 128, 512),
    Priority.BULK: (2 * QUANTUM_ROWS,),
    Priority.BATCH: (),
}
"""Rows from which on a job stands back behind those that have had fewer (least attained service;
Kleinrock 1976). A typed key has 3 rows, a prediction 10 to 400. Bulk requests of ordinary length
come in turn, so that few are half done."""

_UP_TO = {urgency: list(Priority)[: place + 1] for place, urgency in enumerate(Priority)}
"""Each urgency with those before it."""


class DropReason(Enum):
    """Why work was dropped before it was done."""

    CANCELLED = "cancelled"
    DEADLINE = "deadline"


@dataclass(eq=False)
class Job:
    """A generator on its way, with what it asks and the part that was already answered.

    `done` is called once, with its result or with what went wrong. `deadline` is a moment of
    `time.monotonic`. Set `cancelled` to have it dropped before the next call. `admitted` work,
    of a session that was let in before, is taken however much is waiting. `size` is how much there
    is to do beside other work of its urgency, in any unit; without one it waits however long. It
    asks for about `rows_at_once`.
    """

    model: Model
    asks: ModelTask[Any]
    done: Callable[[Any, BaseException | None], None]
    urgency: Priority = Priority.INTERACTIVE
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
        """Rows of the present question that are still to be answered; one before the first."""
        return len(self.ask) - len(self.answered) if self.started else 1


Group = list[tuple[Job, ModelRequest]]
"""Jobs of one model, each with the part of its question that is to be answered now."""


class Batch:
    """Parts of questions that are answered together, model by model.

    A job that pauses has a part of no rows. `ask` may be called by any thread, at the same time as
    that of other batches; nothing of the scheduler is touched.
    """

    def __init__(self, groups: list[Group]) -> None:
        self.groups = groups
        self.answers: list[list[Any] | Exception] = []

    def __bool__(self) -> bool:
        return bool(self.groups)

    def ask(self) -> None:
        """Have each model answer; where all pause, the other threads get their turn."""
        self.answers = [_answers(group) for group in self.groups]
        if not any(len(ask) for group in self.groups for _, ask in group):
            sleep(_PAUSE_SECONDS)


def _answers(group: Group) -> list[Any] | Exception:
    if not any(len(ask) for _, ask in group):
        return [[] for _ in group]
    try:
        answers = group[0][0].model.answer([ask for _, ask in group])
        if len(answers) != len(group):
            return ValueError(f"{len(group)} questions have {len(answers)} answers")
        return answers
    except BaseException as error:  # noqa: BLE001  whatever it is, its owners are told
        return _told(error)


class Scheduler:
    """Drives jobs, in rounds: `take` a batch, have it answered, `postprocess` the answers.

    One thread at a time may call it; batches may be answered by several at once.
    """

    def __init__(
        self,
        max_rows: int = DEFAULT_MAX_ROWS,
        max_queued_rows: int = DEFAULT_MAX_WAITING_ROWS,
        dropped: Callable[[DropReason], None] = lambda reason: None,
        waited: Callable[[Priority, float], None] = lambda urgency, seconds: None,
        admissions: Mapping[Priority, AdmissionController] | None = None,
    ) -> None:
        """`waited` is told how long each job waited for its first rows. `admissions`: who decides
        what is taken of which urgency; all is where there is none."""
        self._max_rows = max_rows
        self._admissions = admissions or {}
        self._max_waiting_rows = max_queued_rows
        self._dropped = dropped
        self._waited = waited
        self._queues: dict[Priority, list[deque[Job]]] = {
            urgency: [deque() for _ in (0, *levels)] for urgency, levels in _LEVELS.items()
        }
        self._waiting = dict.fromkeys(Priority, 0)
        self._next_sweep = 0.0
        self._people_until = 0.0

    @property
    def jobs(self) -> int:
        """How many generators are live."""
        return sum(map(self._count, Priority))

    @property
    def waiting_rows(self) -> int:
        """Rows asked for and not yet taken into a call, and one for each job that is to begin.

        May be read by any thread.
        """
        return sum(self._waiting.values())

    def admit(self, job: Job) -> None:
        """Note a job that is to be added. Raises `Overloaded` if it would wait too long.

        May be called by any thread.
        """
        admission = self._admissions.get(job.urgency)
        if admission is not None and job.size and not job.admitted:
            job.admitted_work = admission.enter(job.size, job.rows_at_once)
            job.done = partial(_leave, job, job.done)

    def add(self, job: Job) -> None:
        """Take a job, up to its first question if few wait. Raises `Overloaded` if too many do.

        What is less urgent keeps nobody out: each call has room for all.
        """
        unwanted = _drop_reason(job)
        if unwanted is not None:
            self._drop(job, *unwanted)
            return
        waiting = sum(self._waiting[urgency] for urgency in _UP_TO[job.urgency])
        if waiting >= self._max_waiting_rows and not job.admitted:
            problem = f"{waiting} rows are waiting; try again soon"
            raise Overloaded(problem, _RETRY_AFTER_SECONDS, OverloadReason.ROWS)
        rows = PREFETCH_BATCHES * self._max_rows
        is_near = len(self._queues[job.urgency][0]) < max(PREFETCH_BATCHES, rows // YIELD_COST_ROWS)
        if is_near and self._waiting[job.urgency] < rows:
            self._resume(job)
        else:
            self._queue(job)

    def step(self) -> bool:
        """One round: take, ask, hand out; whether work is left."""
        batch = self.take()
        batch.ask()
        self.postprocess(batch)
        return self.jobs > 0

    def take(self) -> "Batch":
        """What is to be asked next; those that nobody waits for are dropped.

        They are found when their turn comes, or by a look at all of them now and then.
        """
        now = monotonic()
        if now >= self._next_sweep:
            self._drop_unwanted()
            took = monotonic() - now
            self._next_sweep = now + max(_SWEEP_SECONDS, SWEEP_DUTY_CYCLE * took)
        by_model: dict[int, list[tuple[Job, ModelRequest]]] = {}
        for job, ask in self._take():
            by_model.setdefault(id(job.model), []).append((job, ask))
        return Batch(list(by_model.values()))

    def postprocess(self, batch: "Batch") -> None:
        """Send a batch's answers to those who asked, who ask on or are done."""
        for group, answers in zip(batch.groups, batch.answers, strict=True):
            self._hand_out(group, answers)

    def _drop_unwanted(self) -> None:
        for queue in chain.from_iterable(self._queues.values()):
            if not any(map(_drop_reason, queue)):
                continue
            for _ in range(len(queue)):
                job = queue.popleft()
                if not self._drop_if_unwanted(job):
                    queue.append(job)

    def _drop_if_unwanted(self, job: Job) -> bool:
        """Drop a job that was taken off its queue if nobody waits for it; whether it was."""
        unwanted = _drop_reason(job)
        if unwanted is None:
            return False
        self._waiting[job.urgency] -= job.rows
        self._drop(job, *unwanted)
        return True

    def _drop(self, job: Job, reason: DropReason, error: Exception) -> None:
        job.asks.close()
        self._dropped(reason)
        job.done(None, error)

    def _take(self) -> list[tuple[Job, ModelRequest]]:
        """Rows for one round: the more urgent ones first, a share kept for the others."""
        bulk, batch = self._wanted(Priority.BULK), self._wanted(Priority.BATCH)
        kept = min(bulk + batch, self._max_rows // LOW_PRIORITY_SHARE)
        taken, left = self._take_from(Priority.INTERACTIVE, self._max_rows - kept)
        room = left + kept
        if self._interactive_recently(bool(taken)):
            room = min(room, max(kept, MAX_BULK_ROWS_WHILE_INTERACTIVE))
        kept = min(batch, math.ceil(room / LOW_PRIORITY_SHARE))
        more, left = self._take_from(Priority.BULK, room - kept)
        rest, _ = self._take_from(Priority.BATCH, left + kept)
        return taken + more + rest

    def _wanted(self, urgency: Priority) -> int:
        """Rows that could be taken; a job that pauses counts as one."""
        return max(self._waiting[urgency], self._count(urgency))

    def _count(self, urgency: Priority) -> int:
        return sum(map(len, self._queues[urgency]))

    def _interactive_recently(self, now: bool) -> bool:
        """Whether a person asks now or has just asked."""
        moment = monotonic()
        if now:
            self._people_until = moment + INTERACTIVE_WINDOW_SECONDS
        return moment < self._people_until

    def _take_from(
        self, urgency: Priority, room: int
    ) -> tuple[list[tuple[Job, ModelRequest]], int]:
        """Parts of questions, and the room that is left."""
        longest = _LONGEST_AT_ONCE if urgency is Priority.INTERACTIVE else self._max_rows
        return self._take_levels(self._queues[urgency], room, longest)

    def _take_levels(
        self, levels: list[deque[Job]], room: int, longest: int
    ) -> tuple[list[tuple[Job, ModelRequest]], int]:
        """Parts of questions, those of the jobs of fewest rows first, a share kept for the others.

        Of the last level at most `longest` jobs. Also the room that is left.
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
        """Parts of questions in order of arrival, off a queue; and the room that is left."""
        taken: list[tuple[Job, ModelRequest]] = []
        while queue and room > 0 and len(taken) != most_jobs:
            job = queue.popleft()
            if self._drop_if_unwanted(job):
                continue
            beginning = 0
            if not job.started:
                beginning = 0 if job.urgency is Priority.INTERACTIVE else _BEGINNING_ROWS
                if not self._begin(job):
                    room -= beginning or 1
                    continue
            if not job.taken:
                job.taken = True
                self._waited(job.urgency, monotonic() - job.came_at)
            first = len(job.answered)
            part = job.ask.part(first, min(len(job.ask), first + room))
            self._waiting[job.urgency] -= len(part)
            taken.append((job, part))
            room -= max(len(part) or YIELD_COST_ROWS, beginning)
        return taken, max(0, room)  # what pauses may count as more than there was

    def _hand_out(self, group: "Group", answers: list[Any] | Exception) -> None:
        if isinstance(answers, Exception):
            for job, part in group:
                self._waiting[job.urgency] -= job.rows - len(part)
                job.asks.close()
                job.done(None, answers)
            return
        answered = reversed(list(zip(group, answers, strict=True)))
        for (job, _), answer in sorted(answered, key=_priority_order):
            job.answered.extend(answer)
            _count_done(job, len(answer) or YIELD_COST_ROWS)
            if job.rows and job.urgency is Priority.BATCH:
                self._queue_of(job).appendleft(job)
            elif job.rows:
                self._queue_of(job).append(job)
            else:
                self._resume(job)

    def _begin(self, job: Job) -> bool:
        """Run a job that waited to its first question; whether it has one."""
        self._waiting[job.urgency] -= job.rows
        if not self._run_on(job):
            return False
        self._waiting[job.urgency] += job.rows
        return True

    def _resume(self, job: Job) -> None:
        if self._run_on(job):
            self._queue(job)

    def _run_on(self, job: Job) -> bool:
        """Send the complete answer; run on to the next question, or to the end: False."""
        complete, job.answered = job.answered, []
        try:
            job.ask = job.asks.send(complete) if job.started else next(job.asks)
            job.started = True
            _expect(job)
        except StopIteration as stop:
            job.done(stop.value, None)
        except BaseException as error:  # noqa: BLE001  whatever it is, its owner is told
            job.asks.close()
            job.done(None, _told(error))
        else:
            return True
        return False

    def _queue(self, job: Job) -> None:
        """Back to the front while its turn lasts, so that few are half done; then to the end.

        Turns of bulk work end after some rows. Those of batch work and of searches last to the end.
        """
        self._waiting[job.urgency] += job.rows
        queue = self._queue_of(job)
        most = QUANTUM_ROWS if job.urgency is Priority.BULK else math.inf
        if 0 < job.turn_rows < most:
            queue.appendleft(job)
        else:
            job.turn_rows = 0
            queue.append(job)

    def _queue_of(self, job: Job) -> deque[Job]:
        """The queue that a job stands in by the rows that it has had."""
        level = bisect_right(_LEVELS[job.urgency], job.done_rows)
        if level != job.level:
            job.level, job.turn_rows = level, 0  # behind those that came to this level before
        return self._queues[job.urgency][level]


def _count_done(job: Job, rows: int) -> None:
    """Count rows that were answered, or a pause."""
    job.turn_rows += rows
    job.done_rows += rows
    if job.admitted_work is not None:
        job.admitted_work.progress(rows)


def _expect(job: Job) -> None:
    """Have admission know the pieces of a text once it is cut. Raises `Overloaded`."""
    ask = job.ask
    if job.admitted_work is not None and isinstance(ask, Step) and ask.following:
        job.admitted_work.expect(len(ask) + ask.following)


def _told(error: BaseException) -> Exception:
    """An error as its owner is told of it: a panic of a library in Rust is no `Exception`."""
    if isinstance(error, Exception):
        return error
    found = RuntimeError(type(error).__name__)
    found.__cause__ = error
    return found


def _priority_order(entry: tuple[tuple[Job, ModelRequest], Any]) -> tuple[bool, bool]:
    """Those for whom a person waits come first, those that paused come last."""
    (job, ask), _ = entry
    return len(ask) == 0, job.urgency is not Priority.INTERACTIVE


def _leave(
    job: Job,
    done: Callable[[Any, BaseException | None], None],
    result: Any,
    error: BaseException | None,
) -> None:
    """Make room for other work, then tell the owner."""
    job.done = done  # else the job would hold itself, and all its states, in memory
    if job.admitted_work is not None:
        job.admitted_work.leave(is_done=error is None)
    done(result, error)


def _drop_reason(job: Job) -> tuple[DropReason, Exception] | None:
    """Why nobody waits for a job any more, and what its owner is told; or None."""
    if job.cancelled():
        return DropReason.CANCELLED, Cancelled("nobody waits any more")
    if job.deadline is not None and monotonic() >= job.deadline:
        return DropReason.DEADLINE, DeadlineExceeded(
            "the deadline passed before the answer was there"
        )
    return None
