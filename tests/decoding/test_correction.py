"""Typo correction, compared with enumeration of all words."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.decoding.test_biasing import biases
from tests.fake_model import FakeModel
from tests.tiny_models import LONGEST, PIECES, Case, cases

from wordgate.decoding import correction
from wordgate.decoding import search as searching
from wordgate.decoding.biasing import WordBias, WordBiases
from wordgate.decoding.correction import TypoQuery, corrected_beginnings, corrected_words
from wordgate.decoding.search import SearchParams, SearchResult
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import run_to_completion

corrections_of = st.dictionaries(
    st.text("abé'.", min_size=1, max_size=4).filter(
        lambda text: len(PIECES.encode_word(text)) <= LONGEST
    ),
    st.sampled_from([-4.6, -5.1, -5.5, -6.4]),
    max_size=12,
)
_patched = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _three_pieces_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_MAX_PIECES", LONGEST)
    monkeypatch.setattr(correction, "_MAX_PIECES", LONGEST)


def _corrected(
    case: Case, slip: TypoQuery, search: SearchParams, biased: WordBiases, is_finished: bool
) -> SearchResult:
    correct = corrected_words if is_finished else corrected_beginnings
    where = PIECES, case.model.levels, case.context
    return run_to_completion(correct(*where, slip, search, biased, case.store), case.model)


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
            if rank > slip.least_rank:
                found[word] = (rank, mixed)
    return found


@_patched
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
    search = SearchParams(count, max_expansions=20_000)
    found = _corrected(case, slip, search, biased, finished)
    tried = _tried(case, slip, biased, finished)
    ranks = sorted((rank for rank, _ in tried.values()), reverse=True)[:count]
    assert [tried[word.word][0] for word in found.words] == pytest.approx(ranks)
    assert [word.log_prob for word in found.words] == pytest.approx(
        [tried[word.word][1] for word in found.words]
    )
    assert len({word.word for word in found.words}) == len(found.words)
    assert found.exact


@_patched
@given(cases, corrections_of, st.integers(1, 6), st.booleans())
def test_what_is_not_accepted_or_too_unlikely_is_no_correction(
    case: Case, wrong: dict[str, float], count: int, finished: bool
) -> None:
    """Corrections are accepted words that are likely enough by themselves."""

    def accepts(word: str) -> bool:
        return not word.endswith("b")

    slip, search = TypoQuery(wrong), SearchParams(count, accepts=accepts, min_log_prob=-7.0)
    found = _corrected(case, slip, search, WordBiases(), finished)
    tried = _tried(case, slip, WordBiases(), finished)
    ranks = [rank for word, (rank, mixed) in tried.items() if accepts(word) and mixed >= -7.0]
    assert [tried[word.word][0] for word in found.words] == pytest.approx(
        sorted(ranks, reverse=True)[:count]
    )


@_patched
@given(cases, corrections_of, st.integers(1, 6))
def test_batch_size_changes_no_result(
    monkeypatch: pytest.MonkeyPatch, case: Case, wrong: dict[str, float], count: int
) -> None:
    """Expanding nodes one at a time or many at once gives the same words and bits."""
    ask = case, TypoQuery(wrong), SearchParams(count), WordBiases(), False
    expected = _corrected(*ask)
    for together, worth in ((1, 1.0), (50, math.inf)):
        with monkeypatch.context() as patched:
            patched.setattr(correction, "_BATCH_ROWS", together)
            patched.setattr(correction, "_BATCH_MARGIN", worth)
            assert _corrected(*ask).words == expected.words


@_patched
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
        case, TypoQuery(wrong), SearchParams(count, max_expansions=bound), biased, finished
    )
    assert found.expansions <= 2 * bound
    if found.exact:
        search = SearchParams(count, max_expansions=20_000)
        assert found.words == _corrected(case, TypoQuery(wrong), search, biased, finished).words


def test_without_typos_no_row_is_requested() -> None:
    """Without possible typos there is no search."""
    case = Case(FakeModel.random(AdaptiveSoftmaxLayout((6, PIECES.size)), 5), 2)
    biased = WordBiases({"a": WordBias(0.0, 50.0)})
    for finished in (True, False):
        assert _corrected(case, TypoQuery({}), SearchParams(3), biased, finished) == SearchResult()
