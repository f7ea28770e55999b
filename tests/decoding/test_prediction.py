"""Next-word prediction."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.fake_model import FakeModel
from tests.vocabularies import texts, trained

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query, predict, split_typed
from wordgate.decoding.prediction_result import Kind, PredictionResult
from wordgate.errors import InvalidInput
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import NullStateStore
from wordgate.text import words
from wordgate.text.cooperative_steps import finish
from wordgate.text.normalization import normalise

TOKENIZER = trained()
LEVELS = AdaptiveSoftmaxLayout((200, 400, TOKENIZER.size))
LANGUAGE = Lexicon(
    TOKENIZER, LEVELS, written={"i": "I", "london": "London"}, never_suggested={"cabinet"}
)
MODEL = FakeModel.random(LEVELS, seed=11, spread=2.0)


def _predict(history: str, prefix: str = "", count: int = 5, **options: object) -> PredictionResult:
    wanted = Options(max_suggestions=count, **options)  # type: ignore[arg-type]
    query = Query(history, prefix, wanted)
    return run_to_completion(predict(LANGUAGE, NullStateStore(MODEL.start), query), MODEL)


def _texts(prediction: PredictionResult) -> list[str]:
    return [suggestion.text for suggestion in prediction.suggestions]


def test_suggestions_begin_with_what_was_typed() -> None:
    """The normal form of each suggestion begins with the prefix, in any letter case."""
    for prefix in ("t", "T", "th", "ﬁ", "don’"):
        found = _predict("the sun", prefix)
        assert found.suggestions
        assert all(normalise(text).startswith(normalise(prefix)) for text in _texts(found))


def test_a_prefix_of_several_words_is_history_and_a_beginning() -> None:
    """`well-kn` asks for words that begin with `kn` after `well` and a hyphen."""
    assert _predict("the", "well-kn").suggestions == _predict("the well -", "kn").suggestions
    assert _predict("", "the sea. a").suggestions == _predict("the sea .", "a").suggestions


def test_probabilities_are_the_words_own() -> None:
    """A suggestion's log-probability is not conditioned on the prefix."""
    for suggestion in _predict("the sea", "lo").suggestions:
        state, total = TOKENIZER.encode("the sea")[-1], 0.0
        for token in TOKENIZER.encode(suggestion.text):
            total += MODEL.log_prob(state, token)
            state = token
        assert suggestion.log_prob == total
        assert suggestion.probability == math.exp(total)


def test_words_are_written_as_people_write_them() -> None:
    """`i` is I, `london` is London, and a sentence begins with a capital."""
    assert "I" in _texts(_predict("the sea", "i", 20))
    assert _texts(_predict("the sea", "londo", 1)) == ["London"]
    assert _texts(_predict("", "wher", 1)) == ["Where"]
    assert _texts(_predict('Yes!" ', "wher", 1)) == ["Where"]
    assert _texts(_predict("the sea", "wher", 1)) == ["where"]


def test_some_words_are_never_suggested() -> None:
    """A never-suggested word is omitted however likely; others are not."""
    assert "cabinet" not in map(str.lower, _texts(_predict("the", "cabine", 3)))


def test_punctuation_is_suggested_when_allowed() -> None:
    """Marks are omitted by default, and have a kind of their own."""
    without = _predict("the sea", count=40, max_expansions=5000).suggestions
    assert {suggestion.kind for suggestion in without} == {Kind.WORD}
    allowed = _predict("the sea", count=40, max_expansions=5000, allow_punctuation=True).suggestions
    marks = [s.text for s in allowed if s.kind is Kind.PUNCTUATION]
    assert marks
    assert all(words.is_punctuation(mark) for mark in marks)
    likeliest = [s for s in allowed if s.kind is Kind.WORD]
    assert likeliest == without[: len(likeliest)]


def test_unlikely_words_are_left_out() -> None:
    """Only words with at least `min_probability` are suggested. No word has probability one."""
    several = _predict("the sea", count=20).suggestions
    least = several[4].probability
    found = _predict("the sea", count=20, min_probability=least * 0.999)
    assert found.suggestions == several[:5]
    assert found.exact
    assert _predict("the sea", min_probability=1.0).suggestions == []


def test_an_overlong_prefix_is_split_at_the_maximum_word_length() -> None:
    """128 letters are a complete word, which counts as history. The rest is the prefix."""
    found = _predict("the sea", "z" * 128 + "c")
    assert found.prefix == "c"
    assert found == _predict("the sea " + "z" * 128, "c")


@pytest.mark.parametrize("letters", ["z" * 128, "é" * 256, "z" * 127 + "9"])
def test_a_word_of_maximum_length_is_history(letters: str) -> None:
    """The search is for the next word, not for one that begins with 128 letters."""
    found = _predict("the sea", letters)
    assert found.prefix == ""
    assert found == _predict(f"the sea {letters} ")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"max_suggestions": 0}, "max_suggestions"),
        ({"max_suggestions": 101}, "max_suggestions"),
        ({"max_expansions": 0}, "max_expansions"),
        ({"max_expansions": 10**6}, "max_expansions"),
        ({"min_probability": -0.1}, "min_probability"),
        ({"min_probability": 1.1}, "min_probability"),
        ({"min_probability": math.nan}, "min_probability"),
    ],
)
def test_values_outside_their_limits_are_named(options: dict[str, float], field: str) -> None:
    """The error names the invalid field."""
    with pytest.raises(InvalidInput) as refused:
        Options(**options)  # type: ignore[arg-type]
    assert refused.value.field == field


@pytest.mark.parametrize(("history", "prefix"), [("\ud800", ""), ("", "\ud800")])
def test_surrogates_are_named(history: str, prefix: str) -> None:
    """Text that is not Unicode is rejected with its field."""
    with pytest.raises(InvalidInput) as refused:
        _predict(history, prefix)
    assert refused.value.field == ("history" if history else "prefix")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("", "")),
        ("The  Qui", ("The  ", "Qui")),
        ("The ", ("The ", "")),
        ("Well-Kn", ("Well-", "Kn")),
        ("a\0B", ("a\0", "B")),
        ("“Don’", ("“", "Don’")),
        ("❤\ufe0fLov", ("❤\ufe0f", "Lov")),
        ("ﬁ", ("", "ﬁ")),
        ("½", ("½", "")),
        ("cafe\u0301", ("", "cafe\u0301")),
    ],
)
def test_a_typed_text_is_cut_verbatim(text: str, expected: tuple[str, str]) -> None:
    """History and prefix are returned as typed."""
    assert split_typed(text) == expected


@given(texts)
@example("a ½")
@example("℀b")
def test_cutting_a_typed_text_loses_nothing(text: str) -> None:
    """Both parts together are the text, and the second begins a single word."""
    complete, begun = split_typed(text)
    assert complete + begun == text
    normal = normalise(begun)
    assert finish(words.splitting_last(normal)) == ("", normal)


@given(st.sampled_from(["i", "london", "sea", "'tis", "ß"]))
def test_a_capital_is_owed_only_where_the_form_has_none(word: str) -> None:
    """Inside a sentence a word has its usual form. At its beginning it has at least one capital."""
    assert LANGUAGE.write(word, begins_sentence=False) == LANGUAGE.written.get(word, word)
    begun = LANGUAGE.write(word, begins_sentence=True)
    assert normalise(begun) == normalise(word) or word == "ß"
