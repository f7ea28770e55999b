"""How sure a ranking is of its winner's words."""

import pytest

from wordgate.scoring.confidence import WordDiff, confidences, differences
from wordgate.text.steps import finish

WINNER = ["recognise", "speech", "now"]


def test_a_word_is_as_sure_as_the_transcripts_that_have_it_in_its_place() -> None:
    """Shares are summed over the transcripts that agree, word by word."""
    others = [
        (WINNER, 0.5),
        (["wreck", "a", "nice", "beach", "now"], 0.25),
        (["recognise", "speech"], 0.125),
        (["recognise", "peach", "now"], 0.125),
    ]
    assert finish(confidences(WINNER, others)) == pytest.approx([0.75, 0.625, 0.875])


def test_the_same_word_in_another_place_does_not_count() -> None:
    """Least edit distance decides what stands against what."""
    assert finish(confidences(["a", "b"], [(["a", "b"], 0.6), (["b", "c"], 0.4)])) == [0.6, 0.6]


def test_an_empty_winner_has_no_words_to_be_sure_of() -> None:
    """Nothing was said, and nothing is aligned with it."""
    assert finish(confidences([], [([], 0.5), (["a"], 0.5)])) == []


def test_where_winner_and_runner_up_part() -> None:
    """Differing stretches are named by their words on both sides, missing words too."""
    assert differences(["to", "the", "sea", "now"], ["to", "sea", "now", "side"]) == [
        WordDiff(1, 2, 1, 1),
        WordDiff(4, 4, 3, 4),
    ]
    assert differences(WINNER, WINNER) == []
