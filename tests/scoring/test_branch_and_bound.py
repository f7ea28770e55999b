"""Scoring only what can be among the best."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.fake_model import FakeModel

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import ModelRequest, Step, TokenLogProbs, run_to_completion
from wordgate.scoring import branch_and_bound
from wordgate.scoring.branch_and_bound import score_best
from wordgate.scoring.scoring import score

LEVELS = AdaptiveSoftmaxLayout((4, 8))
MODEL = FakeModel.random(LEVELS, seed=3, spread=2.0)

sequences = st.lists(
    st.tuples(st.lists(st.integers(0, 7), max_size=6), st.integers(-30, 0)), min_size=1, max_size=12
)


class Counting(FakeModel):
    """Counts the rows of each kind of question."""

    def __init__(self) -> None:
        super().__init__(LEVELS, MODEL.probabilities)
        self.rows: Counter[str] = Counter()

    def answer(self, asks: Sequence[ModelRequest]) -> list[Any]:
        for ask in asks:
            self.rows[type(ask).__name__] += len(ask)
        return super().answer(asks)


@given(sequences, st.integers(1, 12), st.sampled_from([0.0, 0.5, 1.0, 7.0]), st.integers(0, 6))
def test_all_that_are_of_the_best_are_scored(
    drawn: list[tuple[list[int], int]], wanted: int, lm_weight: float, longest: int
) -> None:
    """Those with a total of the k-th greatest or more, ties among them, bit for bit."""
    pieces, fixed_scores = [each[0] for each in drawn], [float(each[1]) for each in drawn]
    expected = run_to_completion(score(pieces, MODEL.start), MODEL)
    totals = [w + lm_weight * log_prob for w, log_prob in zip(fixed_scores, expected, strict=True)]
    least = sorted(totals, reverse=True)[: min(wanted, len(totals))][-1]
    before, branch_and_bound._LONGEST_PROBED = branch_and_bound._LONGEST_PROBED, longest
    try:
        found = run_to_completion(
            score_best(pieces, MODEL.start, fixed_scores, lm_weight, wanted), MODEL
        )
    finally:
        branch_and_bound._LONGEST_PROBED = before
    for log_prob, right, total in zip(found, expected, totals, strict=True):
        assert log_prob in ((right,) if total >= least else (right, None))


def test_what_cannot_win_is_not_read() -> None:
    """Long lists with a clear winner cost a fraction; nothing is asked twice."""
    drawn = Random(1)
    pieces = [[drawn.randrange(8) for _ in range(12)] for _ in range(50)]
    fixed_scores = [-float(number) for number in range(50)]
    all_of_them, best = Counting(), Counting()
    run_to_completion(score(pieces, MODEL.start), all_of_them)
    run_to_completion(score_best(pieces, MODEL.start, fixed_scores, 0.2, 1), best)
    for kind in (Step.__name__, TokenLogProbs.__name__):
        assert 0 < best.rows[kind] < all_of_them.rows[kind] / 2
    run_to_completion(score_best(pieces, MODEL.start, [0.0] * 50, 1e-9, 49), again := Counting())
    assert again.rows == all_of_them.rows
