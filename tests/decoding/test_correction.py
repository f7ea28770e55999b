"""Typo correction, compared with enumeration of all words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.decoding.test_biasing import biases
from tests.fake_model import FakeModel
from tests.tiny_models import LONGEST, TOKENIZER, Case, cases, tiny_search

from wordgate.decoding.biasing import WordBias, WordBiases
from wordgate.decoding.correction import TypoQuery, corrected_beginnings, corrected_words
from wordgate.decoding.search import SearchParams, SearchResult
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import run_to_completion

corrections_of = st.dictionaries(
    st.text("abé'.", min_size=1, max_size=4).filter(
        lambda text: len(TOKENIZER.encode_word(text)) <= LONGEST
    ),
    st.sampled_from([-4.6, -5.1, -5.5, -6.4]),
    max_size=12,
)


def _corrected(
    case: Case, slip: TypoQuery, params: SearchParams, biased: WordBiases, is_finished: bool
) -> SearchResult:
    correct = corrected_words if is_finished else corrected_beginnings
    asks = correct(case.queries, case.context, slip, params, biased)
    return run_to_completion(asks, case.model)


def _tried(
    case: Case, slip: TypoQuery, biased: WordBiases, is_finished: bool
) -> dict[str, tuple[float, float]]:
    """Return rank and log-probability of every possible correction, by the formula."""
    found = {}
    for word, log_prob in case.log_probs().items():
        fitting = [
            value
            for text, value in slip.corrections.items()
            if (word == text if is_finished else word.startswith(text))
        ]
        if fitting:
            bias = biased.of(word)
            mixed = math.log((1 - biased.weight) * math.exp(log_prob) + bias.cache_prob)
            rank = mixed + max(fitting) + bias.boost
            if rank > slip.min_rank:
                found[word] = (rank, mixed)
    return found


@given(
    cases,
    corrections_of,
    biases,
    st.integers(1, 6),
    st.sampled_from([-25.0, -14.0, -9.0]),
    st.booleans(),
)
def test_corrections_equal_trying_everything(
    case: Case,
    wrong: dict[str, float],
    biased: WordBiases,
    count: int,
    least: float,
    finished: bool,
) -> None:
    """The rank is the sum of log-probability, likeliest typo and boost.

    Prefixes are completed to all words, finished words are not.
    """
    slip = TypoQuery(wrong, least)
    search = tiny_search(count, max_expansions=20_000)
    found = _corrected(case, slip, search, biased, finished)
    tried = _tried(case, slip, biased, finished)
    ranks = sorted((rank for rank, _ in tried.values()), reverse=True)[:count]
    assert [tried[word.word][0] for word in found.words] == pytest.approx(ranks)
    assert [word.log_prob for word in found.words] == pytest.approx(
        [tried[word.word][1] for word in found.words]
    )
    assert len({word.word for word in found.words}) == len(found.words)
    assert found.exact


@given(cases, corrections_of, st.integers(1, 6), st.booleans())
def test_what_is_not_accepted_or_too_unlikely_is_no_correction(
    case: Case, wrong: dict[str, float], count: int, finished: bool
) -> None:
    """Corrections are accepted words that are likely enough by themselves."""

    def accepts(word: str) -> bool:
        return not word.endswith("b")

    slip, search = TypoQuery(wrong), tiny_search(count, accepts=accepts, min_log_prob=-7.0)
    found = _corrected(case, slip, search, WordBiases(), finished)
    tried = _tried(case, slip, WordBiases(), finished)
    ranks = [rank for word, (rank, mixed) in tried.items() if accepts(word) and mixed >= -7.0]
    assert [tried[word.word][0] for word in found.words] == pytest.approx(
        sorted(ranks, reverse=True)[:count]
    )


@given(cases, corrections_of, st.integers(1, 6))
def test_batch_size_changes_no_result(case: Case, wrong: dict[str, float], count: int) -> None:
    """Expanding nodes one at a time or many at once gives the same words and bits."""
    expected = _corrected(case, TypoQuery(wrong), tiny_search(count), WordBiases(), False)
    for rows, margin in ((1, 1.0), (50, math.inf)):
        params = tiny_search(count, batch_rows=rows, ranked_batch_margin=margin)
        found = _corrected(case, TypoQuery(wrong), params, WordBiases(), False)
        assert found.words == expected.words


@given(cases, corrections_of, biases, st.integers(1, 6), st.integers(1, 5), st.booleans())
def test_the_row_limit_is_kept_and_reported(
    case: Case,
    wrong: dict[str, float],
    biased: WordBiases,
    count: int,
    bound: int,
    finished: bool,
) -> None:
    """Biased and other words each keep to the limit; `exact` means the best of all."""
    found = _corrected(
        case, TypoQuery(wrong), tiny_search(count, max_expansions=bound), biased, finished
    )
    assert found.expansions <= 2 * bound
    if found.exact:
        search = tiny_search(count, max_expansions=20_000)
        assert found.words == _corrected(case, TypoQuery(wrong), search, biased, finished).words


def test_without_typos_no_row_is_requested() -> None:
    """Without possible typos there is no search."""
    case = Case(FakeModel.random(AdaptiveSoftmaxLayout((6, TOKENIZER.size)), 5), 2)
    biased = WordBiases({"a": WordBias(0.0, 50.0)})
    for finished in (True, False):
        assert _corrected(case, TypoQuery({}), tiny_search(3), biased, finished) == SearchResult()
