"""Suggestions: rejected, blocked, boosted and cached words, phrases, corrections."""

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fake_model import FakeModel
from tests.remembering import Remembering
from tests.vocabularies import TRAPS, trained

from wordgate.decoding.options import BoostedWord, ContinuousCache, LetterCase, Options
from wordgate.decoding.prediction import Query, predict
from wordgate.decoding.prediction_result import Kind, PredictionResult, Suggestion
from wordgate.lm import requests
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import CachedQueries
from wordgate.lm.context_window import read_context
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import YIELD, ModelTask, run_to_completion
from wordgate.lm.seen_words import SeenWords
from wordgate.lm.state_store import NullStateStore
from wordgate.text.normalization import normalise
from wordgate.text.typo_model import corrections_of

TOKENIZER = trained()
LEVELS = AdaptiveSoftmaxLayout((200, 400, TOKENIZER.size))
LANGUAGE = Lexicon(
    TOKENIZER, LEVELS, written={"i": "I", "london": "London"}, never_suggested={"cabinet"}
)
MODEL = FakeModel.random(LEVELS, seed=11, spread=2.0)


def _predict(
    history: str, prefix: str = "", finished: bool = False, **options: Any
) -> PredictionResult:
    query = Query(history, prefix, Options(**options), finished)
    return run_to_completion(predict(LANGUAGE, NullStateStore(MODEL.start), query), MODEL)


def _corrected(language: Lexicon, query: Query) -> list[Suggestion]:
    """Return the corrections of a finished word."""
    return run_to_completion(
        predict(language, NullStateStore(MODEL.start), query), MODEL
    ).suggestions


def _log_prob(history: str, word: str) -> float:
    """Return the log-probability of a word after a history."""
    store = NullStateStore(MODEL.start)

    def asks() -> ModelTask[float]:
        start = yield from read_context(TOKENIZER, history, store)
        return (yield from CachedQueries(TOKENIZER, LEVELS, store).word_log_prob(start, word))

    return run_to_completion(asks(), MODEL)


def _texts(found: PredictionResult, kind: Kind = Kind.WORD) -> list[str]:
    return [each.text for each in found.suggestions if each.kind is kind]


def _corrections(found: PredictionResult) -> list[Suggestion]:
    return [each for each in found.suggestions if each.kind is Kind.CORRECTION]


@pytest.mark.parametrize("case", LetterCase)
@pytest.mark.parametrize("word", ["london", "I'm", "Sea", "thé"])
def test_rejected_words_are_hidden(word: str, case: LetterCase) -> None:
    """Rejected words are hidden unless written differently.

    The next likeliest take their places.
    """
    shown: dict[str, str] = {}
    for length in range(len(word) + 1):
        typed = word[:length]
        found = _predict("the sea", typed, max_suggestions=4, letter_case=case, hide_rejected=True)
        every = _predict("the sea", typed, max_suggestions=40, letter_case=case)
        expected = [text for text in _texts(every) if shown.get(normalise(text)) != text][:4]
        assert _texts(found) == expected, typed
        shown.update((normalise(text), text) for text in expected)


def test_all_shorter_beginnings_together_need_no_more_rows_than_one_search() -> None:
    """A very long prefix is answered, and rejected words that may reappear are reported."""
    long = "zxqj" * 30
    whole = _predict("the", long, max_expansions=300).expansions
    found = _predict("the", long, hide_rejected=True, max_expansions=300)
    assert not found.exact
    assert found.expansions <= 3 * 300 + whole


def test_blocked_words_are_not_suggested() -> None:
    """Blocked words are omitted in any letter case, from phrases and corrections too."""
    first, second, *_ = _texts(_predict("the sea"))
    assert _texts(_predict("the sea", blocked_words=[first.upper()]))[0] == second
    phrases: dict[str, Any] = {"max_phrase_words": 3, "min_phrase_probability": 0.01}
    [*_, phrase] = _predict("the sea", **phrases).suggestions
    last = phrase.text.split()[-1]
    for text in _texts(_predict("the sea", blocked_words=[last], **phrases), Kind.PHRASE):
        assert last.lower() not in text.lower().split()


def test_a_blocked_phrase_is_not_completed() -> None:
    """Its last word is suggested elsewhere, but not after the others, in text or phrase."""
    first = _texts(_predict("the sea"))[0]
    assert first not in _texts(_predict("the sea", blocked_words=[f"Sea {first}"]))
    assert first in _texts(_predict("the sea", blocked_words=[f"sun {first}"]))
    phrases: dict[str, Any] = {"max_phrase_words": 3, "min_phrase_probability": 0.01}
    [*_, phrase] = _predict("the sea", **phrases).suggestions
    last_two = " ".join(phrase.text.split()[-2:])
    found = _texts(_predict("the sea", blocked_words=[last_two], **phrases), Kind.PHRASE)
    assert phrase.text not in found
    assert not any(last_two in text for text in found)


def test_a_boosted_phrase_comes_as_a_phrase_in_its_own_case() -> None:
    """It is suggested however unlikely, with its own probability.

    After its beginning, the next word is suggested.
    """
    boosted = [BoostedWord("Wrdgt Sea", 50.0)]
    phrases: dict[str, Any] = {"max_phrase_words": 2, "boosted_words": boosted}
    found = _predict("the sun", **phrases)
    assert _texts(found)[0] == "wrdgt"
    assert _texts(found, Kind.PHRASE)[0] == "Wrdgt Sea"
    [phrase, *_] = [each for each in found.suggestions if each.kind is Kind.PHRASE]
    state, total = TOKENIZER.encode("the sun")[-1], 0.0
    for token in TOKENIZER.encode("wrdgt sea"):
        total += MODEL.log_prob(state, token)
        state = token
    assert phrase.log_prob == pytest.approx(total)
    assert _texts(_predict("a wrdgt", **phrases))[0] == "Sea"
    marked = [BoostedWord("Sea-Wrdgt", 50.0)]
    assert "Sea-Wrdgt" in _texts(
        _predict("the", max_phrase_words=3, boosted_words=marked), Kind.PHRASE
    )
    for blocked in ("wrdgt", "sea - wrdgt"):
        asked = _predict("the", max_phrase_words=3, boosted_words=marked, blocked_words=[blocked])
        assert "Sea-Wrdgt" not in _texts(asked, Kind.PHRASE)


@pytest.mark.parametrize("word", ["cabinet", ".", "🦆"])
def test_a_boost_brings_no_word_that_is_not_to_be_suggested(word: str) -> None:
    """Never-suggested words stay excluded, and marks need `allow_punctuation`."""
    boosted = [BoostedWord(word, 50.0)]
    assert word not in _texts(_predict("the sea", boosted_words=boosted))
    allowed = _predict("the sea", boosted_words=boosted, allow_punctuation=True)
    assert [each.text for each in allowed.suggestions[:1]] == (
        [word] * (word != "cabinet") or [allowed.suggestions[0].text]
    )


def test_boosted_words_come_first_and_keep_their_probability() -> None:
    """A boost changes only the rank. The word is capitalised at the beginning of a sentence."""
    boosted = [BoostedWord("wrdgt", 50.0), BoostedWord("🦆", 50.0)]
    [first, *others] = _predict("the sea", boosted_words=boosted).suggestions
    state, total = TOKENIZER.encode("the sea")[-1], 0.0
    for token in TOKENIZER.encode("wrdgt"):
        total += MODEL.log_prob(state, token)
        state = token
    assert (first.text, first.log_prob) == ("wrdgt", total)
    assert others == _predict("the sea", max_suggestions=4).suggestions
    assert _texts(_predict("Yes.", boosted_words=boosted))[0] == "Wrdgt"
    assert _texts(_predict("Yes. ", "wr", boosted_words=boosted))[0] == "Wrdgt"
    assert _texts(_predict("Yes.", "x", boosted_words=boosted)) == _texts(_predict("Yes.", "x"))


def test_words_of_the_text_are_likelier_with_a_cache() -> None:
    """Cached words gain their share of the weight; with sharpness 0, by number of occurrences."""
    history = "sea london sea"
    plain = {s.text: s.probability for s in _predict(history, max_suggestions=100).suggestions}
    cached = _predict(history, continuous_cache=ContinuousCache(0.6, 0.0))
    assert _texts(cached)[:2] == ["sea", "london"]
    assert cached.suggestions[0].probability > 0.4
    for suggestion in cached.suggestions[2:]:
        assert suggestion.probability == pytest.approx(0.4 * plain[suggestion.text])
    assert _predict("", continuous_cache=ContinuousCache(0.6)) == _predict("")
    assert _predict(history, continuous_cache=ContinuousCache(0.0)) == _predict(history)


def test_phrases_follow_the_words() -> None:
    """There are at most as many phrases as words. Each begins with one of the words, not a mark."""
    asked: dict[str, Any] = {
        "max_phrase_words": 3,
        "min_phrase_probability": 0.01,
        "allow_punctuation": True,
    }
    found = _predict("the sea", max_suggestions=8, **asked)
    plain = _predict("the sea", max_suggestions=8, allow_punctuation=True)
    assert found.suggestions[:8] == plain.suggestions
    phrases = [each for each in found.suggestions[8:] if each.kind is Kind.PHRASE]
    assert phrases == found.suggestions[8:]
    assert 0 < len(phrases) <= 8
    starts = {each.text for each in plain.suggestions if each.kind is Kind.WORD}
    assert {each.text.split()[0] for each in phrases} <= starts
    log_probs = [each.log_prob for each in phrases]
    assert log_probs == sorted(log_probs, reverse=True)


SLIPS = ["teh", "lodnon", "thhe", "wbere"]


@pytest.mark.parametrize("typed", SLIPS)
def test_corrections_do_not_begin_as_typed(typed: str) -> None:
    """Corrections rank above every word with the typed prefix, also blocked or rejected ones."""
    best = _predict("the sea", typed, max_suggestions=1).suggestions
    asked = _predict("the sea", typed, max_corrections=50, max_suggestions=3)
    found = _corrections(asked)
    slips = corrections_of(typed, is_finished=False)
    assert found
    for each in found:
        word = normalise(each.text)
        assert not word.startswith(typed)
        slip = max(value for text, value in slips.items() if word.startswith(text))
        assert each.log_prob + slip > max(one.log_prob for one in best)
    blocked = [each.text for each in asked.suggestions if each.kind is Kind.WORD]
    for options in ({"blocked_words": blocked}, {"hide_rejected": True}):
        again = _predict("the sea", typed, max_corrections=50, max_suggestions=3, **options)
        assert _corrections(again) == found


def test_corrections_are_counted_from_three_letters_in_normal_form() -> None:
    """`ﬁ` and a letter are three letters; two letters and an accent are two."""
    options: dict[str, Any] = {"max_corrections": 100, "min_probability": 0.0}
    assert _corrections(_predict("the sea", "te", **options)) == []
    assert _corrections(_predict("the sea", "e\u0301t", **options)) == []
    three = _corrections(_predict("the sea", "ﬁh", **options))
    assert [normalise(each.text) for each in three] == [
        normalise(each.text) for each in _corrections(_predict("the sea", "fih", **options))
    ]


def test_unlikely_corrections_are_left_out() -> None:
    """`min_probability` applies to corrections too."""
    several = [c for typed in SLIPS for c in _corrections(_predict("the", typed, finished=True))]
    assert several
    least = max(each.probability for each in several)
    likely = [
        each
        for typed in SLIPS
        for each in _corrections(_predict("the", typed, finished=True, min_probability=least))
    ]
    assert [each.probability for each in likely] == [least]


def test_a_finished_word_that_may_be_a_misspelling_is_taken_to_be_less_likely() -> None:
    """The penalty is two nats if the word is unseen or suspect, unless the request lists it."""
    words = {word for typed in SLIPS for word in corrections_of(typed, is_finished=True)}
    every = SeenWords({*words, *SLIPS})
    known, suspect = replace(LANGUAGE, seen=every), replace(LANGUAGE, seen=every, suspect={*SLIPS})
    unseen = replace(LANGUAGE, seen=SeenWords(words - set(SLIPS)))
    more = 0
    for typed in SLIPS:
        options: dict[str, Any] = {"max_suggestions": 100, "min_probability": 0.0}
        query = Query("the", typed, Options(**options), True)
        own = Options(**options, boosted_words=[BoostedWord(typed, 0.0)])
        before = _corrected(known, query)
        after = _corrected(suspect, query)
        assert _corrected(unseen, query) == after
        assert _corrected(suspect, replace(query, options=own)) == before
        assert after[: len(before)] == before
        typed_log_prob = _log_prob("the", typed)
        for each in after[len(before) :]:
            rank = each.log_prob + corrections_of(typed, is_finished=True)[normalise(each.text)]
            assert typed_log_prob - 2.0 < rank <= typed_log_prob
        more += len(after) - len(before)
    assert more


def test_a_boosted_word_is_a_correction() -> None:
    """A user-dictionary word is offered as a correction, and is not corrected itself."""
    own = [BoostedWord("Wrdgt", 20.0)]
    typed = _predict("the", "Wrdht", finished=True, boosted_words=own)
    assert _texts(typed, Kind.CORRECTION)[:1] == ["Wrdgt"]
    begun = _predict("the", "wrdh", max_corrections=1, boosted_words=own)
    assert _texts(begun, Kind.CORRECTION) == ["Wrdgt"]
    assert _predict("the", "Wrdgt", finished=True, boosted_words=own).suggestions == []


@pytest.mark.parametrize(
    ("history", "prefix", "last"),
    [
        ("", "", ""),
        (" ", "\n", ""),
        ("...", "!?", ""),
        ("❤\ufe0f", "", ""),
        ("the Lodnon", "", "Lodnon"),
        ("the Lodnon! ", "", "Lodnon"),
        ("the", "lodnon", "lodnon"),
        ("the Lodnon", " \u201d ❤\ufe0f", "Lodnon"),
        ("a cafe\u0301", "", "cafe\u0301"),
        ("a क्षि.", "", "क्षि"),
        ("well-Knwon", "", "Knwon"),
        ("a ½", "", ""),
        ("", "don't'", "don't"),
        ("", "z" * 200, "z" * 72),
    ],
)
def test_the_last_word_is_corrected(history: str, prefix: str, last: str) -> None:
    """Marks after the word are ignored, except combining marks of its last letter."""
    found = _predict(history, prefix, finished=True)
    assert found.prefix == last
    assert all(each.kind is Kind.CORRECTION for each in found.suggestions)
    if not last:
        assert found.suggestions == []


@pytest.mark.parametrize("finished", [False, True])
def test_a_fully_cached_prediction_yields(monkeypatch: pytest.MonkeyPatch, finished: bool) -> None:
    """A long prefix whose rows are all in the store still yields to other tasks."""
    clock = itertools.count()
    monkeypatch.setattr(requests, "perf_counter", lambda: next(clock) * requests.SLICE_SECONDS / 20)
    options = Options(hide_rejected=True, max_corrections=3)
    query = Query("the", "abrakadabrasimsalabim", options, finished)
    store = Remembering(MODEL.start)
    run_to_completion(predict(LANGUAGE, store, query), MODEL)
    asks = predict(LANGUAGE, store, query)
    pauses = 0
    while (ask := next(asks, None)) is not None:
        assert ask == YIELD
        pauses += 1
    assert pauses > 2


def test_a_prefix_of_no_known_word_yields(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for rejected suggestions yields even where no search has anything to expand."""
    clock = itertools.count()
    monkeypatch.setattr(requests, "perf_counter", lambda: next(clock) * requests.SLICE_SECONDS / 4)
    language = replace(LANGUAGE, seen=SeenWords(["the"]))
    asks = predict(
        language, NullStateStore(MODEL.start), Query("", "q" * 100, Options(hide_rejected=True))
    )
    pauses = 0
    try:
        ask = next(asks)
        while True:
            pauses += ask == YIELD
            ask = asks.send(requests.run_request(ask, MODEL))
    except StopIteration:
        assert pauses > 10


ALL: dict[str, Any] = {
    "max_suggestions": 4,
    "allow_punctuation": True,
    "hide_rejected": True,
    "blocked_words": ["the", "❤\ufe0f"],
    "boosted_words": [BoostedWord("Wrdgt", 9.0), BoostedWord("🦆", 4.0), BoostedWord("sea", -3.0)],
    "max_phrase_words": 3,
    "min_phrase_probability": 0.05,
    "max_corrections": 3,
    "continuous_cache": ContinuousCache(0.2),
}
typed_texts = st.lists(
    st.sampled_from([*TRAPS, "the ", "sea", "Lon", "wrd", "teh", " ", "."]), max_size=6
).map("".join)


@settings(max_examples=40)
@given(st.lists(st.tuples(typed_texts, typed_texts, st.booleans()), min_size=1, max_size=4))
def test_what_was_asked_before_changes_no_answer(asked: list[tuple[str, str, bool]]) -> None:
    """Answers are bit-identical, whatever the store has from other requests."""
    store = Remembering(MODEL.start)
    for history, prefix, finished in [*asked, *asked]:
        query = Query(history, prefix, Options(**ALL), finished)
        remembered = run_to_completion(predict(LANGUAGE, store, query), MODEL)
        assert remembered == _predict(history, prefix, finished, **ALL)
        for each in remembered.suggestions:
            assert math.isfinite(each.log_prob)
            assert each.text == each.text.strip() != ""


@pytest.mark.parametrize("text", ["我很高兴", "ขอบคุณ", "ありがと", "the sea我"])
def test_in_scripts_without_spaces_nothing_is_begun_or_corrected(text: str) -> None:
    """Each character is a word, so suggestions are for the word after it."""
    found = _predict("", text, max_corrections=3, max_phrase_words=2)
    assert found.prefix == ""
    assert found.suggestions == _predict(text, max_phrase_words=2).suggestions
    assert _corrections(found) == []
    assert _predict("", text, finished=True).suggestions == []
    assert _predict("", f"{text}lon").prefix == "lon"
