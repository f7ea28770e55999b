"""Batches: requests share inferences, are split, and fail apart."""

from typing import Any

from tests.engine.jobs import LEVELS, Counting, Failing, finish_all, read, recording, submit, wide
from tests.fake_model import FakeModel

from wordgate.lm.requests import (
    ModelRequest,
    ModelTask,
    OutputRows,
    Step,
    TokenLogProbs,
)


def test_requests_of_two_jobs_share_a_batch() -> None:
    """Concurrent jobs are batched, and each gets its own results."""
    model, scheduler = Counting(), recording()
    _, one = submit(scheduler, model, read(1, 5, 2))
    _, other = submit(scheduler, model, read(3, 3, 8))
    finish_all(scheduler)
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

    model, scheduler = Counting(), recording()
    _, one = submit(scheduler, model, rows())
    _, other = submit(scheduler, model, wide(3))
    finish_all(scheduler)
    assert model.sizes == [[2, 3]]
    assert one.result == 2
    assert len(other.result) == 3


def test_a_large_request_is_split_over_batches() -> None:
    """More rows than a batch holds are split, and results are joined in order."""
    model, scheduler = Counting(), recording(max_rows=8)
    _, outcome = submit(scheduler, model, wide(30))
    assert scheduler.queued_rows == 30
    scheduler.step()
    assert scheduler.queued_rows == 22
    finish_all(scheduler)
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

    model, scheduler = Counting(), recording()
    _, panicked = submit(scheduler, model, panicking())
    _, other = submit(scheduler, model, wide(3))
    finish_all(scheduler)
    assert isinstance(panicked.error, RuntimeError)
    assert len(other.result) == 3


def test_all_jobs_of_a_failed_batch_have_the_error() -> None:
    """Jobs of other models and later jobs are not affected."""
    good, bad, scheduler = Counting(), Failing(), recording()
    failed = [submit(scheduler, bad, read(1, 2))[1] for _ in range(2)]
    _, answered = submit(scheduler, good, read(1, 2))
    finish_all(scheduler)
    assert [str(outcome.error) for outcome in failed] == ["out of memory"] * 2
    assert answered.result is not None
    assert scheduler.jobs == scheduler.queued_rows == 0
    _, later = submit(scheduler, good, read(1))
    finish_all(scheduler)
    assert later.error is None


def test_missing_results_are_an_error() -> None:
    """Jobs fail if a model returns too few results; the scheduler continues."""

    class Silent(FakeModel):
        def answer(self, request: ModelRequest) -> list[Any]:
            return []

    scheduler = recording()
    silent = Silent(LEVELS, FakeModel.random(LEVELS, 0).probabilities)
    _, outcome = submit(scheduler, silent, read(1))
    assert not scheduler.step()
    assert isinstance(outcome.error, ValueError)


def test_a_failed_large_request_leaves_no_queued_rows() -> None:
    """If a part of a request fails, the rest is dropped."""
    scheduler = recording(max_rows=8)
    _, outcome = submit(scheduler, Failing(), wide(30))
    assert not scheduler.step()
    assert isinstance(outcome.error, RuntimeError)
    assert scheduler.queued_rows == 0


def test_an_error_in_a_generator_ends_only_its_own_job() -> None:
    """An error in one generator, early or late, does not affect other jobs."""

    def broken(questions: int) -> ModelTask[None]:
        for _ in range(questions):
            yield from wide(1)
        raise ValueError("a bug")

    model, scheduler = Counting(), recording()
    outcomes = [submit(scheduler, model, broken(count))[1] for count in (0, 1, 2)]
    _, other = submit(scheduler, model, read(1, 2))
    finish_all(scheduler)
    assert all(isinstance(outcome.error, ValueError) for outcome in outcomes)
    assert other.error is None


def test_requests_without_rows_run_no_inference() -> None:
    """Empty requests have empty results, and the model is not called."""

    def nothing() -> ModelTask[list[Any]]:
        states = yield Step()
        values = yield TokenLogProbs()
        return [states, values]

    model, scheduler = Counting(), recording()
    _, outcome = submit(scheduler, model, nothing())
    finish_all(scheduler)
    assert outcome.result == [[], []]
    assert model.sizes == []


def test_requests_are_grouped_by_model() -> None:
    """A round with jobs of two models calls each model once."""
    one, other, scheduler = Counting(), Counting(), recording()
    for model in (one, other, one):
        submit(scheduler, model, wide(2))
    finish_all(scheduler)
    assert (one.sizes, other.sizes) == ([[2, 2]], [[2]])
