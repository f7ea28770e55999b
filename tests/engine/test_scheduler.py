"""The scheduler: batching, splitting, priorities, dropped jobs and failures."""

import gc
import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.clock import Clock
from tests.fake_model import FakeModel

from wordgate.engine.admission import AdmissionController
from wordgate.engine.batch import Batch
from wordgate.engine.job import DropReason, Job, Priority
from wordgate.engine.scheduler import Scheduler
from wordgate.engine.scheduler_policy import SchedulerPolicy
from wordgate.errors import Cancelled, DeadlineExceeded, Overloaded
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import (
    YIELD,
    ModelRequest,
    ModelTask,
    OutputRows,
    Prefill,
    Step,
    TokenLogProbs,
)

LEVELS = AdaptiveSoftmaxLayout((4, 9))


@pytest.fixture
def clock() -> Clock:
    """A clock that only moves when a test sets it."""
    return Clock()


class Counting(FakeModel):
    """A fake model, with the sizes of the requests in each of its batches (see `Recording`)."""

    def __init__(self) -> None:
        super().__init__(LEVELS, FakeModel.random(LEVELS, 0).probabilities)
        self.sizes: list[list[int]] = []


class Failing(FakeModel):
    """A model that always fails."""

    def __init__(self) -> None:
        super().__init__(LEVELS, FakeModel.random(LEVELS, 0).probabilities)

    def answer(self, request: ModelRequest) -> list[Any]:
        """Raise an error."""
        raise RuntimeError("out of memory")


class Recording(Scheduler):
    """A scheduler that records each batch in the `sizes` of its models."""

    def schedule(self) -> Batch:
        """Schedule and record a batch. Models without rows are left out."""
        batch = super().schedule()
        for model in {id(job.model): job.model for job in batch.jobs}.values():
            sizes = [len(job.part) for job in batch.jobs if job.model is model]
            if isinstance(model, Counting) and any(sizes):
                model.sizes.append(sizes)
        return batch


def _scheduler(max_rows: int = 64, max_queued_rows: int = 20_000, **options: Any) -> Scheduler:
    return Recording(SchedulerPolicy(max_rows=max_rows, max_queued_rows=max_queued_rows), **options)


class Outcome:
    """Result or error of a job; `calls` counts calls of its callback."""

    def __init__(self) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.calls = 0

    def __call__(self, result: Any, error: BaseException | None) -> None:
        """Record the result or error."""
        self.result, self.error = result, error
        self.calls += 1


def _read(*pieces: int) -> ModelTask[list[float]]:
    """Return log-probabilities of tokens, with one request after another."""
    found, state = [], -1
    for piece in pieces:
        [value] = yield TokenLogProbs([(state, piece)])
        found.append(value)
        [state] = yield Step([(state, piece)])
    return found


def _wide(rows: int, piece: int = 1) -> ModelTask[list[float]]:
    """Yield one request with many rows."""
    answer: list[float] = yield TokenLogProbs([(row % 9, piece) for row in range(rows)])
    return answer


def _deep(rows: int, questions: int) -> ModelTask[None]:
    """Yield several requests with `rows` rows each."""
    for _ in range(questions):
        yield Step([(row % 9, 1) for row in range(rows)])


def _submit(
    scheduler: Scheduler, model: FakeModel, asks: ModelTask[Any], **options: Any
) -> tuple[Job, Outcome]:
    outcome = Outcome()
    job = Job(model, asks, outcome, **options)
    scheduler.submit(job)
    scheduler.receive()
    return job, outcome


def _finish(scheduler: Scheduler) -> int:
    """Run until no job is left; return the number of rounds."""
    rounds = 1
    while scheduler.step():
        rounds += 1
    return rounds


def test_requests_of_two_jobs_share_a_batch() -> None:
    """Concurrent jobs are batched, and each gets its own results."""
    model, scheduler = Counting(), _scheduler()
    _, one = _submit(scheduler, model, _read(1, 5, 2))
    _, other = _submit(scheduler, model, _read(3, 3, 8))
    _finish(scheduler)
    assert model.sizes == [[1, 1]] * 6
    assert one.result == [model.log_prob(-1, 1), model.log_prob(1, 5), model.log_prob(5, 2)]
    assert other.result == [model.log_prob(-1, 3), model.log_prob(3, 3), model.log_prob(3, 8)]
    assert (one.calls, other.calls) == (1, 1)
    assert scheduler.jobs == scheduler.queued_rows == 0


def test_requests_of_different_kinds_share_a_round() -> None:
    """A round runs requests of all kinds."""

    def rows() -> ModelTask[int]:
        answer = yield OutputRows([(2, 1), (3, 0)])
        return len(answer)

    model, scheduler = Counting(), _scheduler()
    _, one = _submit(scheduler, model, rows())
    _, other = _submit(scheduler, model, _wide(3))
    _finish(scheduler)
    assert model.sizes == [[2, 3]]
    assert one.result == 2
    assert len(other.result) == 3


def test_a_large_request_is_split_over_batches() -> None:
    """More rows than a batch holds are split, and results are joined in order."""
    model, scheduler = Counting(), _scheduler(max_rows=8)
    _, outcome = _submit(scheduler, model, _wide(30))
    assert scheduler.queued_rows == 30
    scheduler.step()
    assert scheduler.queued_rows == 22
    _finish(scheduler)
    assert model.sizes == [[8], [8], [8], [6]]
    assert outcome.result == [model.log_prob(row % 9, 1) for row in range(30)]
    assert scheduler.queued_rows == 0


def test_a_panic_ends_only_its_own_job() -> None:
    """The engine thread survives a panic of a Rust library, which is not an `Exception`."""

    class PanicError(BaseException):
        """A panic as raised by PyO3."""

    def panicking() -> ModelTask[None]:
        yield Step([(0, 1)])
        raise PanicError

    model, scheduler = Counting(), _scheduler()
    _, panicked = _submit(scheduler, model, panicking())
    _, other = _submit(scheduler, model, _wide(3))
    _finish(scheduler)
    assert isinstance(panicked.error, RuntimeError)
    assert len(other.result) == 3


def test_a_job_keeps_running_within_its_time_slice() -> None:
    """Jobs that fill batches run one after the other, so few are in progress."""
    model, scheduler = Counting(), _scheduler(max_rows=8)
    outcomes = [
        _submit(scheduler, model, _deep(8, 5), priority=Priority.NORMAL)[1] for _ in range(3)
    ]
    done = []
    for _ in range(15):
        scheduler.step()
        done.append([outcome.calls for outcome in outcomes])
    assert done[4] == [1, 0, 0]
    assert done[9] == [1, 1, 0]
    assert done[14] == [1, 1, 1]


def test_a_time_slice_ends() -> None:
    """A job with very many requests lets others run."""
    model, scheduler = Counting(), _scheduler(max_rows=64)
    _submit(scheduler, model, _deep(64, 1000))
    _, small = _submit(scheduler, model, _deep(64, 2))
    for _ in range(20):
        scheduler.step()
    assert small.calls == 1


def test_a_small_request_does_not_wait_for_a_large_one() -> None:
    """A small job behind a large one of its priority ends in the second round."""
    model, scheduler = Counting(), _scheduler(max_rows=8)
    _submit(scheduler, model, _wide(100))
    _, small = _submit(scheduler, model, _wide(1))
    scheduler.step()
    scheduler.step()
    assert small.calls == 1


def test_interactive_jobs_go_first_but_leave_bulk_jobs_a_share() -> None:
    """Interactive rows fill a batch except for a quarter that is reserved for bulk jobs."""
    model, scheduler = Counting(), _scheduler(max_rows=8)
    _submit(scheduler, model, _wide(20), priority=Priority.NORMAL)
    _submit(scheduler, model, _wide(20))
    _finish(scheduler)
    assert model.sizes[:3] == [[6, 2]] * 3
    assert sum(map(sum, model.sizes)) == 40


@pytest.mark.parametrize("priority", Priority)
def test_a_priority_alone_has_the_whole_batch(priority: Priority) -> None:
    """No rows are reserved for priorities without jobs."""
    model, scheduler = Counting(), _scheduler(max_rows=8)
    _submit(scheduler, model, _wide(16), priority=priority)
    _finish(scheduler)
    assert model.sizes == [[8], [8]]


def test_batch_jobs_have_the_rows_left_and_a_share() -> None:
    """A quarter of the rows that interactive jobs leave is reserved for batch jobs."""
    model, scheduler = Counting(), _scheduler(max_rows=16)
    _submit(scheduler, model, _wide(100), priority=Priority.BATCH)
    _submit(scheduler, model, _wide(24), priority=Priority.NORMAL)
    _finish(scheduler)
    assert model.sizes[:3] == [[12, 4], [12, 4], [16]]
    assert sum(map(sum, model.sizes)) == 124


def test_batch_jobs_do_not_block_admission_of_others() -> None:
    """Queued batch rows do not cause rejection of bulk jobs, but the reverse holds."""
    model, scheduler = Counting(), _scheduler(max_rows=8, max_queued_rows=10)
    _submit(scheduler, model, _wide(10), priority=Priority.BATCH)
    _submit(scheduler, model, _wide(10), priority=Priority.NORMAL)
    _submit(scheduler, model, _wide(10))
    _, refused = _submit(scheduler, model, _wide(1), priority=Priority.BATCH)
    assert isinstance(refused.error, Overloaded)


def test_short_jobs_go_before_long_jobs() -> None:
    """Jobs with thousands of completed rows leave the next batches to a short job."""
    model, scheduler = Counting(), _scheduler(max_rows=64)
    for _ in range(2):
        _submit(scheduler, model, _deep(500, 1000), priority=Priority.NORMAL)
    for _ in range(100):
        scheduler.step()
    _, small = _submit(scheduler, model, _deep(5, 20), priority=Priority.NORMAL)
    model.sizes.clear()
    rounds = 0
    while not small.calls:
        scheduler.step()
        rounds += 1
    assert rounds <= 21
    assert all(sum(sizes) <= 5 + 16 for sizes in model.sizes[1:])


def test_predictions_with_few_completed_rows_go_first() -> None:
    """A prediction does not wait for sessions with many rows, however many there are."""
    model, scheduler = Counting(), _scheduler()
    for _ in range(100):
        _submit(scheduler, model, _deep(2, 2000), admitted=True)
    for _ in range(500):
        scheduler.step()
    _, outcome = _submit(scheduler, model, _deep(2, 5))
    for _ in range(8):
        scheduler.step()
    assert outcome.calls == 1


def test_few_of_the_longest_searches_are_in_progress() -> None:
    """Long searches use memory per row, so others wait until the first ones end."""
    model, scheduler = Counting(), _scheduler()
    jobs = [_submit(scheduler, model, _deep(2, 2000), admitted=True)[0] for _ in range(50)]
    for _ in range(3000):
        scheduler.step()
        assert sum(512 < job.done_rows < 4000 for job in jobs) <= 4
    assert all(job.done_rows >= 512 for job in jobs)


def test_long_jobs_keep_a_share_while_short_jobs_fill_batches() -> None:
    """A long job ends even if short jobs keep arriving."""
    model, scheduler = Counting(), _scheduler(max_rows=64)
    _, long = _submit(scheduler, model, _deep(64, 40), priority=Priority.NORMAL)
    for _ in range(35):
        scheduler.step()
    for _ in range(40):
        _submit(scheduler, model, _wide(64), priority=Priority.NORMAL)
        scheduler.step()
    assert long.calls == 1


def test_a_yield_does_not_end_a_time_slice() -> None:
    """A job that yields during tokenization is not moved to the back of the queue."""

    def works() -> ModelTask[None]:
        for _ in range(3):
            yield YIELD
        yield from _deep(64, 2)

    model, scheduler = Counting(), _scheduler(max_rows=64)
    outcomes = [_submit(scheduler, model, works(), priority=Priority.NORMAL)[1] for _ in range(8)]
    order: list[int] = []
    while scheduler.step():
        order += [n for n, outcome in enumerate(outcomes) if outcome.calls and n not in order]
    order += [n for n in range(8) if n not in order]
    assert order == list(range(8))


def test_a_job_that_yields_reports_progress(clock: Clock) -> None:
    """Long tokenization counts as progress, so other jobs are not rejected."""

    def works() -> ModelTask[None]:
        while True:
            clock.now += 0.001
            yield YIELD

    admission = AdmissionController(0.05, 0, quantum=100, row_size=1.0, clock=clock)
    scheduler = _scheduler(admissions={Priority.NORMAL: admission})
    model = Counting()
    job = Job(model, works(), Outcome(), Priority.NORMAL, size=1e6)
    scheduler.submit(job)
    for _ in range(5000):
        scheduler.step()
    small = Job(model, _wide(1), Outcome(), Priority.NORMAL, size=50)
    scheduler.submit(small)


def test_admission_control_learns_the_number_of_tokens(clock: Clock) -> None:
    """A prefill announces its tokens; a job behind others is then rejected."""
    model = Counting()

    def reading() -> ModelTask[None]:
        yield YIELD
        yield Prefill(model.start, [1] * 1000)

    admission = AdmissionController(0.01, 0, quantum=64, most_rows=64, clock=clock)
    scheduler = _scheduler(admissions={Priority.INTERACTIVE: admission})
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


def test_batch_jobs_run_one_after_the_other() -> None:
    """Few batch jobs are in progress at a time, which saves memory."""
    model, scheduler = Counting(), _scheduler(max_rows=8)
    jobs = [_submit(scheduler, model, _wide(20), priority=Priority.BATCH)[1] for _ in range(3)]
    done = []
    for _ in range(8):
        scheduler.step()
        done.append([outcome.calls for outcome in jobs])
    assert done[2] == [1, 0, 0]
    assert done[-1] == [1, 1, 1]


def test_jobs_far_back_in_the_queue_are_not_started() -> None:
    """Requests are prepared for the next batches only; a job not started counts as one row."""
    model, scheduler = Counting(), _scheduler(max_rows=8)
    begun: list[int] = []

    def noting(number: int) -> ModelTask[list[float]]:
        begun.append(number)
        return (yield from _wide(8))

    outcomes = [_submit(scheduler, model, noting(number))[1] for number in range(10)]
    assert begun == [0, 1, 2, 3]
    assert scheduler.queued_rows == 4 * 8 + 6
    _finish(scheduler)
    assert begun == list(range(10))
    assert [outcome.calls for outcome in outcomes] == [1] * 10
    assert (scheduler.queued_rows, scheduler.jobs) == (0, 0)


def test_jobs_not_yet_started_can_be_dropped_and_fail() -> None:
    """Each callback is called once, and other jobs complete."""
    dropped: list[DropReason] = []
    model, scheduler = Counting(), _scheduler(max_rows=8, dropped=dropped.append)

    def wrong() -> ModelTask[None]:
        int("no number")
        yield YIELD

    first = [_submit(scheduler, model, _wide(8))[1] for _ in range(4)]
    unwanted: list[bool] = []
    _, cancelled = _submit(scheduler, model, _wide(8), cancelled=lambda: bool(unwanted))
    _, failed = _submit(scheduler, model, wrong())
    _, last = _submit(scheduler, model, _wide(8))
    unwanted.append(True)
    _finish(scheduler)
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

    model, scheduler = Counting(), _scheduler(max_rows=8)
    for _ in range(4):
        _submit(scheduler, model, _wide(8))
    outcomes = [_submit(scheduler, model, ending())[1] for _ in range(100)]
    while scheduler.jobs:
        before = ends
        scheduler.step()
        assert ends - before <= 8
    assert [outcome.calls for outcome in outcomes] == [1] * 100


def test_many_cancelled_jobs_are_dropped_at_once() -> None:
    """Cancelling half of a long queue costs a few checks per job, and the rest completes."""
    unwanted, checks = False, 0

    def is_unwanted() -> bool:
        nonlocal checks
        checks += 1
        return unwanted

    model, scheduler = Counting(), _scheduler(max_queued_rows=100_000)
    kept = []
    for _ in range(20_000):
        _submit(scheduler, model, _wide(1), cancelled=is_unwanted)
        kept.append(_submit(scheduler, model, _wide(1))[1])
    unwanted = True
    checks = 0
    batch = scheduler.schedule()
    assert checks < 3 * 20_000
    assert scheduler.jobs == 20_000 - 64
    batch.run()
    scheduler.complete(batch)
    _finish(scheduler)
    assert all(outcome.calls == 1 and outcome.error is None for outcome in kept)


def test_queueing_delay_is_reported_once_per_job() -> None:
    """The delay ends when the first row of a job is in a batch."""
    waits: list[Priority] = []
    scheduler = _scheduler(max_rows=8, waited=lambda priority, seconds: waits.append(priority))
    model = Counting()
    _submit(scheduler, model, _deep(20, 3))
    _submit(scheduler, model, _deep(20, 3), priority=Priority.BATCH)
    _finish(scheduler)
    assert sorted(waits, key=lambda each: each.value) == [Priority.BATCH, Priority.INTERACTIVE]


@pytest.mark.parametrize("end", ["done", "failed", "cancelled"])
def test_a_job_leaves_admission_control_when_it_ends(end: str) -> None:
    """A completed, failed or cancelled job no longer blocks admission."""
    scheduler = _scheduler(admissions={Priority.NORMAL: AdmissionController(0.0, 1)})
    model: FakeModel = Failing() if end == "failed" else Counting()
    unwanted: list[bool] = []

    def job() -> Job:
        return Job(
            model, _wide(8), Outcome(), Priority.NORMAL, cancelled=lambda: bool(unwanted), size=1
        )

    scheduler.submit(job())
    assert _refused(scheduler, job)
    if end == "cancelled":
        unwanted.append(True)
    _finish(scheduler)
    assert not _refused(scheduler, job)


def test_a_completed_job_is_freed_at_once() -> None:
    """A job is not part of a reference cycle, so it is freed without garbage collection."""
    scheduler = _scheduler(admissions={Priority.NORMAL: AdmissionController(0.0, 1)})
    job = Job(Counting(), _wide(8), Outcome(), Priority.NORMAL, size=1)
    gone = weakref.ref(job)
    scheduler.submit(job)
    del job
    gc.disable()
    try:
        _finish(scheduler)
        assert gone() is None
    finally:
        gc.enable()


def test_admitted_jobs_and_jobs_without_size_are_not_counted() -> None:
    """Such jobs are never rejected and do not block others."""
    scheduler = _scheduler(admissions={Priority.NORMAL: AdmissionController(0.0, 1)})
    model = Counting()
    for options in ({"admitted": True, "size": 1.0}, {}) * 3:
        scheduler.submit(Job(model, _wide(1), Outcome(), Priority.NORMAL, **options))  # type: ignore[arg-type]
    assert not _refused(scheduler, lambda: Job(model, _wide(1), Outcome(), Priority.NORMAL, size=1))


def _refused(scheduler: Scheduler, job: Callable[[], Job]) -> bool:
    try:
        scheduler.submit(job())
    except Overloaded:
        return True
    return False


def test_bulk_jobs_have_the_rows_left_by_interactive_jobs() -> None:
    """Unused interactive rows go to bulk jobs, beyond their reserved share."""
    model, scheduler = Counting(), _scheduler(max_rows=8)
    _submit(scheduler, model, _wide(20), priority=Priority.NORMAL)
    _submit(scheduler, model, _wide(1))
    scheduler.step()
    assert model.sizes == [[1, 7]]


def test_bulk_rows_are_limited_beside_interactive_jobs() -> None:
    """A large batch would delay interactive requests that arrive meanwhile."""
    model, scheduler = Counting(), _scheduler(max_rows=64)
    _submit(scheduler, model, _wide(100), priority=Priority.NORMAL)
    scheduler.step()
    _submit(scheduler, model, _wide(2))
    scheduler.step()
    assert model.sizes == [[64], [2, 16]]


def test_a_cancelled_job_is_dropped_without_effect_on_others() -> None:
    """A cancelled job gets no further rows; the others in its batch complete."""
    dropped: list[DropReason] = []
    model, scheduler = Counting(), _scheduler(max_rows=8, dropped=dropped.append)
    unwanted: list[bool] = []
    closed: list[str] = []

    def noticing() -> ModelTask[None]:
        try:
            yield from _wide(40)
        finally:
            closed.append("closed")

    _, cancelled = _submit(scheduler, model, noticing(), cancelled=lambda: bool(unwanted))
    _, first = _submit(scheduler, model, _read(1, 2))
    scheduler.step()
    unwanted.append(True)
    _finish(scheduler)
    assert isinstance(cancelled.error, Cancelled)
    assert (cancelled.calls, closed, dropped) == (1, ["closed"], [DropReason.CANCELLED])
    assert first.result == [model.log_prob(-1, 1), model.log_prob(1, 2)]
    assert model.sizes == [[8], [1], [1], [1], [1]]
    assert scheduler.queued_rows == 0


def test_expired_jobs_are_dropped() -> None:
    """A job past its deadline fails before the next batch; others continue."""
    dropped: list[DropReason] = []
    model, scheduler = Counting(), _scheduler(dropped=dropped.append)
    _, late = _submit(scheduler, model, _read(1, 2), deadline=0.0)
    _, early = _submit(scheduler, model, _read(1, 2), deadline=math.inf)
    _finish(scheduler)
    assert isinstance(late.error, DeadlineExceeded)
    assert early.result is not None
    assert dropped == [DropReason.DEADLINE]
    assert model.sizes == [[1]] * 4


def test_jobs_beyond_the_queue_limit_are_rejected() -> None:
    """The rejection has a retry time; accepted jobs complete."""
    model, scheduler = Counting(), _scheduler(max_rows=8, max_queued_rows=10)
    _, taken = _submit(scheduler, model, _wide(10))
    _, refused = _submit(scheduler, model, _wide(1))
    assert isinstance(refused.error, Overloaded)
    assert refused.error.retry_after_seconds > 0
    scheduler.step()
    _, later = _submit(scheduler, model, _wide(1))
    _finish(scheduler)
    assert len(taken.result) == 10
    assert len(later.result) == 1


def test_admitted_jobs_bypass_the_queue_limit() -> None:
    """An accepted session is not rejected later."""
    model, scheduler = Counting(), _scheduler(max_rows=8, max_queued_rows=10)
    _submit(scheduler, model, _wide(10))
    _, admitted = _submit(scheduler, model, _wide(1), admitted=True)
    _finish(scheduler)
    assert len(admitted.result) == 1


def test_expired_and_cancelled_jobs_are_not_started() -> None:
    """A job that is expired or cancelled on arrival is dropped without a model request."""
    dropped: list[DropReason] = []
    model, scheduler = Counting(), _scheduler(dropped=dropped.append)
    _, late = _submit(scheduler, model, _wide(1), deadline=0.0)
    _, cancelled = _submit(scheduler, model, _wide(1), cancelled=lambda: True)
    assert isinstance(late.error, DeadlineExceeded)
    assert isinstance(cancelled.error, Cancelled)
    assert dropped == [DropReason.DEADLINE, DropReason.CANCELLED]
    assert scheduler.jobs == 0


def test_all_jobs_of_a_failed_batch_have_the_error() -> None:
    """Jobs of other models and later jobs are not affected."""
    good, bad, scheduler = Counting(), Failing(), _scheduler()
    failed = [_submit(scheduler, bad, _read(1, 2))[1] for _ in range(2)]
    _, answered = _submit(scheduler, good, _read(1, 2))
    _finish(scheduler)
    assert [str(outcome.error) for outcome in failed] == ["out of memory"] * 2
    assert answered.result is not None
    assert scheduler.jobs == scheduler.queued_rows == 0
    _, later = _submit(scheduler, good, _read(1))
    _finish(scheduler)
    assert later.error is None


def test_missing_results_are_an_error() -> None:
    """Jobs fail if a model returns too few results; the scheduler continues."""

    class Silent(FakeModel):
        def answer(self, request: ModelRequest) -> list[Any]:
            return []

    scheduler = _scheduler()
    silent = Silent(LEVELS, FakeModel.random(LEVELS, 0).probabilities)
    _, outcome = _submit(scheduler, silent, _read(1))
    assert not scheduler.step()
    assert isinstance(outcome.error, ValueError)


def test_a_failed_large_request_leaves_no_queued_rows() -> None:
    """If a part of a request fails, the rest is dropped."""
    scheduler = _scheduler(max_rows=8)
    _, outcome = _submit(scheduler, Failing(), _wide(30))
    assert not scheduler.step()
    assert isinstance(outcome.error, RuntimeError)
    assert scheduler.queued_rows == 0


def test_an_error_in_a_generator_ends_only_its_own_job() -> None:
    """An error in one generator, early or late, does not affect other jobs."""

    def broken(questions: int) -> ModelTask[None]:
        for _ in range(questions):
            yield from _wide(1)
        raise ValueError("a bug")

    model, scheduler = Counting(), _scheduler()
    outcomes = [_submit(scheduler, model, broken(count))[1] for count in (0, 1, 2)]
    _, other = _submit(scheduler, model, _read(1, 2))
    _finish(scheduler)
    assert all(isinstance(outcome.error, ValueError) for outcome in outcomes)
    assert other.error is None


def test_requests_without_rows_run_no_inference() -> None:
    """Empty requests have empty results, and the model is not called."""

    def nothing() -> ModelTask[list[Any]]:
        states = yield Step()
        values = yield TokenLogProbs()
        return [states, values]

    model, scheduler = Counting(), _scheduler()
    _, outcome = _submit(scheduler, model, nothing())
    _finish(scheduler)
    assert outcome.result == [[], []]
    assert model.sizes == []


def test_a_job_that_yields_lets_others_go_first() -> None:
    """A job that yields is resumed once per round, after the results of that round."""
    seen: list[str] = []

    def works() -> ModelTask[None]:
        for _ in range(20):
            seen.append("work")
            yield YIELD

    def types() -> ModelTask[None]:
        for piece in range(4):
            yield Step([(-1, piece)])
            seen.append("key")

    model, scheduler = Counting(), _scheduler()
    _submit(scheduler, model, works(), priority=Priority.NORMAL)
    _submit(scheduler, model, types())
    _finish(scheduler)
    assert seen[:9] == ["work", *(["key", "work"] * 4)]


def test_few_yielding_jobs_are_resumed_per_round() -> None:
    """Many CPU-bound jobs do not add up, and other jobs get rows meanwhile."""
    worked = 0

    def works() -> ModelTask[None]:
        nonlocal worked
        for _ in range(5):
            yield YIELD
            worked += 1

    model, scheduler = Counting(), _scheduler(max_rows=64)
    for _ in range(30):
        _submit(scheduler, model, works(), priority=Priority.NORMAL)
    _submit(scheduler, model, _wide(200))
    scheduler.step()
    assert (model.sizes, worked) == ([[48, 0]], 1)
    _finish(scheduler)
    assert worked == 150


def test_yielding_jobs_leave_batch_jobs_a_share() -> None:
    """Yields of higher priorities do not use up the rows reserved for batch jobs."""

    def works() -> ModelTask[None]:
        while True:
            yield YIELD

    model, scheduler = Counting(), _scheduler()
    _submit(scheduler, model, works(), priority=Priority.NORMAL)
    _, batch = _submit(scheduler, model, _wide(64), priority=Priority.BATCH)
    for _ in range(20):
        _submit(scheduler, model, _wide(60))
        scheduler.step()
    assert batch.calls == 1


def test_a_yielding_job_can_be_cancelled() -> None:
    """Cancellation also ends jobs without model requests."""

    def works() -> ModelTask[None]:
        while True:
            yield YIELD

    scheduler = _scheduler()
    gone = False
    _, outcome = _submit(scheduler, Counting(), works(), cancelled=lambda: gone)
    scheduler.step()
    gone = True
    _finish(scheduler)
    assert isinstance(outcome.error, Cancelled)


def test_requests_are_grouped_by_model() -> None:
    """A round with jobs of two models calls each model once."""
    one, other, scheduler = Counting(), Counting(), _scheduler()
    for model in (one, other, one):
        _submit(scheduler, model, _wide(2))
    _finish(scheduler)
    assert (one.sizes, other.sizes) == ([[2, 2]], [[2]])


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
    under_way=st.integers(1, 3),
)
def test_every_job_calls_back_exactly_once(
    plans: list[Plan], failing: frozenset[int], under_way: int
) -> None:
    """Completed, failed, cancelled, expired and rejected jobs leave nothing behind."""
    admissions = {priority: AdmissionController(1.0, 4) for priority in Priority}
    scheduler = _scheduler(max_rows=8, max_queued_rows=100, admissions=admissions)
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
        while len(batches) == under_way or (batches and not scheduler.jobs):
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
            admission.enter(1e9)
