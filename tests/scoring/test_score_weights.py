"""Weights of the parts of a total."""

import math

import pytest

from wordgate.errors import InvalidInput
from wordgate.scoring.score_weights import ACOUSTIC, Boost, ScoreWeights
from wordgate.text.cooperative_steps import finish


def test_default_weights_are_one_for_the_acoustic_score_and_zero_otherwise() -> None:
    """Other scores count only if they are given a weight."""
    scores = {ACOUSTIC: -3.0, "first_pass_lm": -2.0}
    assert ScoreWeights().weighted_sum(scores) == -3.0
    assert ScoreWeights(weights={"first_pass_lm": -0.5}).weighted_sum(scores) == -2.0
    assert ScoreWeights(weights={ACOUSTIC: 0.1}).weighted_sum(scores) == pytest.approx(-0.3)


def test_the_default_posterior_scale_is_the_lm_weight() -> None:
    """The scale defaults to max(1, lm_weight)."""
    assert ScoreWeights(lm_weight=9.0).scale == 9.0
    assert ScoreWeights(lm_weight=0.2).scale == 1.0
    assert ScoreWeights(lm_weight=9.0, posterior_scale=2.0).scale == 2.0


def test_every_occurrence_of_a_phrase_is_boosted() -> None:
    """Phrases match whole words in normal form, and may overlap."""
    score_weights = ScoreWeights(
        boosts=[Boost("New  York", 2.0), Boost("york", 0.5), Boost("a a", 1.0)]
    )
    assert score_weights.boost(["new", "york"]) == 2.5
    assert score_weights.boost(["new", "yorker"]) == 0.0
    assert score_weights.boost(["a", "a", "a"]) == 2.0
    assert score_weights.boost([]) == 0.0
    assert ScoreWeights(boosts=[Boost("a", 1.0), Boost("A", 0.5)]).boost(["a"]) == 1.5
    assert score_weights.boost_at(["in", "new", "york"], 3) == 2.5
    assert score_weights.boost_at(["in", "new", "york"], 2) == 0.0


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"lm_weight": math.nan}, "lm_weight"),
        ({"lm_weight": -1.0}, "lm_weight"),
        ({"word_insertion_bonus": math.inf}, "word_insertion_bonus"),
        ({"weights": {"am": -math.inf}}, "weights[am]"),
        ({"posterior_scale": 0.0}, "posterior_scale"),
        ({"posterior_scale": math.nan}, "posterior_scale"),
        ({"boosts": [Boost("a", 1.0), Boost(" \n", 1.0)]}, "score_weights.boosts[1].phrase"),
        ({"boosts": [Boost("\ud800", 1.0)]}, "score_weights.boosts[0].phrase"),
        ({"boosts": [Boost("a", math.nan)]}, "boosts[0].bonus"),
    ],
)
def test_invalid_weights_are_named(arguments: dict[str, object], field: str) -> None:
    """Non-finite, negative and empty values are rejected by field."""
    with pytest.raises(InvalidInput) as refused:
        finish(ScoreWeights(**arguments).prepare())  # type: ignore[arg-type]
    assert refused.value.field == field


def test_lookup_time_does_not_depend_on_the_number_of_phrases() -> None:
    """Many phrases with the same last word are not compared one by one."""

    class Counted(str):
        """A word that counts comparisons."""

        __slots__ = ()
        compared = 0

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    score_weights = ScoreWeights(boosts=[Boost(f"{number} a", 1.0) for number in range(1000)])
    assert score_weights.boost([Counted("a")] * 50) == 0.0
    assert Counted.compared < 500
