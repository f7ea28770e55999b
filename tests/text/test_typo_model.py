"""Typing and spelling errors, in both directions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgate.text.cooperative_steps import finish
from wordgate.text.typo_model import (
    MAX_LETTERS,
    NEIGHBOURS,
    apostrophe_corrections_of,
    corrections_of,
    two_typo_corrections_of,
    typos_of,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
words = st.text(LETTERS, min_size=1, max_size=7).filter(lambda word: word.strip("'") != "")


def test_neighbours_touch_both_ways() -> None:
    """Adjacency of keys is symmetric, and no key is adjacent to itself."""
    assert set(NEIGHBOURS) == set("abcdefghijklmnopqrstuvwxyz")
    for letter, beside in NEIGHBOURS.items():
        assert letter not in beside
        assert all(letter in NEIGHBOURS[other] for other in beside)
    assert set(NEIGHBOURS["g"]) == set("fhtyvb")


@given(words)
def test_every_typo_of_a_word_is_corrected_to_it(word: str) -> None:
    """P(typed | word) agrees in both directions, or is higher if a spelling error also fits."""
    for typed, probability in typos_of(word).items():
        if typed.strip("'"):
            assert corrections_of(typed, is_finished=True)[word] >= math.log(probability) - 1e-9


@given(words)
def test_every_correction_has_the_typed_word_as_a_typo(typed: str) -> None:
    """Corrections that are not typing errors are spelling errors after the first letter."""
    for word, log_probability in corrections_of(typed, is_finished=True).items():
        by_finger = typos_of(word).get(typed, 0.0)
        if not by_finger or log_probability > math.log(by_finger) + 1e-9:
            assert word[0] == typed[0]
            assert abs(len(word) - len(typed)) <= 1


@given(words)
def test_an_unfinished_word_lacks_nothing_at_its_end(typed: str) -> None:
    """A letter after the end is not missing but not typed yet. Other corrections are the same."""
    finished, unfinished = (corrections_of(typed, is_finished) for is_finished in (True, False))
    assert unfinished.items() <= finished.items() or all(
        finished[word] >= value for word, value in unfinished.items()
    )
    only_finished = set(finished) - set(unfinished)
    assert all(word[:-1] == typed for word in only_finished)


def test_each_kind_of_typing_error_is_corrected() -> None:
    """An adjacent key, a transposition, a missing letter and a doubled one are corrected.

    If several typos give the same text, the likeliest counts.
    """
    found = corrections_of("teh", is_finished=True)
    assert found["the"] == math.log(0.005)
    assert found["tea"] if "a" in NEIGHBOURS["h"] else "tea" not in found
    assert found["ten"] == pytest.approx(math.log(0.01 / len(NEIGHBOURS["n"])))
    assert found["teah"] == math.log(0.006)
    assert corrections_of("thhe", is_finished=True)["the"] == math.log(0.004)


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("dont", "don't"),
        ("im", "i'm"),
        ("recieve", "receive"),
        ("beleive", "believe"),
        ("calender", "calendar"),
        ("definately", "definitely"),
        ("occured", "occurred"),
        ("arguement", "argument"),
    ],
)
def test_each_kind_of_spelling_error_is_corrected(typed: str, word: str) -> None:
    """A missing apostrophe, `ie`, a vowel, a double letter and an extra letter are corrected."""
    assert word in corrections_of(typed, is_finished=True)


def test_a_missing_apostrophe_is_by_far_the_likeliest_typo() -> None:
    """It is ten times as likely as any other typo, and can be searched for alone."""
    found = corrections_of("wont", is_finished=True)
    others = [value for word, value in found.items() if "'" not in word]
    assert found["won't"] > max(others) + math.log(10)
    assert apostrophe_corrections_of("wont")["won't"] == found["won't"]
    assert apostrophe_corrections_of("won't") == apostrophe_corrections_of("4x") == {}


def _by_two(typed: str, *words: str) -> dict[str, float]:
    def begins(begun: str) -> bool:
        return any(word.startswith(begun) for word in words)

    return finish(two_typo_corrections_of(typed, begins, words.__contains__))


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("accomodatian", "accommodation"),
        ("definatly", "definitely"),
        ("seperatly", "separately"),
        ("embarased", "embarrassed"),
        ("tommorow", "tomorrow"),
    ],
)
def test_a_long_word_may_have_two_typos(typed: str, word: str) -> None:
    """Both are spelling errors, or one is a missing letter. The pair is less likely than either."""
    assert set(_by_two(typed, word, "zebra")) == {word}
    assert _by_two(typed, word)[word] < math.log(0.015 * 0.015)
    assert word not in corrections_of(typed, is_finished=True)


def test_a_short_word_has_one_typo_at_most() -> None:
    """Too many other words are two typos away."""
    assert _by_two("thier", "there") == {}
    assert _by_two("seperatly", "zebra") == {}


@pytest.mark.parametrize(
    "typed", ["", "'", "''", "4th", "a-b", "a b", "🦆", "a\u0301\u0302", "z" * (MAX_LETTERS + 1)]
)
def test_only_words_of_letters_are_corrected(typed: str) -> None:
    """Digits, marks and overlong words are not corrected."""
    assert corrections_of(typed, is_finished=True) == {}
    assert corrections_of(typed, is_finished=False) == {}


@given(st.text(max_size=50))
def test_a_text_is_never_a_correction_of_itself(typed: str) -> None:
    """No text is a correction of itself, and no probability is 1 or more."""
    for is_finished in (True, False):
        found = corrections_of(typed, is_finished)
        assert typed not in found
        assert all(-10 < value < 0 for value in found.values())


@given(words)
def test_typos_of_a_word_are_rarer_than_the_word(word: str) -> None:
    """The probabilities of all typos together leave most of the mass to the intended word."""
    typos = typos_of(word)
    assert 0 < sum(typos.values()) < 0.5
    assert word not in typos
