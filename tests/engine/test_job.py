"""Jobs: a prefill is read token by token without resuming the generator."""

from typing import Any

from tests.engine.jobs import LEVELS, Counting, finish_all, recording, submit
from tests.fake_model import TokenReader

from wordgate.engine.job import Job
from wordgate.lm.requests import ModelRequest, ModelTask, Prefill, TokenLogProbs, run_to_completion


class Observed:
    """Counts how often a job is resumed, and the rows of its requests."""

    def __init__(self) -> None:
        self.resumes = 0
        self.rows: list[int] = []

    def resumed(self) -> None:
        """Count a resumption."""
        self.resumes += 1

    def requested(self, request: ModelRequest | Prefill) -> None:
        """Record the rows of a request."""
        self.rows.append(len(request))


def _reading(kept: dict[bytes, Any]) -> ModelTask[Any]:
    """Read four tokens; keep the states after the first and the last."""

    def keep(key: bytes, state: Any) -> Any:
        kept[key] = state
        return state

    [state] = yield Prefill((), [3, 1, 4, 1], {0: b"first", 3: b"last"}, keep)
    return state


def test_a_prefill_is_one_request() -> None:
    """Four tokens take four rounds, one request, and two resumptions of the generator."""
    model, observed, kept = TokenReader(LEVELS), Observed(), dict[bytes, Any]()
    scheduler = recording()
    _, outcome = submit(scheduler, model, _reading(kept), observer=observed)
    assert finish_all(scheduler) == 4
    assert outcome.result == (3, 1, 4, 1)
    assert kept == {b"first": (3,), b"last": (3, 1, 4, 1)}
    assert (observed.resumes, observed.rows) == (2, [4])


def test_a_prefill_alone_has_the_same_result() -> None:
    """Without a scheduler, the states and the result are the same."""
    kept: dict[bytes, Any] = {}
    assert run_to_completion(_reading(kept), TokenReader(LEVELS)) == (3, 1, 4, 1)
    assert kept == {b"first": (3,), b"last": (3, 1, 4, 1)}


def test_prefills_share_batches_with_each_other() -> None:
    """Two prefills of different length advance together, then one alone."""
    model, scheduler = Counting(), recording()

    def reading(length: int) -> ModelTask[Any]:
        [state] = yield Prefill(model.start, [2] * length)
        [value] = yield TokenLogProbs([(state, 5)])
        return value

    outcomes = [submit(scheduler, model, reading(length))[1] for length in (2, 3)]
    finish_all(scheduler)
    assert model.sizes == [[1, 1], [1, 1], [1, 1], [1]]
    assert [outcome.result for outcome in outcomes] == [model.log_prob(2, 5)] * 2


def test_a_cancelled_prefill_keeps_what_was_read() -> None:
    """The states stored so far stay in the store, so a retry continues there."""
    kept: dict[bytes, Any] = {}
    model, scheduler, unwanted = TokenReader(LEVELS), recording(), list[int]()
    job = Job(model, _reading(kept), lambda *end: None, cancelled=lambda: bool(unwanted))
    scheduler.submit(job)
    scheduler.step()
    unwanted.append(1)
    assert not scheduler.step()
    assert (model.read, kept) == (1, {b"first": (3,)})
