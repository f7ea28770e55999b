"""Rescoring of n-best lists."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fake_model import FakeModel
from tests.vocabularies import texts, trained

from wordgate.errors import InvalidInput
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import NullStateStore
from wordgate.scoring.hypothesis import Hypothesis, TimeSpan
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS, Ranking, rescore
from wordgate.scoring.score_weights import ACOUSTIC, Boost, ScoreWeights
from wordgate.scoring.scoring import MAX_CANDIDATE_TOKENS, score_texts

LEVELS = AdaptiveSoftmaxLayout((200, 400, trained().size))
LANGUAGE = Lexicon(trained(), LEVELS)
MODEL = FakeModel.random(LEVELS, seed=5)
WORDS = ["sun", "sea", "the", "tea"]


def _ranked(
    hypotheses: list[Hypothesis],
    score_weights: ScoreWeights | None = None,
    history: str = "",
    bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
) -> Ranking:
    store = NullStateStore(MODEL.start)
    asks = rescore(
        LANGUAGE, store, history, hypotheses, score_weights or ScoreWeights(), True, bounds
    )
    return run_to_completion(asks, MODEL)


def _heard(text: str, acoustic: float, **others: float) -> Hypothesis:
    return Hypothesis(text, {ACOUSTIC: acoustic, **others})


def test_a_total_is_the_weighted_sum_of_its_parts() -> None:
    """Scores, language model, word insertion bonus and boosts add up; each part is reported."""
    score_weights = ScoreWeights(8.0, -2.0, {"first": 0.5}, [Boost("the sun", 3.0)])
    heard = [_heard("The sun", -100.0, first=-10.0), _heard("a son or so", -90.0, first=-4.0)]
    ranking = _ranked(heard, score_weights, "under")
    texts_of = [hypothesis.text for hypothesis in heard]
    scored = run_to_completion(
        score_texts(LANGUAGE, NullStateStore(MODEL.start), "under", texts_of), MODEL
    )
    by_index = {found.index: found for found in ranking.transcripts}
    assert by_index[0].total == pytest.approx(-100 - 5 + 8 * scored[0].log_prob - 4 + 3)
    assert by_index[1].total == pytest.approx(-90 - 2 + 8 * scored[1].log_prob - 8)
    assert [by_index[i].log_prob for i in (0, 1)] == [found.log_prob for found in scored]
    assert (by_index[0].boost, by_index[1].boost) == (3.0, 0.0)
    assert (by_index[1].word_count, by_index[1].scores) == (4, heard[1].scores)
    assert ranking.exact


@given(st.lists(st.tuples(texts, st.floats(-500, 0)), min_size=1, max_size=6))
def test_totals_descend_and_posteriors_sum_to_one(heard: list[tuple[str, float]]) -> None:
    """Texts are unchanged and sorted by total; posteriors and confidences are between 0 and 1."""
    ranking = _ranked([_heard(text, score) for text, score in heard], ScoreWeights(3.0))
    totals = [found.total for found in ranking.transcripts]
    assert totals == sorted(totals, reverse=True)
    assert sorted(found.index for found in ranking.transcripts) == list(range(len(heard)))
    assert all(found.text == heard[found.index][0] for found in ranking.transcripts)
    assert math.fsum(found.posterior for found in ranking.transcripts) == pytest.approx(1)
    assert len(ranking.words) == ranking.transcripts[0].word_count
    assert all(0 <= word.confidence <= 1 for word in ranking.words)
    assert all(word.text in ranking.transcripts[0].text for word in ranking.words)


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["sun", "sea", "the", "tea"]), max_size=4), st.integers(-6, 0)
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(1, 9),
)
def test_max_transcripts_returns_the_top_of_the_full_ranking(
    heard: list[tuple[list[str], int]], wanted: int
) -> None:
    """Transcripts, totals and indices are equal; posteriors are shares of those returned."""
    score_weights = ScoreWeights(2.0, -1.5, boosts=[Boost("sun sea", 4.0)])
    hypotheses = [_heard(" ".join(said), score) for said, score in heard]
    everything = _ranked(hypotheses, score_weights, "over")
    best = _ranked(hypotheses, score_weights, "over", SearchBounds(wanted))
    expected = everything.transcripts[:wanted]
    whole = math.fsum(found.posterior for found in expected)
    assert [replace(found, posterior=0) for found in best.transcripts] == [
        replace(found, posterior=0) for found in expected
    ]
    for found, same in zip(best.transcripts, expected, strict=True):
        assert found.posterior == pytest.approx(same.posterior / whole)
    assert best.exact


def test_ties_keep_the_order_of_the_request() -> None:
    """Candidates with equal totals are returned in the order given."""
    ranking = _ranked([_heard("Sun", -1.0), _heard("sun", -1.0), _heard("SUN", -1.0)])
    assert [found.text for found in ranking.transcripts] == ["Sun", "sun", "SUN"]
    assert [word.confidence for word in ranking.words] == pytest.approx([1.0])


def test_an_empty_text_is_a_candidate() -> None:
    """An empty text only scores `<eos>`, and can win."""
    ranking = _ranked([_heard("sea sea sea", -50.0), _heard("", 0.0)])
    assert ranking.transcripts[0].text == ""
    assert ranking.words == []
    assert (ranking.differences[0].start, ranking.differences[0].runner_up_end) == (0, 3)


def test_words_have_the_time_of_their_token() -> None:
    """Times are per white-space-separated token; a word has the time of its token."""
    spans = [TimeSpan(0.0, 0.5), TimeSpan(0.5, 1.25)]
    [found] = [_ranked([Hypothesis(" well-known  Sea", {}, spans)])]
    assert [(word.text, word.time) for word in found.words] == [
        ("well", spans[0]),
        ("-", spans[0]),
        ("known", spans[0]),
        ("Sea", spans[1]),
    ]


def test_a_combining_mark_after_a_space_belongs_to_its_token() -> None:
    """The mark combines with the space, but the word has its token's time and text."""
    spans = [TimeSpan(0, 1), TimeSpan(1, 2)]
    ranking = _ranked([Hypothesis(" \u0301b c", {}, spans)])
    assert [(word.text, word.time) for word in ranking.words] == [
        ("\u0301b", spans[0]),
        ("c", spans[1]),
    ]


@pytest.mark.parametrize(
    ("heard", "score_weights", "field"),
    [
        ([], ScoreWeights(), "n_best.candidates"),
        (
            [_heard("a", 0.0), Hypothesis("b")],
            ScoreWeights(),
            "n_best.candidates[1].scores",
        ),
        (
            [_heard("a", 0.0), _heard("b", math.nan)],
            ScoreWeights(),
            "n_best.candidates[1].scores[acoustic_log_prob]",
        ),
        ([_heard("a", 0.0)], ScoreWeights(weights={"am": 1.0}), "score_weights.weights[am]"),
        ([Hypothesis("a \ud800")], ScoreWeights(), "n_best.candidates[0].text"),
        ([Hypothesis("a b", {}, [TimeSpan(0, 1)])], ScoreWeights(), "n_best.candidates[0].times"),
        (
            [Hypothesis("a", {}, [TimeSpan(2, 1)])],
            ScoreWeights(),
            "n_best.candidates[0].times[0].start_seconds",
        ),
        (
            [Hypothesis("a", {}, [TimeSpan(2, math.inf)])],
            ScoreWeights(),
            "n_best.candidates[0].times[0].end_seconds",
        ),
        (
            [Hypothesis(". " * (MAX_CANDIDATE_TOKENS + 1))],
            ScoreWeights(),
            "n_best.candidates[0].text",
        ),
        ([_heard("a", 1e308)], ScoreWeights(weights={ACOUSTIC: 1e308}), "n_best.candidates[0]"),
    ],
)
def test_the_invalid_field_of_an_n_best_list_is_named(
    heard: list[Hypothesis], score_weights: ScoreWeights, field: str
) -> None:
    """Empty lists, missing scores, and invalid numbers and times are rejected by field."""
    with pytest.raises(InvalidInput) as refused:
        _ranked(heard, score_weights)
    assert refused.value.field == field
