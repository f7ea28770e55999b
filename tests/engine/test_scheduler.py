"""One owner of all work: merging, parts, classes, dropping, failing."""

import gc
import math
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.clock import Clock
from tests.fake_model import FakeModel

from wordgate.engine.admission import AdmissionController
from wordgate.engine.scheduler import DropReason, Job, Priority, Scheduler
from wordgate.errors import Cancelled, DeadlineExceeded, Overloaded
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import YIELD, ModelRequest, ModelTask, OutputRows, Step, TokenLogProbs

LEVELS = AdaptiveSoftmaxLayout((4, 9))


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


class Counting(FakeModel):
    """A fake model that keeps the sizes of the questions of each call."""

    def __init__(self) -> None:
        super().__init__(LEVELS, FakeModel.random(LEVELS, 0).probabilities)
        self.sizes: list[list[int]] = []

    def answer(self, asks: Sequence[ModelRequest]) -> list[Any]:
        """As the fake model does."""
        self.sizes.append([len(ask) for ask in asks])
        return super().answer(asks)


class Failing(FakeModel):
    """A model that cannot answer."""

    def __init__(self) -> None:
        super().__init__(LEVELS, FakeModel.random(LEVELS, 0).probabilities)

    def answer(self, asks: Sequence[ModelRequest]) -> list[Any]:
        """Fails."""
        raise RuntimeError("out of memory")


class Outcome:
    """What became of a job; `calls` counts how often its owner was told."""

    def __init__(self) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.calls = 0

    def __call__(self, result: Any, error: BaseException | None) -> None:
        """Take what the scheduler tells."""
        self.result, self.error = result, error
        self.calls += 1


def _read(*pieces: int) -> ModelTask[list[float]]:
    """Log-probabilities of pieces, one question after the other."""
    found, state = [], -1
    for piece in pieces:
        [value] = yield TokenLogProbs([(state, piece)])
        found.append(value)
        [state] = yield Step([(state, piece)])
    return found


def _wide(rows: int, piece: int = 1) -> ModelTask[list[float]]:
    """One question of many rows."""
    answer: list[float] = yield TokenLogProbs([(row % 9, piece) for row in range(rows)])
    return answer


def _deep(rows: int, questions: int) -> ModelTask[None]:
    """One question of so many rows after the other."""
    for _ in range(questions):
        yield Step([(row % 9, 1) for row in range(rows)])


def _submit(
    scheduler: Scheduler, model: FakeModel, asks: ModelTask[Any], **options: Any
) -> tuple[Job, Outcome]:
    outcome = Outcome()
    job = Job(model, asks, outcome, **options)
    scheduler.add(job)
    return job, outcome


def _finish(scheduler: Scheduler) -> int:
    """Rounds until nothing is left."""
    rounds = 1
    while scheduler.step():
        rounds += 1
    return rounds


def test_questions_of_two_jobs_share_a_call() -> None:
    """Jobs that came together are asked together, and each gets its own answers."""
    model, scheduler = Counting(), Scheduler()
    _, one = _submit(scheduler, model, _read(1, 5, 2))
    _, other = _submit(scheduler, model, _read(3, 3, 8))
    _finish(scheduler)
    assert model.sizes == [[1, 1]] * 6
    assert one.result == [model.log_prob(-1, 1), model.log_prob(1, 5), model.log_prob(5, 2)]
    assert other.result == [model.log_prob(-1, 3), model.log_prob(3, 3), model.log_prob(3, 8)]
    assert (one.calls, other.calls) == (1, 1)
    assert scheduler.jobs == scheduler.waiting_rows == 0


def test_questions_of_different_kinds_share_a_round() -> None:
    """Whatever is asked, a round asks the model once."""

    def rows() -> ModelTask[int]:
        answer = yield OutputRows(1, [2, 3])
        return len(answer)

    model, scheduler = Counting(), Scheduler()
    _, one = _submit(scheduler, model, rows())
    _, other = _submit(scheduler, model, _wide(3))
    _finish(scheduler)
    assert model.sizes == [[2, 3]]
    assert one.result == 2
    assert len(other.result) == 3


def test_a_large_question_is_answered_in_parts() -> None:
    """More rows than a call takes are asked in several, and put together in order."""
    model, scheduler = Counting(), Scheduler(max_rows=8)
    _, outcome = _submit(scheduler, model, _wide(30))
    assert scheduler.waiting_rows == 30
    scheduler.step()
    assert scheduler.waiting_rows == 22
    _finish(scheduler)
    assert model.sizes == [[8], [8], [8], [6]]
    assert outcome.result == [model.log_prob(row % 9, 1) for row in range(30)]
    assert scheduler.waiting_rows == 0


def test_a_panic_ends_its_own_job_alone() -> None:
    """Libraries in Rust raise what is no `Exception`; the engine's thread survives it."""

    class PanicError(BaseException):
        """As pyo3 raises it."""

    def panicking() -> ModelTask[None]:
        yield Step([(0, 1)])
        raise PanicError

    model, scheduler = Counting(), Scheduler()
    _, panicked = _submit(scheduler, model, panicking())
    _, other = _submit(scheduler, model, _wide(3))
    _finish(scheduler)
    assert isinstance(panicked.error, RuntimeError)
    assert len(other.result) == 3


def test_a_job_goes_on_while_its_turn_lasts() -> None:
    """Few jobs are half done: the second begins when the first is done, where both fill calls."""
    model, scheduler = Counting(), Scheduler(max_rows=8)
    outcomes = [_submit(scheduler, model, _deep(8, 5), urgency=Priority.BULK)[1] for _ in range(3)]
    done = []
    for _ in range(15):
        scheduler.step()
        done.append([outcome.calls for outcome in outcomes])
    assert done[4] == [1, 0, 0]
    assert done[9] == [1, 1, 0]
    assert done[14] == [1, 1, 1]


def test_a_turn_ends() -> None:
    """A job that asks on and on lets others have their turn."""
    model, scheduler = Counting(), Scheduler(max_rows=64)
    _submit(scheduler, model, _deep(64, 1000))
    _, small = _submit(scheduler, model, _deep(64, 2))
    for _ in range(20):
        scheduler.step()
    assert small.calls == 1


def test_a_small_question_does_not_wait_for_a_large_one() -> None:
    """A small job behind a large one of its class is answered by the second round."""
    model, scheduler = Counting(), Scheduler(max_rows=8)
    _submit(scheduler, model, _wide(100))
    _, small = _submit(scheduler, model, _wide(1))
    scheduler.step()
    scheduler.step()
    assert small.calls == 1


def test_people_come_before_programs_and_leave_them_a_share() -> None:
    """Interactive rows fill a call but for the quarter that bulk work waits for."""
    model, scheduler = Counting(), Scheduler(max_rows=8)
    _submit(scheduler, model, _wide(20), urgency=Priority.BULK)
    _submit(scheduler, model, _wide(20))
    _finish(scheduler)
    assert model.sizes[:3] == [[6, 2]] * 3
    assert sum(map(sum, model.sizes)) == 40


@pytest.mark.parametrize("urgency", Priority)
def test_a_class_alone_has_the_whole_call(urgency: Priority) -> None:
    """Nothing is kept for work that is not there."""
    model, scheduler = Counting(), Scheduler(max_rows=8)
    _submit(scheduler, model, _wide(16), urgency=urgency)
    _finish(scheduler)
    assert model.sizes == [[8], [8]]


def test_batch_work_takes_what_programs_leave_and_a_share() -> None:
    """Of the rows that people leave a quarter is kept for those for whom nobody waits."""
    model, scheduler = Counting(), Scheduler(max_rows=16)
    _submit(scheduler, model, _wide(100), urgency=Priority.BATCH)
    _submit(scheduler, model, _wide(24), urgency=Priority.BULK)
    _finish(scheduler)
    assert model.sizes[:3] == [[12, 4], [12, 4], [16]]
    assert sum(map(sum, model.sizes)) == 124


def test_batch_work_keeps_nobody_out() -> None:
    """However many of its rows wait, a program's request is taken; not the other way round."""
    model, scheduler = Counting(), Scheduler(max_rows=8, max_queued_rows=10)
    _submit(scheduler, model, _wide(10), urgency=Priority.BATCH)
    _submit(scheduler, model, _wide(10), urgency=Priority.BULK)
    _submit(scheduler, model, _wide(10))
    with pytest.raises(Overloaded):
        _submit(scheduler, model, _wide(1), urgency=Priority.BATCH)


def test_short_work_goes_before_long_work() -> None:
    """Two that have asked for thousands of rows leave the next calls to one that asks for few."""
    model, scheduler = Counting(), Scheduler(max_rows=64)
    for _ in range(2):
        _submit(scheduler, model, _deep(500, 1000), urgency=Priority.BULK)
    for _ in range(100):
        scheduler.step()
    _, small = _submit(scheduler, model, _deep(5, 20), urgency=Priority.BULK)
    model.sizes.clear()
    rounds = 0
    while not small.calls:
        scheduler.step()
        rounds += 1
    assert rounds <= 21
    assert all(sum(sizes) <= 5 + 16 for sizes in model.sizes[1:])


def test_searches_that_have_had_few_rows_go_first() -> None:
    """A prediction waits for no session that asks for as much as it may, however many there are."""
    model, scheduler = Counting(), Scheduler()
    for _ in range(100):
        _submit(scheduler, model, _deep(2, 2000), admitted=True)
    for _ in range(500):
        scheduler.step()
    _, outcome = _submit(scheduler, model, _deep(2, 5))
    for _ in range(8):
        scheduler.step()
    assert outcome.calls == 1


def test_few_of_the_longest_searches_are_half_done() -> None:
    """Each keeps memory for the rows that it had: the others wait for the end of the first."""
    model, scheduler = Counting(), Scheduler()
    jobs = [_submit(scheduler, model, _deep(2, 2000), admitted=True)[0] for _ in range(50)]
    for _ in range(3000):
        scheduler.step()
        assert sum(512 < job.done_rows < 4000 for job in jobs) <= 4
    assert all(job.done_rows >= 512 for job in jobs)


def test_long_work_keeps_a_share_while_short_work_fills_every_call() -> None:
    """What has begun long ago is done, however much comes after it."""
    model, scheduler = Counting(), Scheduler(max_rows=64)
    _, long = _submit(scheduler, model, _deep(64, 40), urgency=Priority.BULK)
    for _ in range(35):
        scheduler.step()
    for _ in range(40):
        _submit(scheduler, model, _wide(64), urgency=Priority.BULK)
        scheduler.step()
    assert long.calls == 1


def test_a_pause_does_not_end_a_turn() -> None:
    """Work that has begun to cut its texts is not put behind all others each time it pauses."""

    def works() -> ModelTask[None]:
        for _ in range(3):
            yield YIELD
        yield from _deep(64, 2)

    model, scheduler = Counting(), Scheduler(max_rows=64)
    outcomes = [_submit(scheduler, model, works(), urgency=Priority.BULK)[1] for _ in range(8)]
    order: list[int] = []
    while scheduler.step():
        order += [n for n, outcome in enumerate(outcomes) if outcome.calls and n not in order]
    order += [n for n in range(8) if n not in order]
    assert order == list(range(8))


def test_a_job_that_pauses_reports_progress(clock: Clock) -> None:
    """Cutting texts for seconds is work that gets on: others are not refused for it."""

    def works() -> ModelTask[None]:
        while True:
            clock.now += 0.001
            yield YIELD

    admission = AdmissionController(0.05, 0, quantum=100, row_size=1.0, clock=clock)
    scheduler = Scheduler(admissions={Priority.BULK: admission})
    model = Counting()
    job = Job(model, works(), Outcome(), Priority.BULK, size=1e6)
    scheduler.admit(job)
    scheduler.add(job)
    for _ in range(5000):
        scheduler.step()
    small = Job(model, _wide(1), Outcome(), Priority.BULK, size=50)
    scheduler.admit(small)


def test_a_text_that_is_cut_counts_with_its_pieces(clock: Clock) -> None:
    """Its first question says how many follow; where others are read first it is refused then."""
    model = Counting()

    def reading() -> ModelTask[None]:
        yield YIELD
        state = model.start
        for place in range(1000):
            [state] = yield Step([(state, 1)], 999 - place)

    admission = AdmissionController(0.01, 0, quantum=64, most_rows=64, clock=clock)
    scheduler = Scheduler(admissions={Priority.INTERACTIVE: admission})
    outcomes = []
    for _ in range(4):
        outcomes.append(Outcome())
        job = Job(model, reading(), outcomes[-1], size=1)
        scheduler.admit(job)
        scheduler.add(job)
        for _ in range(5):
            scheduler.step()
            clock.now += 0.001
    errors = [outcome.error for outcome in outcomes]
    assert [type(error) for error in errors] == [type(None), *[Overloaded] * 3]
    assert [outcome.calls for outcome in outcomes] == [0, 1, 1, 1]
    assert scheduler.jobs == 1


def test_batch_work_is_done_one_after_the_other() -> None:
    """Nobody waits for a part of it, so few are half done, which would take memory."""
    model, scheduler = Counting(), Scheduler(max_rows=8)
    jobs = [_submit(scheduler, model, _wide(20), urgency=Priority.BATCH)[1] for _ in range(3)]
    done = []
    for _ in range(8):
        scheduler.step()
        done.append([outcome.calls for outcome in jobs])
    assert done[2] == [1, 0, 0]
    assert done[-1] == [1, 1, 1]


def test_what_is_far_back_is_begun_in_its_turn() -> None:
    """Only so many questions are kept ready as the next calls take; each counts as a row before."""
    model, scheduler = Counting(), Scheduler(max_rows=8)
    begun: list[int] = []

    def noting(number: int) -> ModelTask[list[float]]:
        begun.append(number)
        return (yield from _wide(8))

    outcomes = [_submit(scheduler, model, noting(number))[1] for number in range(10)]
    assert begun == [0, 1, 2, 3]
    assert scheduler.waiting_rows == 4 * 8 + 6
    _finish(scheduler)
    assert begun == list(range(10))
    assert [outcome.calls for outcome in outcomes] == [1] * 10
    assert (scheduler.waiting_rows, scheduler.jobs) == (0, 0)


def test_work_that_was_not_begun_is_dropped_and_fails_like_any_other() -> None:
    """Cancelled, or wrong from its beginning: its owner is told once, its company is answered."""
    dropped: list[DropReason] = []
    model, scheduler = Counting(), Scheduler(max_rows=8, dropped=dropped.append)

    def wrong() -> ModelTask[None]:
        int("no number")
        yield Step([])

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
    assert (scheduler.waiting_rows, dropped) == (0, [DropReason.CANCELLED])


def test_work_that_ends_where_it_begins_holds_nobody_up() -> None:
    """Of much that fails at once, or has its answer already, a round begins a call's rows."""
    ends = 0

    def ending() -> ModelTask[None]:
        nonlocal ends
        ends += 1
        yield from ()

    model, scheduler = Counting(), Scheduler(max_rows=8)
    for _ in range(4):
        _submit(scheduler, model, _wide(8))
    outcomes = [_submit(scheduler, model, ending())[1] for _ in range(100)]
    while scheduler.jobs:
        before = ends
        scheduler.step()
        assert ends - before <= 8
    assert [outcome.calls for outcome in outcomes] == [1] * 100


def test_many_that_nobody_waits_for_are_dropped_at_once() -> None:
    """A client that goes with half of a long queue holds up none of the others."""
    unwanted: list[bool] = []
    model, scheduler = Counting(), Scheduler(max_queued_rows=100_000)
    kept = []
    for _ in range(20_000):
        _submit(scheduler, model, _wide(1), cancelled=lambda: bool(unwanted))
        kept.append(_submit(scheduler, model, _wide(1))[1])
    unwanted.append(True)
    began = perf_counter()
    batch = scheduler.take()
    assert perf_counter() - began < 0.5
    assert scheduler.jobs == 20_000 - 64
    batch.ask()
    scheduler.postprocess(batch)
    _finish(scheduler)
    assert all(outcome.calls == 1 and outcome.error is None for outcome in kept)


def test_each_job_is_said_to_have_waited_once() -> None:
    """Until the first of its rows is taken; not again for the rest."""
    waits: list[Priority] = []
    scheduler = Scheduler(max_rows=8, waited=lambda urgency, seconds: waits.append(urgency))
    model = Counting()
    _submit(scheduler, model, _deep(20, 3))
    _submit(scheduler, model, _deep(20, 3), urgency=Priority.BATCH)
    _finish(scheduler)
    assert sorted(waits, key=lambda each: each.value) == [Priority.BATCH, Priority.INTERACTIVE]


@pytest.mark.parametrize("end", ["done", "failed", "cancelled"])
def test_an_admitted_job_makes_room_however_it_ends(end: str) -> None:
    """What is over no longer keeps others out."""
    scheduler = Scheduler(admissions={Priority.BULK: AdmissionController(0.0, 1)})
    model: FakeModel = Failing() if end == "failed" else Counting()
    unwanted: list[bool] = []

    def job() -> Job:
        return Job(
            model, _wide(8), Outcome(), Priority.BULK, cancelled=lambda: bool(unwanted), size=1
        )

    first = job()
    scheduler.admit(first)
    assert _refused(scheduler, job)
    scheduler.add(first)
    if end == "cancelled":
        unwanted.append(True)
    _finish(scheduler)
    assert not _refused(scheduler, job)


def test_a_job_that_is_done_takes_no_memory() -> None:
    """It goes at once, with its states and texts, not when cycles are looked for."""
    scheduler = Scheduler(admissions={Priority.BULK: AdmissionController(0.0, 1)})
    job = Job(Counting(), _wide(8), Outcome(), Priority.BULK, size=1)
    gone = weakref.ref(job)
    scheduler.admit(job)
    scheduler.add(job)
    del job
    gc.disable()
    try:
        _finish(scheduler)
        assert gone() is None
    finally:
        gc.enable()


def test_sessions_and_small_work_are_not_counted() -> None:
    """Neither what was admitted before nor what has no size is refused, or in others' way."""
    scheduler = Scheduler(admissions={Priority.BULK: AdmissionController(0.0, 1)})
    model = Counting()
    for options in ({"admitted": True, "size": 1.0}, {}) * 3:
        scheduler.admit(Job(model, _wide(1), Outcome(), Priority.BULK, **options))  # type: ignore[arg-type]
    assert not _refused(scheduler, lambda: Job(model, _wide(1), Outcome(), Priority.BULK, size=1))


def _refused(scheduler: Scheduler, job: Callable[[], Job]) -> bool:
    try:
        scheduler.admit(job())
    except Overloaded:
        return True
    return False


def test_bulk_work_takes_what_people_leave() -> None:
    """Room that interactive work does not need goes to bulk work, more than its share."""
    model, scheduler = Counting(), Scheduler(max_rows=8)
    _submit(scheduler, model, _wide(20), urgency=Priority.BULK)
    _submit(scheduler, model, _wide(1))
    scheduler.step()
    assert model.sizes == [[1, 7]]


def test_bulk_work_is_asked_in_small_parts_while_people_ask() -> None:
    """A call of many rows takes long, and whoever asks meanwhile waits for it."""
    model, scheduler = Counting(), Scheduler(max_rows=64)
    _submit(scheduler, model, _wide(100), urgency=Priority.BULK)
    scheduler.step()
    _submit(scheduler, model, _wide(2))
    scheduler.step()
    assert model.sizes == [[64], [2, 16]]


def test_cancelled_work_is_dropped_and_its_company_answered() -> None:
    """The others of a batch get their answers; the cancelled one costs no further row."""
    dropped: list[DropReason] = []
    model, scheduler = Counting(), Scheduler(max_rows=8, dropped=dropped.append)
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
    assert scheduler.waiting_rows == 0


def test_late_work_is_dropped() -> None:
    """What is past its deadline is told so before the next call; what has time goes on."""
    dropped: list[DropReason] = []
    model, scheduler = Counting(), Scheduler(dropped=dropped.append)
    _, late = _submit(scheduler, model, _read(1, 2), deadline=0.0)
    _, early = _submit(scheduler, model, _read(1, 2), deadline=math.inf)
    _finish(scheduler)
    assert isinstance(late.error, DeadlineExceeded)
    assert early.result is not None
    assert dropped == [DropReason.DEADLINE]
    assert model.sizes == [[1]] * 4


def test_too_much_work_is_refused_at_once() -> None:
    """Over the bound a job is refused with the time to come again; what was taken is finished."""
    model, scheduler = Counting(), Scheduler(max_rows=8, max_queued_rows=10)
    _, taken = _submit(scheduler, model, _wide(10))
    with pytest.raises(Overloaded) as refused:
        _submit(scheduler, model, _wide(1))
    assert refused.value.retry_after_seconds > 0
    scheduler.step()
    _, later = _submit(scheduler, model, _wide(1))
    _finish(scheduler)
    assert len(taken.result) == 10
    assert len(later.result) == 1


def test_work_that_was_let_in_before_is_taken_however_much_waits() -> None:
    """A session that was admitted is not refused in the middle."""
    model, scheduler = Counting(), Scheduler(max_rows=8, max_queued_rows=10)
    _submit(scheduler, model, _wide(10))
    _, admitted = _submit(scheduler, model, _wide(1), admitted=True)
    _finish(scheduler)
    assert len(admitted.result) == 1


def test_work_that_comes_too_late_is_not_begun() -> None:
    """A job past its deadline, or cancelled before it came, is dropped without a question."""
    dropped: list[DropReason] = []
    model, scheduler = Counting(), Scheduler(dropped=dropped.append)
    _, late = _submit(scheduler, model, _wide(1), deadline=0.0)
    _, cancelled = _submit(scheduler, model, _wide(1), cancelled=lambda: True)
    assert isinstance(late.error, DeadlineExceeded)
    assert isinstance(cancelled.error, Cancelled)
    assert dropped == [DropReason.DEADLINE, DropReason.CANCELLED]
    assert scheduler.jobs == 0


def test_a_model_that_fails_tells_all_its_owners() -> None:
    """Every job of the failed call has the error; other models and later work go on."""
    good, bad, scheduler = Counting(), Failing(), Scheduler()
    failed = [_submit(scheduler, bad, _read(1, 2))[1] for _ in range(2)]
    _, answered = _submit(scheduler, good, _read(1, 2))
    _finish(scheduler)
    assert [str(outcome.error) for outcome in failed] == ["out of memory"] * 2
    assert answered.result is not None
    assert scheduler.jobs == scheduler.waiting_rows == 0
    _, later = _submit(scheduler, good, _read(1))
    _finish(scheduler)
    assert later.error is None


def test_a_model_that_answers_too_little_is_one_that_fails() -> None:
    """An answer missing is told to the owners; the scheduler goes on."""

    class Silent(FakeModel):
        def answer(self, asks: Sequence[ModelRequest]) -> list[Any]:
            return []

    scheduler = Scheduler()
    silent = Silent(LEVELS, FakeModel.random(LEVELS, 0).probabilities)
    _, outcome = _submit(scheduler, silent, _read(1))
    assert not scheduler.step()
    assert isinstance(outcome.error, ValueError)


def test_a_large_question_that_fails_leaves_no_row_waiting() -> None:
    """When a part of a question fails, the rest of it is forgotten."""
    scheduler = Scheduler(max_rows=8)
    _, outcome = _submit(scheduler, Failing(), _wide(30))
    assert not scheduler.step()
    assert isinstance(outcome.error, RuntimeError)
    assert scheduler.waiting_rows == 0


def test_an_algorithm_that_fails_tells_its_owner_alone() -> None:
    """An error inside one generator, at once or later, is its own."""

    def broken(questions: int) -> ModelTask[None]:
        for _ in range(questions):
            yield from _wide(1)
        raise ValueError("a bug")

    model, scheduler = Counting(), Scheduler()
    outcomes = [_submit(scheduler, model, broken(count))[1] for count in (0, 1, 2)]
    _, other = _submit(scheduler, model, _read(1, 2))
    _finish(scheduler)
    assert all(isinstance(outcome.error, ValueError) for outcome in outcomes)
    assert other.error is None


def test_a_question_of_no_rows_costs_no_call() -> None:
    """Empty questions are answered with nothing, without the model."""

    def nothing() -> ModelTask[list[Any]]:
        states = yield Step([])
        values = yield TokenLogProbs([])
        return [states, values]

    model, scheduler = Counting(), Scheduler()
    _, outcome = _submit(scheduler, model, nothing())
    _finish(scheduler)
    assert outcome.result == [[], []]
    assert model.sizes == []


def test_who_pauses_lets_all_others_go_first() -> None:
    """Long work that pauses is resumed once a round, after the answers of that round."""
    seen: list[str] = []

    def works() -> ModelTask[None]:
        for _ in range(20):
            seen.append("work")
            yield YIELD

    def types() -> ModelTask[None]:
        for piece in range(4):
            yield Step([(-1, piece)])
            seen.append("key")

    model, scheduler = Counting(), Scheduler()
    _submit(scheduler, model, works(), urgency=Priority.BULK)
    _submit(scheduler, model, types())
    _finish(scheduler)
    assert seen[:9] == ["work", *(["key", "work"] * 4)]


def test_few_of_those_that_pause_are_resumed_in_a_round() -> None:
    """Many that work long do not add up; the rows of others are asked meanwhile."""
    worked = 0

    def works() -> ModelTask[None]:
        nonlocal worked
        for _ in range(5):
            yield YIELD
            worked += 1

    model, scheduler = Counting(), Scheduler(max_rows=64)
    for _ in range(30):
        _submit(scheduler, model, works(), urgency=Priority.BULK)
    _submit(scheduler, model, _wide(200))
    scheduler.step()
    assert (model.sizes, worked) == ([[48, 0]], 1)
    _finish(scheduler)
    assert worked == 150


def test_those_that_pause_leave_batch_work_its_share() -> None:
    """However much of a call the pauses of the more urgent take, a part is left."""

    def works() -> ModelTask[None]:
        while True:
            yield YIELD

    model, scheduler = Counting(), Scheduler()
    _submit(scheduler, model, works(), urgency=Priority.BULK)
    _, batch = _submit(scheduler, model, _wide(64), urgency=Priority.BATCH)
    for _ in range(20):
        _submit(scheduler, model, _wide(60))
        scheduler.step()
    assert batch.calls == 1


def test_a_job_that_pauses_is_dropped_when_nobody_waits() -> None:
    """Cancellation reaches work that asks nothing."""

    def works() -> ModelTask[None]:
        while True:
            yield YIELD

    scheduler = Scheduler()
    gone = False
    _, outcome = _submit(scheduler, Counting(), works(), cancelled=lambda: gone)
    scheduler.step()
    gone = True
    _finish(scheduler)
    assert isinstance(outcome.error, Cancelled)


def test_each_model_is_asked_for_its_own() -> None:
    """Work for two models in one round makes one call of each."""
    one, other, scheduler = Counting(), Counting(), Scheduler()
    for model in (one, other, one):
        _submit(scheduler, model, _wide(2))
    _finish(scheduler)
    assert (one.sizes, other.sizes) == ([[2, 2]], [[2]])


class Flaky(Counting):
    """A fake model of whose calls some fail."""

    def __init__(self, failing: frozenset[int]) -> None:
        super().__init__()
        self._failing = failing

    def answer(self, asks: Sequence[ModelRequest]) -> list[Any]:
        """As the fake model does, unless this call is one that fails."""
        if len(self.sizes) in self._failing:
            self.sizes.append([])
            raise RuntimeError("out of memory")
        return super().answer(asks)


@dataclass(frozen=True)
class Plan:
    """A job, and what becomes of it: questions of so many rows, none being a pause."""

    urgency: Priority
    questions: list[int]
    comes_at: int
    cancelled_at: int
    model: int
    fails: bool
    is_late: bool
    admitted: bool
    size: float

    def asks(self) -> ModelTask[int]:
        """What it asks, until its end."""
        for rows in self.questions:
            yield (Step([(row % 9, 1) for row in range(rows)]) if rows else YIELD)
        if self.fails:
            raise ValueError("a bug")
        return sum(self.questions)


_PLANS = st.builds(
    Plan,
    urgency=st.sampled_from(Priority),
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
def test_whatever_becomes_of_work_its_owner_is_told_once(
    plans: list[Plan], failing: frozenset[int], under_way: int
) -> None:
    """Done, failed, cancelled, late or refused, in any company: nothing is left of it."""
    admissions = {urgency: AdmissionController(1.0, 4) for urgency in Priority}
    scheduler = Scheduler(max_rows=8, max_queued_rows=100, admissions=admissions)
    models = Counting(), Flaky(failing)
    moment = 0
    outcomes = [Outcome() for _ in plans]

    def begin(plan: Plan, outcome: Outcome) -> None:
        job = Job(
            models[plan.model],
            plan.asks(),
            outcome,
            plan.urgency,
            deadline=0.0 if plan.is_late else None,
            cancelled=lambda: moment >= plan.cancelled_at,
            admitted=plan.admitted,
            size=plan.size,
        )
        try:
            scheduler.admit(job)
        except Overloaded as error:
            outcome(None, error)
            return
        try:
            scheduler.add(job)
        except Overloaded as error:
            job.done(None, error)

    batches: list[Any] = []
    while moment <= 10 or scheduler.jobs or batches:
        for plan, outcome in zip(plans, outcomes, strict=True):
            if plan.comes_at == moment:
                begin(plan, outcome)
        batches.append(scheduler.take())
        while len(batches) == under_way or (batches and not scheduler.jobs):
            batch = batches.pop(0)
            batch.ask()
            scheduler.postprocess(batch)
        assert scheduler.waiting_rows >= 0
        moment += 1
    for plan, outcome in zip(plans, outcomes, strict=True):
        assert outcome.calls == 1
        assert outcome.error is not None or outcome.result == sum(plan.questions)
    assert scheduler.waiting_rows == 0
    for admission in admissions.values():
        assert admission.wait_seconds == 0.0
        for _ in range(4):
            admission.enter(1e9)
