"""Phrase search, compared with enumeration of all word sequences."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fake_model import FakeModel
from tests.tiny_models import CANONICAL, TOKENIZER, Case, cases, tiny_search

from wordgate.decoding.phrases import PhraseSearch
from wordgate.decoding.search import ScoredWord
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.masks import Masks
from wordgate.lm.requests import run_to_completion

Phrases = dict[tuple[str, ...], float]


def _accepts(word: str) -> bool:
    return word != "." and not word.startswith("b")


def _search(case: Case, least: float, max_phrase_words: int, rows: int = 20_000) -> PhraseSearch:
    params = tiny_search(1, accepts=_accepts, max_expansions=rows)
    return PhraseSearch(
        case.queries,
        case.context,
        params,
        Masks(),
        max_phrase_words,
        math.log(least),
    )


def _tried(case: Case, first: ScoredWord, least: float, max_phrase_words: int) -> Phrases:
    """Return all maximal phrases, each with the log-probability of its words after the first."""
    found: Phrases = {}
    open_phrases: list[tuple[tuple[str, ...], float]] = [((first.word,), 0.0)]
    while open_phrases:
        phrase, after_first = open_phrases.pop()
        last = TOKENIZER.encode_word(phrase[-1])[-1]
        longer = [
            ((*phrase, word), after_first + Case(case.model, last).log_prob(sequence))
            for word, sequence in (CANONICAL if len(phrase) < max_phrase_words else ())
            if _accepts(word)
        ]
        longer = [each for each in longer if each[1] >= math.log(least)]
        open_phrases += longer
        if not longer and len(phrase) > 1:
            found[phrase] = after_first
    return found


@given(cases, st.sampled_from([0.02, 0.1, 0.3]), st.integers(1, 4), st.sampled_from(CANONICAL))
def test_phrases_equal_trying_everything(
    case: Case, least: float, max_phrase_words: int, first: tuple[str, tuple[int, ...]]
) -> None:
    """Phrases are maximal, sorted by probability, and have their joint probability."""
    word = ScoredWord(first[0], case.log_prob(first[1]))
    searching_phrases = _search(case, least, max_phrase_words)
    found = run_to_completion(searching_phrases.after(word), case.model)
    tried = _tried(case, word, least, max_phrase_words)
    assert {phrase.words for phrase in found} == set(tried)
    for phrase in found:
        assert phrase.after_first == pytest.approx(tried[phrase.words])
        assert phrase.log_prob == pytest.approx(word.log_prob + tried[phrase.words])
    log_probs = [phrase.log_prob for phrase in found]
    assert log_probs == sorted(log_probs, reverse=True)
    assert searching_phrases.exact


@given(cases, st.integers(1, 30))
def test_all_phrases_together_keep_to_the_bound(case: Case, rows: int) -> None:
    """However many phrases there are, the row limit is kept and reported."""
    searching_phrases = _search(case, 0.02, 4, rows)
    found = []
    for word in case.enumerate()[:5]:
        found += run_to_completion(searching_phrases.after(word), case.model)
    assert searching_phrases.expansions <= rows
    if searching_phrases.exact:
        expected = [_tried(case, word, 0.02, 4) for word in case.enumerate()[:5]]
        assert {phrase.words for phrase in found} == {each for many in expected for each in many}


def test_one_word_is_no_phrase() -> None:
    """A word without a likely continuation is not a phrase, nor is a phrase of one word."""
    case = Case(FakeModel.random(AdaptiveSoftmaxLayout((6, TOKENIZER.size)), 5), 2)
    word = case.enumerate()[0]
    assert run_to_completion(_search(case, 1.0, 4).after(word), case.model) == []
    assert run_to_completion(_search(case, 0.01, 1).after(word), case.model) == []
