"""Perplexity and hits against numbers worked out by hand."""

import math
from collections.abc import Sequence
from concurrent.futures import Future

import pytest
from tests.evaluation.answers import GivenAnswers

from wordgate.engine.results import ScoreResult
from wordgate.errors import InvalidInput, WordgateError
from wordgate.evaluation.perplexity import evaluate

LOG_PROBS = {"the": -1.0, "sun": -2.0, "is": -3.0, ".": -0.5, ",": -0.25, "up": -4.0}
SUGGESTIONS = {"": ["The", "A"], "the": ["sea", "sun"], "sun": ["a", "b", "c", "is"]}


def test_perplexity_is_the_formula() -> None:
    """exp(-log-probability / words), with one `<eos>` per line; the same per token."""
    found = evaluate(GivenAnswers(LOG_PROBS, {}), ["The sun is.", "  ", "Up, the"])
    log_prob = -1 - 2 - 3 - 0.5 - 1 + (-4 - 0.25 - 1 - 1)
    assert (found.words, found.tokens) == (7, 3 + 3 + 2 + 1 + 1 + 2 + 1 + 3 + 1)
    assert found.word_perplexity == pytest.approx(math.exp(-log_prob / 7))
    assert found.token_perplexity == pytest.approx(math.exp(-log_prob / 17))


def test_figures_per_character_and_byte_count_the_text_as_it_is_written() -> None:
    """Inner white space counts, and the end of each text counts as one."""
    found = evaluate(GivenAnswers(LOG_PROBS, {}), ["  The sun\n", "É  é"])
    log_prob = -1 - 2 - 1 + (-10 - 10 - 1)
    assert (found.characters, found.bytes) == (7 + 1 + 4 + 1, 7 + 1 + 6 + 1)
    assert found.character_perplexity == pytest.approx(math.exp(-log_prob / 13))
    assert found.bits_per_byte == pytest.approx(-log_prob / 15 / math.log(2))


def test_hits_may_be_left_out() -> None:
    """Without hits no predictions are requested."""
    model = GivenAnswers(LOG_PROBS, SUGGESTIONS)
    found = evaluate(model, ["The sun is."], count_hits=False)
    assert (found.top1, found.top3, model.asked) == (None, None, [])
    assert found.words == 4


class _Narrow(GivenAnswers):
    """Accepts candidates of at most 4,096 tokens, like a real model."""

    def __init__(self) -> None:
        super().__init__(LOG_PROBS, {})
        self.scored: list[tuple[int, int, bool]] = []

    def submit_score(
        self,
        history: str,
        candidates: Sequence[str],
        count_eos: bool = True,
        return_words: bool = False,
    ) -> "Future[ScoreResult]":
        """Record the words of history and candidate, and whether `<eos>` was counted."""
        [text] = candidates
        if len(text.replace(" ", "")) > 4096:
            refused: Future[ScoreResult] = Future()
            refused.set_exception(InvalidInput("candidates[0].text", "has too many tokens"))
            return refused
        self.scored.append((len(history.split()), len(text.split()), count_eos))
        return super().submit_score(history, candidates, count_eos)


def test_a_text_of_any_length_is_measured() -> None:
    """Segments are scored after the preceding 128 words; `<eos>` is counted once."""
    model = _Narrow()
    found = evaluate(model, ["the sun", "the " * 3000, "sun " * 6000], count_hits=False)
    assert sorted(model.scored) == sorted(
        [
            (0, 2, True),
            *[(0, 1365, False), (128, 1365, False), (128, 270, True)],
            *[(0, 1365, False), *[(128, 1365, False)] * 3, (128, 540, True)],
        ]
    )
    assert (found.words, found.tokens) == (9002, 6 + 1 + 9000 + 1 + 18_000 + 1)
    log_prob = -3 - 1 - 3000 - 1 - 12_000 - 1
    assert found.token_perplexity == pytest.approx(math.exp(-log_prob / found.tokens))


def test_hits_far_into_a_text_are_asked_with_what_is_read() -> None:
    """The history starts at the anchor of the history rule, so results do not change."""
    model = GivenAnswers(LOG_PROBS, SUGGESTIONS)
    evaluate(model, ["the " * 400])
    asked = [len(history.split()) for history in model.asked]
    assert asked[:256] == list(range(256))
    assert asked[256:] == [*range(128, 256), *range(128, 144)]


def test_hits_are_ranks_of_words_but_punctuation() -> None:
    """Rank 0 counts for both, rank 1 for top3, rank 3 for none; punctuation is skipped."""
    model = GivenAnswers(LOG_PROBS, SUGGESTIONS)
    found = evaluate(model, ["The sun is."])
    assert found.top1 == pytest.approx(1 / 3)
    assert found.top3 == pytest.approx(2 / 3)
    assert model.asked == ["", "the ", "the sun "]


def test_punctuation_can_be_stripped_first() -> None:
    """Stripped punctuation counts neither as words nor in the log-probability."""
    found = evaluate(
        GivenAnswers(LOG_PROBS, {}), ["The, sun -- is.", "..."], keep_punctuation=False
    )
    assert (found.words, found.tokens) == (3, 9)
    assert found.word_perplexity == pytest.approx(math.exp(7 / 3))


@pytest.mark.parametrize("lines", [[], ["", "  "], ["..."]])
def test_a_text_without_words_is_refused(lines: list[str]) -> None:
    """A text without words is rejected with a message."""
    with pytest.raises(WordgateError, match="no word"):
        evaluate(GivenAnswers({}, {}), lines, keep_punctuation=False)


@pytest.mark.parametrize("line", ["\0", "\u00ad", "\u200b \u2060"])
def test_invisible_lines_are_no_text(line: str) -> None:
    """A line of invisible characters counts as empty."""
    assert evaluate(GivenAnswers(LOG_PROBS, {}), ["the", line]).tokens == 4
    with pytest.raises(WordgateError, match="no word"):
        evaluate(GivenAnswers({}, {}), [line])


def test_a_boundless_surprisal_is_a_great_number() -> None:
    """An almost impossible word gives a large, finite perplexity."""
    found = evaluate(GivenAnswers({"x": -9000.0}, {}), ["x"])
    assert found.token_perplexity == found.word_perplexity == pytest.approx(math.exp(700))


def test_only_marks_have_no_hits() -> None:
    """A text of punctuation has a perplexity and hit rates of 0."""
    found = evaluate(GivenAnswers(LOG_PROBS, {}), [". ,"])
    assert (found.words, found.top1, found.top3) == (2, 0.0, 0.0)
