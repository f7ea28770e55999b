"""Search with biased words, compared with enumeration of all words."""

import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fake_model import FakeModel
from tests.tiny_models import CANONICAL, TOKENIZER, Case, cases, tiny_search
from tests.vocabularies import trained

from wordgate.decoding.biasing import WordBias, WordBiases, best_words
from wordgate.decoding.search import SearchParams, SearchResult
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import NullStateStore

WORDS = [word for word, _ in CANONICAL]
TRAINED = trained()

biases = st.builds(
    lambda words, weight: WordBiases(
        {
            word: WordBias(share * weight / sum(share for _, share, _ in words), boost)
            for word, share, boost in words
        }
        if any(share for _, share, _ in words)
        else {word: WordBias(0.0, boost) for word, _, boost in words},
        weight if any(share for _, share, _ in words) else 0.0,
    ),
    st.lists(
        st.tuples(
            st.sampled_from(WORDS),
            st.sampled_from([0.0, 0.01, 1.0, 3.0]),
            st.sampled_from([0.0, -50.0, -2.0, 1.0, 4.6, 50.0]),
        ),
        max_size=8,
        unique_by=lambda entry: entry[0],
    ),
    st.sampled_from([0.1, 0.5, 0.9]),
)
prefixes = st.sampled_from(["", "a", "b", "ab", "é", "aé", ".", "x"])


def _best(case: Case, params: SearchParams, biased_words: WordBiases) -> SearchResult:
    asks = best_words(case.queries, case.context, params, biased_words)
    return run_to_completion(asks, case.model)


def _mixed(log_prob: float, weight: float, share: float) -> float:
    return math.log((1 - weight) * math.exp(log_prob) + share)


def _tried(case: Case, prefix: str, biased_words: WordBiases) -> dict[str, tuple[float, float]]:
    """Return rank and log-probability of every word with this prefix, by the formula."""
    found = {}
    for word, log_prob in case.log_probs().items():
        if word.startswith(prefix):
            bias = biased_words.words.get(word, WordBias())
            mixed = _mixed(log_prob, biased_words.weight, bias.cache_prob)
            found[word] = (mixed + bias.boost, mixed)
    return found


@given(cases, prefixes, biases, st.integers(1, 12))
def test_the_best_equal_trying_everything(
    case: Case, prefix: str, biased_words: WordBiases, count: int
) -> None:
    """Words are ranked by log((1 - weight) p + cache_prob) + boost.

    Log-probabilities exclude the boost.
    """
    found = _best(case, tiny_search(count, prefix.encode()), biased_words)
    tried = _tried(case, prefix, biased_words)
    best = sorted(tried.values(), reverse=True)[:count]
    assert [tried[word.word][0] for word in found.words] == pytest.approx([r for r, _ in best])
    assert [word.log_prob for word in found.words] == pytest.approx(
        [tried[word.word][1] for word in found.words]
    )
    assert len({word.word for word in found.words}) == len(found.words)
    assert found.exact


@given(cases, biases, st.integers(1, 8), st.floats(-6, 0))
def test_the_least_probability_is_of_both_models_without_boosts(
    case: Case, biased_words: WordBiases, count: int, least: float
) -> None:
    """`min_log_prob` applies to the interpolated probability, without boosts."""
    found = _best(case, tiny_search(count, min_log_prob=least), biased_words)
    tried = _tried(case, "", biased_words)
    ranks = sorted((rank for rank, mixed in tried.values() if mixed >= least), reverse=True)
    assert [tried[word.word][0] for word in found.words] == pytest.approx(ranks[:count])


@given(cases, biases, st.integers(1, 8))
def test_biased_words_that_are_not_accepted_are_left_out(
    case: Case, biased_words: WordBiases, count: int
) -> None:
    """A boost does not bring back a blocked word."""

    def accepts(word: str) -> bool:
        return "a" not in word

    found = _best(case, tiny_search(count, accepts=accepts), biased_words)
    tried = _tried(case, "", biased_words)
    ranks = sorted((rank for word, (rank, _) in tried.items() if accepts(word)), reverse=True)
    assert [tried[word.word][0] for word in found.words] == pytest.approx(ranks[:count])


@given(cases, biases, st.integers(1, 8))
def test_batch_size_changes_no_result(case: Case, biased_words: WordBiases, count: int) -> None:
    """Expanding nodes one at a time or many at once gives the same words and bits."""
    expected = _best(case, tiny_search(count), biased_words)
    for rows, margin in itertools.product((1, 50), (0.0, math.inf)):
        params = tiny_search(count, batch_rows=rows, ranked_batch_margin=margin)
        assert _best(case, params, biased_words).words == expected.words


@given(cases, biases, st.integers(1, 8), st.integers(1, 6))
def test_the_row_limit_is_kept_and_reported(
    case: Case, biased_words: WordBiases, count: int, bound: int
) -> None:
    """Biased and other words each keep to the limit; `exact` means the best of all."""
    found = _best(case, tiny_search(count, max_expansions=bound), biased_words)
    assert found.expansions <= 2 * bound
    if found.exact:
        assert found.words == _best(case, tiny_search(count), biased_words).words


def test_without_biases_the_search_is_the_plain_one() -> None:
    """Without biases the result is bit-identical to the plain search and needs no more rows."""
    case = Case(FakeModel.random(AdaptiveSoftmaxLayout((6, TOKENIZER.size)), 5), 2)
    assert _best(case, tiny_search(5), WordBiases()) == case.search(tiny_search(5))


def test_a_boosted_word_that_the_search_finds_keeps_its_bits() -> None:
    """A biased word's log-probability is bit-identical to that of the plain search."""
    case = Case(FakeModel.random(AdaptiveSoftmaxLayout((4, 9, TOKENIZER.size)), 8), 2)
    plain = case.search(tiny_search(12)).words
    boosted = WordBiases({word.word: WordBias(0.0, 0.0) for word in plain})
    assert _best(case, tiny_search(12), boosted).words == plain


def _log_prob(model: FakeModel, tokens: Sequence[int]) -> float:
    total, state = 0.0, -1
    for token in tokens:
        total += model.log_prob(state, token)
        state = token
    return total


@settings(max_examples=20)
@given(st.text("abé's🦆", min_size=1, max_size=6))
def test_a_word_has_the_log_probability_of_its_tokens(word: str) -> None:
    """The log-probability follows the chain rule, at any output level."""
    levels = AdaptiveSoftmaxLayout((120, 300, TRAINED.size))
    model = FakeModel.random(levels, 3)
    queries = CachedQueries(TRAINED, levels, NullStateStore(-1))
    asks = queries.word_log_prob(HashedState(b"", -1), word)
    assert run_to_completion(asks, model) == _log_prob(model, TRAINED.encode_word(word))


def test_very_many_boosts_cost_few_rows() -> None:
    """Of a thousand boosted words, only those that may be among the best are followed."""
    levels = AdaptiveSoftmaxLayout((120, 300, TRAINED.size))
    model = FakeModel.random(levels, 3, spread=2.0)
    letters = itertools.product("etaoinshrd", repeat=3)
    boosted = WordBiases({"".join(word): WordBias(0.0, 1.0) for word in letters})
    assert len(boosted.words) == 1000
    params, start = SearchParams(5, max_expansions=20_000), HashedState(b"", -1)
    queries = CachedQueries(TRAINED, levels, NullStateStore(-1))
    found = run_to_completion(best_words(queries, start, params, boosted), model)
    plain = run_to_completion(best_words(queries, start, params, WordBiases()), model)
    assert found.exact
    assert found.expansions < plain.expansions + 200
