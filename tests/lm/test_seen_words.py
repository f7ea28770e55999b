"""The training vocabulary, and searches restricted to it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.fake_model import FakeModel
from tests.tiny_models import CANONICAL, Case, cases, tiny_search
from tests.vocabularies import trained

from wordgate.decoding.options import BoostedWord, ContinuousCache, Options
from wordgate.decoding.prediction import Query, predict
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.decoding.search import SearchParams, SearchResult
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import run_to_completion
from wordgate.lm.seen_words import SeenWords
from wordgate.lm.state_store import NullStateStore

TOKENIZER = trained()
LEVELS = AdaptiveSoftmaxLayout((200, 400, TOKENIZER.size))
MODEL = FakeModel.random(LEVELS, seed=11, spread=2.0)
SEEN = ("sea", "seas", "season", "the", "then", "lake", "thé", "t")
LANGUAGE = Lexicon(TOKENIZER, LEVELS, never_suggested={"lake"}, seen=SeenWords(SEEN))

prefixes = st.sampled_from(["", "a", "b", "ab", "é", "éa", ".", "x", "aaaa"])
seen_words = st.sets(st.sampled_from([word for word, _ in CANONICAL]), max_size=60)


def _predict(history: str, prefix: str = "", **options: Any) -> PredictionResult:
    query = Query(history, prefix, Options(**options))
    return run_to_completion(predict(LANGUAGE, NullStateStore(MODEL.start), query), MODEL)


def _texts(history: str, prefix: str = "", **options: Any) -> set[str]:
    return {each.text.lower() for each in _predict(history, prefix, **options).suggestions}


@given(cases, prefixes, st.integers(1, 12), seen_words, st.integers(0, 20))
def test_a_search_for_seen_words_equals_trying_them_all(
    case: Case, prefix: str, count: int, seen: set[str], few: int
) -> None:
    """The result is bit-identical to filtering all words, for small and large vocabularies."""
    params = SearchParams(count, prefix.encode(), seen=SeenWords(seen), few_seen_words=few)
    found = case.search(params)
    assert found.words == [each for each in case.enumerate(prefix) if each.word in seen][:count]
    assert found.exact


@given(cases, prefixes, seen_words)
def test_seen_words_and_marks_are_found_together(case: Case, prefix: str, seen: set[str]) -> None:
    """Where marks may be suggested, they need not be in the vocabulary."""
    search = tiny_search(
        1000, prefix.encode(), seen=SeenWords(seen).and_marks(), max_expansions=10_000
    )
    found = case.search(search).words
    allowed = {each.word for each in found}
    assert {each.word for each in case.enumerate(prefix) if each.word in seen} <= allowed
    assert all(word in seen or not word[0].isalnum() for word in allowed)
    marks = {each.word for each in case.enumerate(prefix) if each.word in (".", "'")}
    assert marks <= allowed


def test_a_beginning_of_no_seen_word_is_answered_without_a_row() -> None:
    """A prefix without seen words makes no model request."""
    levels = AdaptiveSoftmaxLayout((100, TOKENIZER.size))
    model = FakeModel.random(levels, 3)
    case = Case(model, -1)
    assert case.search(SearchParams(5, b"xqz", seen=SeenWords(SEEN))) == SearchResult()
    assert not model.calls


def test_beginnings_are_told_by_their_bytes() -> None:
    """A prefix may end inside a character."""
    seen = SeenWords(SEEN)
    assert len(seen) == len(SEEN)
    assert "season" in seen
    assert "seaso" not in seen
    assert seen.begins("thé".encode()[:-1])
    assert not seen.begins(b"sx")
    assert not seen.goes_on(b"season")
    assert seen.few_from(b"sea", 3) == ["sea", "seas", "season"]
    assert seen.few_from(b"sea", 2) is None
    assert seen.few_from(b"x", 2) == []


def test_only_seen_words_are_suggested() -> None:
    """Only seen words are suggested, also in phrases, unless the options allow others."""
    options: dict[str, Any] = {
        "max_suggestions": 100,
        "max_phrase_words": 2,
        "max_expansions": 5000,
    }
    found = _texts("the", **options, min_phrase_probability=0.01)
    words = {word for text in found for word in text.split()}
    assert words <= {*SEEN} - {"lake"}
    assert {"sea", "the"} <= words
    assert "sea" in _texts("the", "sea", **options) <= {"sea", "seas", "season"}
    assert len(_texts("the", "sea", allow_unseen_words=True, max_suggestions=10)) == 10


def test_what_is_hardly_possible_is_suggested_only_if_anything_may_be() -> None:
    """Words below probability 1e-12 are not suggested unless listed or unseen words are allowed."""
    found = _predict("the", max_suggestions=100, max_expansions=5000).suggestions
    assert min(each.probability for each in found) >= 1e-12
    free = _predict("the", "zqxjv", allow_unseen_words=True).suggestions
    assert any(each.probability < 1e-12 for each in free)


def test_a_prefix_that_no_seen_word_has_is_answered_with_nothing() -> None:
    """The result is empty and exact, without a search."""
    assert _predict("the", "zq") == PredictionResult([], "zq", True, 0, LANGUAGE.model)


def test_listed_words_and_those_of_the_text_need_not_be_seen() -> None:
    """A boosted word is suggested however unlikely, and so is a word of the continuous cache."""
    own = [BoostedWord("Wrdgt", 0.1)]
    assert _texts("the", "wr", boosted_words=own) == {"wrdgt"}
    cache = ContinuousCache(0.5, 0.0)
    assert _texts("wrdgt sea wrdgt", "wr", continuous_cache=cache) == {"wrdgt"}
    assert _texts("wrdgt sea wrdgt", "wr") == set()


def test_corrections_are_seen_words() -> None:
    """Corrections are words of the training vocabulary."""
    found = _predict("the", "thw", max_corrections=50, max_suggestions=1).suggestions
    assert {each.text.lower() for each in found} <= {*SEEN}
    assert found


def test_marks_need_not_be_seen() -> None:
    """Marks are suggested with the seen words if the options allow punctuation."""
    found = _texts("the", allow_punctuation=True, max_suggestions=100)
    assert any(not text[0].isalnum() for text in found)
    assert all(text in SEEN for text in found if text[0].isalnum())
