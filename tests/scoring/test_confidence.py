"""Word confidences and differences between transcripts."""

import pytest

from wordgate.scoring.confidence import WordDiff, confidences, differences
from wordgate.text.cooperative_steps import finish

WINNER = ["recognise", "speech", "now"]


def test_confidence_is_the_posterior_of_transcripts_with_the_word() -> None:
    """Posteriors are summed per word over the transcripts that agree."""
    others = [
        (WINNER, 0.5),
        (["wreck", "a", "nice", "beach", "now"], 0.25),
        (["recognise", "speech"], 0.125),
        (["recognise", "peach", "now"], 0.125),
    ]
    assert finish(confidences(WINNER, others)) == pytest.approx([0.75, 0.625, 0.875])


def test_the_same_word_at_another_position_does_not_count() -> None:
    """Words are aligned by minimum edit distance."""
    assert finish(confidences(["a", "b"], [(["a", "b"], 0.6), (["b", "c"], 0.4)])) == [0.6, 0.6]


def test_an_empty_winner_has_no_confidences() -> None:
    """An empty transcript has no words to align."""
    assert finish(confidences([], [([], 0.5), (["a"], 0.5)])) == []


def test_differences_between_winner_and_runner_up() -> None:
    """Differing spans are reported for both sides; spans may be empty."""
    assert differences(["to", "the", "sea", "now"], ["to", "sea", "now", "side"]) == [
        WordDiff(1, 2, 1, 1),
        WordDiff(4, 4, 3, 4),
    ]
    assert differences(WINNER, WINNER) == []
