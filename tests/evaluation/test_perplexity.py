"""Perplexity and hits, against numbers worked out by hand."""

import math

import pytest
from tests.evaluation.answers import GivenAnswers

from wordgate.errors import WordgateError
from wordgate.evaluation.perplexity import evaluate

LOG_PROBS = {"the": -1.0, "sun": -2.0, "is": -3.0, ".": -0.5, ",": -0.25, "up": -4.0}
SUGGESTIONS = {"": ["The", "A"], "the": ["sea", "sun"], "sun": ["a", "b", "c", "is"]}


def test_perplexity_is_the_formula() -> None:
    """exp(-sum of log-probabilities, `<eos>` once a line, over words); over pieces the same."""
    found = evaluate(GivenAnswers(LOG_PROBS, {}), ["The sun is.", "  ", "Up, the"])
    log_prob = -1 - 2 - 3 - 0.5 - 1 + (-4 - 0.25 - 1 - 1)
    assert (found.words, found.tokens) == (7, 3 + 3 + 2 + 1 + 1 + 2 + 1 + 3 + 1)
    assert found.word_perplexity == pytest.approx(math.exp(-log_prob / 7))
    assert found.token_perplexity == pytest.approx(math.exp(-log_prob / 17))


def test_hits_are_ranks_of_words_but_punctuation() -> None:
    """First place counts for both, second for top3, a fourth for none; marks are not asked for."""
    model = GivenAnswers(LOG_PROBS, SUGGESTIONS)
    found = evaluate(model, ["The sun is."])
    assert found.top1 == pytest.approx(1 / 3)
    assert found.top3 == pytest.approx(2 / 3)
    assert model.asked == ["", "the ", "the sun "]


def test_punctuation_can_be_stripped_first() -> None:
    """Then it counts neither as words nor in the log-probability."""
    found = evaluate(
        GivenAnswers(LOG_PROBS, {}), ["The, sun -- is.", "..."], keep_punctuation=False
    )
    assert (found.words, found.tokens) == (3, 9)
    assert found.word_perplexity == pytest.approx(math.exp(7 / 3))


@pytest.mark.parametrize("lines", [[], ["", "  "], ["..."]])
def test_a_text_without_words_is_refused(lines: list[str]) -> None:
    """Nothing to divide by: the user is told, not shown a trace."""
    with pytest.raises(WordgateError, match="no word"):
        evaluate(GivenAnswers({}, {}), lines, keep_punctuation=False)


@pytest.mark.parametrize("line", ["\0", "\u00ad", "\u200b \u2060"])
def test_invisible_lines_are_no_text(line: str) -> None:
    """A line of nothing visible is as empty as an empty one."""
    assert evaluate(GivenAnswers(LOG_PROBS, {}), ["the", line]).tokens == 4
    with pytest.raises(WordgateError, match="no word"):
        evaluate(GivenAnswers({}, {}), [line])


def test_a_boundless_surprise_is_a_great_number() -> None:
    """A word that the model holds for all but impossible breaks nothing."""
    found = evaluate(GivenAnswers({"x": -9000.0}, {}), ["x"])
    assert found.token_perplexity == found.word_perplexity == pytest.approx(math.exp(700))


def test_only_marks_have_no_hits() -> None:
    """A text of punctuation has a perplexity and no share of hits."""
    found = evaluate(GivenAnswers(LOG_PROBS, {}), [". ,"])
    assert (found.words, found.top1, found.top3) == (2, 0.0, 0.0)
