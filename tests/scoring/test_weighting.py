"""What a total is made of."""

import math

import pytest

from wordgate.errors import InvalidInput
from wordgate.scoring.weighting import ACOUSTIC, Boost, Weighting
from wordgate.text.steps import finish


def test_the_acoustic_score_weighs_one_and_others_nothing_unless_told() -> None:
    """A recogniser's score counts as it is; another score only by its name."""
    scores = {ACOUSTIC: -3.0, "first_pass_lm": -2.0}
    assert Weighting().weighted(scores) == -3.0
    assert Weighting(weights={"first_pass_lm": -0.5}).weighted(scores) == -2.0
    assert Weighting(weights={ACOUSTIC: 0.1}).weighted(scores) == pytest.approx(-0.3)


def test_posteriors_are_flattened_by_the_weight_of_the_model() -> None:
    """The scale is max(1, lm_weight) until it is given."""
    assert Weighting(lm_weight=9.0).scale == 9.0
    assert Weighting(lm_weight=0.2).scale == 1.0
    assert Weighting(lm_weight=9.0, posterior_scale=2.0).scale == 2.0


def test_every_occurrence_of_a_phrase_is_boosted() -> None:
    """Phrases are found as whole words in normal form, overlapping ones too."""
    weighting = Weighting(boosts=[Boost("New  York", 2.0), Boost("york", 0.5), Boost("a a", 1.0)])
    assert weighting.boost(["new", "york"]) == 2.5
    assert weighting.boost(["new", "yorker"]) == 0.0
    assert weighting.boost(["a", "a", "a"]) == 2.0
    assert weighting.boost([]) == 0.0
    assert Weighting(boosts=[Boost("a", 1.0), Boost("A", 0.5)]).boost(["a"]) == 1.5
    assert weighting.boost_at(["in", "new", "york"], 3) == 2.5
    assert weighting.boost_at(["in", "new", "york"], 2) == 0.0


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"lm_weight": math.nan}, "lm_weight"),
        ({"lm_weight": -1.0}, "lm_weight"),
        ({"word_bonus": math.inf}, "word_bonus"),
        ({"weights": {"am": -math.inf}}, "weights[am]"),
        ({"posterior_scale": 0.0}, "posterior_scale"),
        ({"posterior_scale": math.nan}, "posterior_scale"),
        ({"boosts": [Boost("a", 1.0), Boost(" \n", 1.0)]}, "weighting.boosts[1].phrase"),
        ({"boosts": [Boost("\ud800", 1.0)]}, "weighting.boosts[0].phrase"),
        ({"boosts": [Boost("a", math.nan)]}, "boosts[0].weight"),
    ],
)
def test_numbers_that_cannot_weigh_are_named(arguments: dict[str, object], field: str) -> None:
    """What is not finite, negative or empty is refused with its field."""
    with pytest.raises(InvalidInput) as refused:
        finish(Weighting(**arguments).prepare())  # type: ignore[arg-type]
    assert refused.value.field == field


def test_many_phrases_with_one_last_word_are_not_tried_one_by_one() -> None:
    """A look for each length of phrase, however many phrases there are."""

    class Counted(str):
        """A word that counts how often it is compared."""

        __slots__ = ()
        compared = 0

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    weighting = Weighting(boosts=[Boost(f"{number} a", 1.0) for number in range(1000)])
    assert weighting.boost([Counted("a")] * 50) == 0.0
    assert Counted.compared < 500
