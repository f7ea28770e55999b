"""Next-word search, compared with enumeration of all words."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.fake_model import FakeModel
from tests.tiny_models import (
    CANONICAL,
    TOKENIZER,
    Case,
    cases,
    prefixes,
    tiny_search,
    words_found,
)
from tests.vocabularies import trained

from wordgate.decoding.search import SearchParams, SearchResult
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import ModelRequest, OutputRows, Step, run_to_completion

TRAINED = trained()


def test_there_is_enough_to_find() -> None:
    """The tiny vocabulary has words of one, two and three tokens, some with an accent."""
    lengths = {len(sequence) for _, sequence in CANONICAL}
    words = [word for word, _ in CANONICAL]
    assert lengths == {1, 2, 3}
    assert len(words) == len(set(words)) > 100
    assert any("é" in word for word in words)
    assert not any("." in word and len(word) > 1 for word in words)


@given(cases, prefixes, st.integers(1, 12))
def test_the_search_equals_trying_everything(case: Case, prefix: str, count: int) -> None:
    """The search gives the same words, order and bits as enumeration, for any cutoffs."""
    found = case.search(tiny_search(count, prefix.encode()))
    assert found.words == case.enumerate(prefix)[:count]
    assert found.exact


@given(cases, prefixes)
def test_all_words_can_be_had(case: Case, prefix: str) -> None:
    """A search for more words than exist finds each once, ends, and is exact."""
    found = case.search(tiny_search(1000, prefix.encode(), max_expansions=10_000))
    assert found.words == case.enumerate(prefix)
    assert found.exact


@given(cases, prefixes, st.floats(-8, 0))
def test_words_below_the_least_probability_are_left_out(
    case: Case, prefix: str, least: float
) -> None:
    """All words of at least `min_log_prob` are found, and the result is exact."""
    found = case.search(
        tiny_search(1000, prefix.encode(), min_log_prob=least, max_expansions=10_000)
    )
    assert found.words == [w for w in case.enumerate(prefix) if w.log_prob >= least]
    assert found.exact


@given(cases, st.integers(1, 8))
def test_words_that_are_not_accepted_are_passed_over(case: Case, count: int) -> None:
    """The likeliest accepted words are found."""

    def accepts(word: str) -> bool:
        return "a" not in word

    found = case.search(tiny_search(count, accepts=accepts))
    assert found.words == [w for w in case.enumerate() if accepts(w.word)][:count]


@pytest.mark.parametrize(
    ("bound", "rows"), [("base_entries", 2000), ("entries_after_last_row", 1)], ids=str
)
def test_a_search_that_finds_nothing_ends(bound: str, rows: int) -> None:
    """The number of entries examined is limited, and the result reports that."""
    looked_at: list[str] = []

    def accepts(word: str) -> bool:
        looked_at.append(word)
        return False

    levels = AdaptiveSoftmaxLayout((100, TRAINED.size))
    params = replace(SearchParams(5, entries_per_row=0), **{bound: 30})  # type: ignore[arg-type]
    params = replace(params, accepts=accepts, max_expansions=rows)
    found = run_to_completion(words_found(TRAINED, levels, -1, params), FakeModel.random(levels, 3))
    assert (found.words, found.exact) == ([], False)
    assert 0 < len(looked_at) <= 30 + rows


def test_a_prefix_that_no_token_begins_ends_at_once() -> None:
    """The result is empty and exact, and costs one row."""
    case = Case(FakeModel.random(AdaptiveSoftmaxLayout((5, TOKENIZER.size)), 1), -1)
    assert case.search(tiny_search(5, b"xyz")) == SearchResult([], exact=True, expansions=1)


def test_a_prefix_that_no_word_has_ends() -> None:
    """A prefix of two words is not part of any word. A limit ends the search and is reported."""
    levels = AdaptiveSoftmaxLayout((100, TRAINED.size))
    model = FakeModel.random(levels, 3)
    asks = words_found(
        TRAINED, levels, -1, SearchParams(5, b"a b", max_expansions=200, max_tokens=64)
    )
    found = run_to_completion(asks, model)
    assert (found.words, found.exact, found.expansions) == ([], False, 200)


def test_a_prefix_may_end_inside_a_character() -> None:
    """The first byte of an é finds the words that begin with é."""
    case = Case(FakeModel.random(AdaptiveSoftmaxLayout((4, 9, TOKENIZER.size)), 8), 2)
    half = case.search(tiny_search(6, "é".encode()[:1]))
    assert half.words == case.enumerate("é")[:6]
    assert half.words


class Recording(FakeModel):
    """A fake model that records its requests."""

    asked: list[ModelRequest]

    def answer(self, request: ModelRequest) -> list[Any]:
        """Record the request and answer it."""
        self.asked.append(request)
        return super().answer(request)


def _recording(levels: AdaptiveSoftmaxLayout, table: NDArray[np.float64]) -> Recording:
    model = Recording(levels, table / table.sum(1, keepdims=True))
    model.asked = []
    return model


def test_a_cluster_that_cannot_matter_is_not_asked() -> None:
    """A cluster that is less likely than every word wanted is not requested."""
    levels = AdaptiveSoftmaxLayout((TOKENIZER.size - 4, TOKENIZER.size))
    table = FakeModel.random(levels, 6, spread=0.3).probabilities.copy()
    table[:, levels.head :] *= 1e-9
    model = _recording(levels, table)
    assert Case(model, 2).search(tiny_search(3)).exact
    rows = [row for request in model.asked if isinstance(request, OutputRows) for row in request]
    assert {level for _, level in rows} == {0}


def test_what_is_not_canonical_is_not_followed() -> None:
    """No state is requested for tokens that are not a canonical beginning of a word."""
    levels = AdaptiveSoftmaxLayout((9, TOKENIZER.size))
    model = _recording(levels, FakeModel.random(levels, 6).probabilities)
    Case(model, -1).search(tiny_search(100, max_expansions=2000))
    steps = [row for request in model.asked if isinstance(request, Step) for row in request]
    assert len(steps) > 20
    assert all(TOKENIZER.adjacent(before, token) for before, token in steps if before >= 0)


def test_impossible_tokens_are_last() -> None:
    """Tokens of probability zero are harmless."""
    model = FakeModel.random(AdaptiveSoftmaxLayout((6, TOKENIZER.size)), 4)
    table = model.probabilities
    table[:, 1] = 0.0
    found = Case(FakeModel(model.levels, table / table.sum(1, keepdims=True)), 3).search(
        SearchParams(3, max_expansions=500, max_tokens=2)
    )
    assert found.exact
    assert all(math.isfinite(word.log_prob) for word in found.words)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(["", "t", "th", "é", "🦆"]))
def test_found_words_have_their_own_probability(seed: int, prefix: str) -> None:
    """Every word found is canonical, has the prefix and its own log-probability.

    The vocabulary has all bytes. The likelier words come first.
    """
    levels = AdaptiveSoftmaxLayout((120, 300, TRAINED.size))
    model = FakeModel.random(levels, seed, spread=2.0)
    found = run_to_completion(
        words_found(TRAINED, levels, -1, SearchParams(10, prefix.encode())), model
    )
    for word in found.words:
        assert word.word.startswith(prefix)
        state, total = -1, 0.0
        for token in TRAINED.encode_word(word.word):
            total += model.log_prob(state, token)
            state = token
        assert word.log_prob == total
    log_probs = [word.log_prob for word in found.words]
    assert log_probs == sorted(log_probs, reverse=True)
