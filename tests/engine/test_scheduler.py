"""The scheduler: admission, dropped jobs, and one callback per job."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.clock import Clock
from tests.engine.jobs import Counting, Failing, Outcome, finish_all, read, recording, submit, wide
from tests.fake_model import FakeModel

from wordgate.engine.admission import AdmissionController
from wordgate.engine.job import DropReason, Job, Priority
from wordgate.engine.scheduler import Scheduler
from wordgate.errors import Cancelled, DeadlineExceeded, Overloaded
from wordgate.lm.requests import (
    YIELD,
    ModelRequest,
    ModelTask,
    Prefill,
    Step,
)


@pytest.fixture
def clock() -> Clock:
    """A clock that only moves when a test sets it."""
    return Clock()


def test_batch_jobs_do_not_block_admission_of_others() -> None:
    """Queued batch rows do not cause rejection of bulk jobs, but the reverse holds."""
    model, scheduler = Counting(), recording(max_rows=8, max_queued_rows=10)
    submit(scheduler, model, wide(10), priority=Priority.BATCH)
    submit(scheduler, model, wide(10), priority=Priority.NORMAL)
    submit(scheduler, model, wide(10))
    _, refused = submit(scheduler, model, wide(1), priority=Priority.BATCH)
    assert isinstance(refused.error, Overloaded)


def test_a_job_that_yields_reports_progress(clock: Clock) -> None:
    """Long tokenization counts as progress, so other jobs are not rejected."""

    def works() -> ModelTask[None]:
        while True:
            clock.now += 0.001
            yield YIELD

    admission = AdmissionController(0.05, 0, quantum=100, row_size=1.0, clock=clock)
    scheduler = recording(admissions={Priority.NORMAL: admission})
    model = Counting()
    job = Job(model, works(), Outcome(), Priority.NORMAL, size=1e6)
    scheduler.submit(job)
    for _ in range(5000):
        scheduler.step()
    small = Job(model, wide(1), Outcome(), Priority.NORMAL, size=50)
    scheduler.submit(small)


def test_admission_control_learns_the_number_of_tokens(clock: Clock) -> None:
    """A prefill announces its tokens; a job behind others is then rejected."""
    model = Counting()

    def reading() -> ModelTask[None]:
        yield YIELD
        yield Prefill(model.start, [1] * 1000)

    admission = AdmissionController(0.01, 0, quantum=64, most_rows=64, clock=clock)
    scheduler = recording(admissions={Priority.INTERACTIVE: admission})
    outcomes = []
    for _ in range(4):
        outcomes.append(Outcome())
        job = Job(model, reading(), outcomes[-1], size=1)
        scheduler.submit(job)
        for _ in range(5):
            scheduler.step()
            clock.now += 0.001
    errors = [outcome.error for outcome in outcomes]
    assert [type(error) for error in errors] == [type(None), *[Overloaded] * 3]
    assert [outcome.calls for outcome in outcomes] == [0, 1, 1, 1]
    assert scheduler.jobs == 1


def test_jobs_far_back_in_the_queue_are_not_started() -> None:
    """Requests are prepared for the next batches only; a job not started counts as one row."""
    model, scheduler = Counting(), recording(max_rows=8)
    begun: list[int] = []

    def noting(number: int) -> ModelTask[list[float]]:
        begun.append(number)
        return (yield from wide(8))

    outcomes = [submit(scheduler, model, noting(number))[1] for number in range(10)]
    assert begun == [0, 1, 2, 3]
    assert scheduler.queued_rows == 4 * 8 + 6
    finish_all(scheduler)
    assert begun == list(range(10))
    assert [outcome.calls for outcome in outcomes] == [1] * 10
    assert (scheduler.queued_rows, scheduler.jobs) == (0, 0)


def test_jobs_not_yet_started_can_be_dropped_and_fail() -> None:
    """Each callback is called once, and other jobs complete."""
    dropped: list[DropReason] = []
    model, scheduler = Counting(), recording(max_rows=8, dropped=dropped.append)

    def wrong() -> ModelTask[None]:
        int("no number")
        yield YIELD

    first = [submit(scheduler, model, wide(8))[1] for _ in range(4)]
    unwanted: list[bool] = []
    _, cancelled = submit(scheduler, model, wide(8), cancelled=lambda: bool(unwanted))
    _, failed = submit(scheduler, model, wrong())
    _, last = submit(scheduler, model, wide(8))
    unwanted.append(True)
    finish_all(scheduler)
    assert isinstance(cancelled.error, Cancelled)
    assert isinstance(failed.error, ValueError)
    assert [outcome.calls for outcome in (*first, cancelled, failed, last)] == [1] * 7
    assert last.result is not None
    assert (scheduler.queued_rows, dropped) == (0, [DropReason.CANCELLED])


def test_jobs_that_end_on_start_do_not_block_others() -> None:
    """A round starts at most one batch of jobs that end without a request."""
    ends = 0

    def ending() -> ModelTask[None]:
        nonlocal ends
        ends += 1
        yield from ()

    model, scheduler = Counting(), recording(max_rows=8)
    for _ in range(4):
        submit(scheduler, model, wide(8))
    outcomes = [submit(scheduler, model, ending())[1] for _ in range(100)]
    while scheduler.jobs:
        before = ends
        scheduler.step()
        assert ends - before <= 8
    assert [outcome.calls for outcome in outcomes] == [1] * 100


@pytest.mark.parametrize("end", ["done", "failed", "cancelled"])
def test_a_job_leaves_admission_control_when_it_ends(end: str) -> None:
    """A completed, failed or cancelled job no longer blocks admission."""
    scheduler = recording(admissions={Priority.NORMAL: AdmissionController(0.0, 1)})
    model: FakeModel = Failing() if end == "failed" else Counting()
    unwanted: list[bool] = []

    def job() -> Job:
        return Job(
            model, wide(8), Outcome(), Priority.NORMAL, cancelled=lambda: bool(unwanted), size=1
        )

    scheduler.submit(job())
    assert _refused(scheduler, job)
    if end == "cancelled":
        unwanted.append(True)
    finish_all(scheduler)
    assert not _refused(scheduler, job)


def test_admitted_jobs_and_jobs_without_size_are_not_counted() -> None:
    """Such jobs are never rejected and do not block others."""
    scheduler = recording(admissions={Priority.NORMAL: AdmissionController(0.0, 1)})
    model = Counting()
    for options in ({"admitted": True, "size": 1.0}, {}) * 3:
        scheduler.submit(Job(model, wide(1), Outcome(), Priority.NORMAL, **options))  # type: ignore[arg-type]
    assert not _refused(scheduler, lambda: Job(model, wide(1), Outcome(), Priority.NORMAL, size=1))


def _refused(scheduler: Scheduler, job: Callable[[], Job]) -> bool:
    try:
        scheduler.submit(job())
    except Overloaded:
        return True
    return False


def test_a_cancelled_job_is_dropped_without_effect_on_others() -> None:
    """A cancelled job gets no further rows; the others in its batch complete."""
    dropped: list[DropReason] = []
    model, scheduler = Counting(), recording(max_rows=8, dropped=dropped.append)
    unwanted: list[bool] = []
    closed: list[str] = []

    def noticing() -> ModelTask[None]:
        try:
            yield from wide(40)
        finally:
            closed.append("closed")

    _, cancelled = submit(scheduler, model, noticing(), cancelled=lambda: bool(unwanted))
    _, first = submit(scheduler, model, read(1, 2))
    scheduler.step()
    unwanted.append(True)
    finish_all(scheduler)
    assert isinstance(cancelled.error, Cancelled)
    assert (cancelled.calls, closed, dropped) == (1, ["closed"], [DropReason.CANCELLED])
    assert first.result == [model.log_prob(-1, 1), model.log_prob(1, 2)]
    assert model.sizes == [[8], [1], [1], [1], [1]]
    assert scheduler.queued_rows == 0


def test_expired_jobs_are_dropped() -> None:
    """A job past its deadline fails before the next batch; others continue."""
    dropped: list[DropReason] = []
    model, scheduler = Counting(), recording(dropped=dropped.append)
    _, late = submit(scheduler, model, read(1, 2), deadline=0.0)
    _, early = submit(scheduler, model, read(1, 2), deadline=math.inf)
    finish_all(scheduler)
    assert isinstance(late.error, DeadlineExceeded)
    assert early.result is not None
    assert dropped == [DropReason.DEADLINE]
    assert model.sizes == [[1]] * 4


def test_jobs_beyond_the_queue_limit_are_rejected() -> None:
    """The rejection has a retry time; accepted jobs complete."""
    model, scheduler = Counting(), recording(max_rows=8, max_queued_rows=10)
    _, taken = submit(scheduler, model, wide(10))
    _, refused = submit(scheduler, model, wide(1))
    assert isinstance(refused.error, Overloaded)
    assert refused.error.retry_after_seconds > 0
    scheduler.step()
    _, later = submit(scheduler, model, wide(1))
    finish_all(scheduler)
    assert len(taken.result) == 10
    assert len(later.result) == 1


def test_admitted_jobs_bypass_the_queue_limit() -> None:
    """An accepted session is not rejected later."""
    model, scheduler = Counting(), recording(max_rows=8, max_queued_rows=10)
    submit(scheduler, model, wide(10))
    _, admitted = submit(scheduler, model, wide(1), admitted=True)
    finish_all(scheduler)
    assert len(admitted.result) == 1


def test_expired_and_cancelled_jobs_are_not_started() -> None:
    """A job that is expired or cancelled on arrival is dropped without a model request."""
    dropped: list[DropReason] = []
    model, scheduler = Counting(), recording(dropped=dropped.append)
    _, late = submit(scheduler, model, wide(1), deadline=0.0)
    _, cancelled = submit(scheduler, model, wide(1), cancelled=lambda: True)
    assert isinstance(late.error, DeadlineExceeded)
    assert isinstance(cancelled.error, Cancelled)
    assert dropped == [DropReason.DEADLINE, DropReason.CANCELLED]
    assert scheduler.jobs == 0


def test_a_yielding_job_can_be_cancelled() -> None:
    """Cancellation also ends jobs without model requests."""

    def works() -> ModelTask[None]:
        while True:
            yield YIELD

    scheduler = recording()
    gone = False
    _, outcome = submit(scheduler, Counting(), works(), cancelled=lambda: gone)
    scheduler.step()
    gone = True
    finish_all(scheduler)
    assert isinstance(outcome.error, Cancelled)


class Flaky(Counting):
    """A fake model that fails on some batches."""

    def __init__(self, failing: frozenset[int]) -> None:
        super().__init__()
        self._failing = failing

    def answer(self, request: ModelRequest) -> list[Any]:
        """Answer like the fake model, or raise an error if this batch is to fail."""
        if len(self.sizes) in self._failing:
            raise RuntimeError("out of memory")
        return super().answer(request)


@dataclass(frozen=True)
class Plan:
    """The plan of a job: rows per request (0 is a yield), and how the job ends."""

    priority: Priority
    questions: list[int]
    comes_at: int
    cancelled_at: int
    model: int
    fails: bool
    is_late: bool
    admitted: bool
    size: float

    def asks(self) -> ModelTask[int]:
        """Yield the planned requests, then fail or return the number of rows."""
        for rows in self.questions:
            yield (Step([(row % 9, 1) for row in range(rows)]) if rows else YIELD)
        if self.fails:
            raise ValueError("a bug")
        return sum(self.questions)


_PLANS = st.builds(
    Plan,
    priority=st.sampled_from(Priority),
    questions=st.lists(st.sampled_from([0, 1, 2, 7, 8, 9, 40]), max_size=5),
    comes_at=st.integers(0, 10),
    cancelled_at=st.integers(0, 40),
    model=st.integers(0, 1),
    fails=st.booleans(),
    is_late=st.sampled_from([False, False, False, True]),
    admitted=st.booleans(),
    size=st.sampled_from([0.0, 1.0, 100.0]),
)


@settings(max_examples=200, deadline=None)
@given(
    plans=st.lists(_PLANS, max_size=40),
    failing=st.frozensets(st.integers(0, 20), max_size=3),
    in_flight=st.integers(1, 3),
)
def test_every_job_calls_back_exactly_once(
    plans: list[Plan], failing: frozenset[int], in_flight: int
) -> None:
    """Completed, failed, cancelled, expired and rejected jobs leave nothing behind."""
    admissions = {priority: AdmissionController(1.0, 4) for priority in Priority}
    scheduler = recording(max_rows=8, max_queued_rows=100, admissions=admissions)
    models = Counting(), Flaky(failing)
    moment = 0
    outcomes = [Outcome() for _ in plans]

    def begin(plan: Plan, outcome: Outcome) -> None:
        job = Job(
            models[plan.model],
            plan.asks(),
            outcome,
            plan.priority,
            deadline=0.0 if plan.is_late else None,
            cancelled=lambda: moment >= plan.cancelled_at,
            admitted=plan.admitted,
            size=plan.size,
        )
        try:
            scheduler.submit(job)
        except Overloaded as error:
            outcome(None, error)

    batches: list[Any] = []
    while moment <= 10 or scheduler.jobs or batches:
        for plan, outcome in zip(plans, outcomes, strict=True):
            if plan.comes_at == moment:
                begin(plan, outcome)
        batches.append(scheduler.schedule())
        while len(batches) == in_flight or (batches and not scheduler.jobs):
            batch = batches.pop(0)
            batch.run()
            scheduler.complete(batch)
        assert scheduler.queued_rows >= 0
        moment += 1
    for plan, outcome in zip(plans, outcomes, strict=True):
        assert outcome.calls == 1
        assert outcome.error is not None or outcome.result == sum(plan.questions)
    assert scheduler.queued_rows == 0
    for admission in admissions.values():
        assert admission.wait_seconds == 0.0
        for _ in range(4):
            admission.acquire(1e9)
