"""Options of suggestions and their limits."""

import math
from typing import Any

import pytest
from hypothesis import given
from tests.vocabularies import texts

from wordgate.decoding.options import BoostedWord, ContinuousCache, Options
from wordgate.errors import InvalidInput
from wordgate.text import words
from wordgate.text.cooperative_steps import finish
from wordgate.text.normalization import normalise

WRONG: dict[str, dict[str, Any]] = {
    "max_suggestions": {"max_suggestions": 101},
    "max_expansions": {"max_expansions": 0},
    "max_corrections": {"max_corrections": -1},
    "max_phrase_words": {"max_phrase_words": 0},
    "min_probability": {"min_probability": math.nan},
    "min_phrase_probability": {"min_phrase_probability": 0.009},
    "blocked_words": {"blocked_words": ["a"] * 1001},
    "boosted_words": {"boosted_words": [BoostedWord("a", 1.0)] * 1001},
    "blocked_words[1]": {"blocked_words": ["a b", "a " * 17]},
    "blocked_words[0]": {"blocked_words": ["\u00ad"]},
    "boosted_words[0].word": {"boosted_words": [BoostedWord("", 1.0)]},
    "boosted_words[1].word": {"boosted_words": [BoostedWord("a", 0), BoostedWord("\ud800", 1.0)]},
    "boosted_words[0].bonus": {"boosted_words": [BoostedWord("a", math.inf)]},
    "boosted_words[1].bonus": {
        "boosted_words": [BoostedWord("a", 50.0), BoostedWord("b", math.nan)]
    },
    "continuous_cache.weight": {"continuous_cache": ContinuousCache(0.91)},
    "continuous_cache.sharpness": {"continuous_cache": ContinuousCache(0.1, math.nan)},
}


@pytest.mark.parametrize(("field", "values"), WRONG.items(), ids=str)
def test_values_outside_their_limits_are_named(field: str, values: dict[str, Any]) -> None:
    """The error names the invalid field."""
    with pytest.raises(InvalidInput) as refused:
        finish(Options(**values).prepare())
    assert refused.value.field == field


def test_listed_words_are_known_in_any_case() -> None:
    """Blocked and boosted words are compared in normal form.

    Of duplicates the last counts, with its casing stripped of white space.
    """
    options = Options(
        blocked_words=["SEA", "Don’t"],
        boosted_words=[BoostedWord("lxc", 1.0), BoostedWord("LXC", 2.0), BoostedWord(" \tﬁn ", 3)],
    )
    assert options.blocked == {"sea", "don't"}
    assert options.boosts == {"lxc": 2.0, "fin": 3}
    assert options.preferred_casing == {"lxc": "LXC", "fin": "ﬁn"}


@given(texts)
def test_every_text_of_few_words_is_listed_and_others_refused(text: str) -> None:
    """Emoji, marks, digits, apostrophes and phrases of up to 16 words may be listed."""
    found = words.split(normalise(text))
    if not 1 <= len(found) <= 16:
        with pytest.raises(InvalidInput, match="blocked"):
            finish(Options(blocked_words=[text]).prepare())
        with pytest.raises(InvalidInput, match="boosted"):
            finish(Options(boosted_words=[BoostedWord(text, 1.0)]).prepare())
        return
    options = Options(blocked_words=[text], boosted_words=[BoostedWord(text, 1.0)])
    assert options.blocked == {" ".join(found)} == set(options.boosted)
    assert set(options.boosts) == {found[0]}
    if len(found) == 1:
        assert normalise(options.preferred_casing[found[0]]) == found[0]


def test_a_boosted_phrase_lifts_each_of_its_words_in_its_place() -> None:
    """The first word is boosted anywhere, the others after their predecessors.

    All have the phrase's casing.
    """
    phrases = [BoostedWord("北京", 3.0), BoostedWord("New York City", 2.0), BoostedWord("new", 1.0)]
    options = Options(boosted_words=[*phrases, BoostedWord("the Sea", -4.0)])
    assert options.boosts == {"北": 3.0, "new": 2.0}
    assert options.preferred_casing == {"new": "new"}
    assert options.here(["to", "new"]).boosts == {"北": 3.0, "new": 2.0, "york": 2.0}
    assert options.here(["new", "york"]).preferred_casing == {"new": "new", "city": "City"}
    assert options.here(["the"]).boosts["sea"] == -4.0
    assert options.here(["york"]) == options.here([])
    assert options.preferred_casing_within(["a", "new", "york", "city"]) == {
        1: "New",
        2: "York",
        3: "City",
    }


def test_a_blocked_phrase_blocks_the_word_that_would_complete_it() -> None:
    """The last word is blocked only after the others, in any script."""
    options = Options(blocked_words=["北京", "the red Sea", "cat"])
    assert options.here(["去", "北"]).blocked - options.blocked == {"京"}
    assert options.here(["by", "the", "red"]).blocked - options.blocked == {"sea"}
    for before in (["the"], ["red"], ["red", "the"], []):
        assert options.here(before).blocked == options.blocked
    assert "cat" in options.blocked
    assert options.blocked_phrases.words_before("We swam IN\nthe  Red ") == ["the", "red"]
    assert options.blocked_phrases.words_before("x" * 9000 + " red")[-1] == "red"
