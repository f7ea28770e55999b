"""Keystroke savings against counts worked out by hand."""

from collections.abc import Callable

import pytest

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import Kind, PredictionResult, Suggestion
from wordgate.evaluation.keystroke_savings import Savings, type_message, word_spans
from wordgate.lm.model_version import ModelVersion


def _typed(message: str, shown: Callable[[str, str], list[str]], most: int = 3) -> Savings:
    """Type a message with the suggestions that `shown` returns for a history and a prefix."""
    savings = Savings()
    typing = type_message(message, Options(max_suggestions=most), savings)
    answer: PredictionResult | None = None
    while True:
        try:
            query: Query = next(typing) if answer is None else typing.send(answer)
        except StopIteration:
            return savings
        assert query.options.max_suggestions == most
        words = [Suggestion(text, -1.0, Kind.WORD) for text in shown(query.history, query.prefix)]
        name = ModelVersion("fake", "1", "int8")
        answer = PredictionResult(words[:most], query.prefix, True, 1, name)


def test_a_word_costs_its_typed_letters_and_a_selection() -> None:
    """`sea` after one letter: two keys for four characters, including the space."""
    found = _typed("sea air", lambda past, prefix: ["sea"] if prefix == "s" else [])
    assert (found.characters, found.keys) == (7, 2 + 3)
    assert found.rate == pytest.approx(2 / 7)
    assert (found.words, found.before_first_letter) == (2, 0)


def test_marks_are_typed_and_bring_no_space() -> None:
    """A selection inserts a space only if one follows; punctuation costs one key per mark."""
    found = _typed("sea, sea", lambda past, prefix: ["sea"])
    assert found.keys == 1 + 1 + 1 + 1
    assert found.before_first_letter == 2


def test_case_counts_unless_it_is_ignored() -> None:
    """`London` is accepted for `london` only when case is ignored."""
    found = _typed("london now", lambda past, prefix: ["London"] if not past else ["now"])
    assert (found.keys, found.keys_ignoring_case) == (6 + 1 + 1, 1 + 1)


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("don't stop, it's Zoë's café", ["don't", "stop", "it's", "Zoë's", "café"]),
        ("Я не знаю, 5 лет", ["Я", "не", "знаю", "5", "лет"]),
        ("don’t 👍🏽 1/2", ["don’t", "1", "2"]),
        ("我在iPhone上。", ["我", "在", "iPhone", "上"]),
        ("ที่ดี", ["ที่", "ดี"]),
        ("a ½ ﬁn", ["a", "½", "ﬁn"]),
        ("cafe\u0301s", ["cafe\u0301s"]),
    ],
)
def test_words_are_those_of_every_script(message: str, found: list[str]) -> None:
    """Words of every script count; punctuation is typed."""
    assert [message[start:end] for start, end in word_spans(message)] == found
    savings = _typed(message, lambda past, prefix: [])
    assert (savings.words, savings.keys) == (len(found), len(message))


def test_recall_is_told_by_typed_letters() -> None:
    """A word counts from the letter at which it was found; short words drop out."""

    def shown(past: str, prefix: str) -> list[str]:
        return {"": ["a", "b", "sea"], "s": ["sea"]}.get(prefix, ["sea", "no"])

    found = _typed("sea of", shown)
    assert found.recall(3) == [0.5, 0.5, 1.0, 0.0]
    assert found.recall(1) == [0.0, 0.5, 1.0, 0.0]
    assert found.typed == [2, 2, 1, 0]
