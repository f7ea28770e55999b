"""Slips of the finger, both ways, and of spelling."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgate.text.steps import finish
from wordgate.text.typo_model import (
    MOST_LETTERS,
    NEIGHBOURS,
    apostrophe_corrections_of,
    corrections_of,
    two_typo_corrections_of,
    typos_of,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
words = st.text(LETTERS, min_size=1, max_size=7).filter(lambda word: word.strip("'") != "")


def test_neighbours_touch_both_ways() -> None:
    """A key is beside its neighbour's neighbour; no key is beside itself."""
    assert set(NEIGHBOURS) == set("abcdefghijklmnopqrstuvwxyz")
    for letter, beside in NEIGHBOURS.items():
        assert letter not in beside
        assert all(letter in NEIGHBOURS[other] for other in beside)
    assert set(NEIGHBOURS["g"]) == set("fhtyvb")


@given(words)
def test_whatever_may_be_typed_leads_back_to_the_word(word: str) -> None:
    """P(typed | meant) is the same from both sides; more where it may be a slip of spelling."""
    for typed, probability in typos_of(word).items():
        if typed.strip("'"):
            assert corrections_of(typed, is_finished=True)[word] >= math.log(probability) - 1e-9


@given(words)
def test_whatever_may_be_meant_can_be_typed_so(typed: str) -> None:
    """The other way round: what no finger did is a slip of spelling behind the first letter."""
    for word, log_probability in corrections_of(typed, is_finished=True).items():
        by_finger = typos_of(word).get(typed, 0.0)
        if not by_finger or log_probability > math.log(by_finger) + 1e-9:
            assert word[0] == typed[0]
            assert abs(len(word) - len(typed)) <= 1


@given(words)
def test_an_unfinished_word_lacks_nothing_at_its_end(typed: str) -> None:
    """The letter after the last one is not missing, it is not typed yet; all else is the same."""
    finished, unfinished = (corrections_of(typed, is_finished) for is_finished in (True, False))
    assert unfinished.items() <= finished.items() or all(
        finished[word] >= value for word, value in unfinished.items()
    )
    only_finished = set(finished) - set(unfinished)
    assert all(word[:-1] == typed for word in only_finished)


def test_each_kind_of_slip_is_put_right() -> None:
    """A key beside, swapped letters, a missing and a doubled one; of equal results the likeliest
    counts."""
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
def test_each_kind_of_spelling_is_put_right(typed: str, word: str) -> None:
    """An apostrophe, `ie`, a vowel, a double letter, a letter too many."""
    assert word in corrections_of(typed, is_finished=True)


def test_a_lost_apostrophe_is_by_far_the_likeliest_slip() -> None:
    """Ten times as likely as any other, and looked for by itself too."""
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
def test_a_long_word_may_have_two_slips(typed: str, word: str) -> None:
    """Both of spelling, or one of them a missing letter; less likely than either."""
    assert set(_by_two(typed, word, "zebra")) == {word}
    assert _by_two(typed, word)[word] < math.log(0.015 * 0.015)
    assert word not in corrections_of(typed, is_finished=True)


def test_a_short_word_has_one_slip_at_most() -> None:
    """Too many others are two slips away."""
    assert _by_two("thier", "there") == {}
    assert _by_two("seperatly", "zebra") == {}


@pytest.mark.parametrize(
    "typed", ["", "'", "''", "4th", "a-b", "a b", "🦆", "a\u0301\u0302", "z" * (MOST_LETTERS + 1)]
)
def test_nothing_is_meant_by_what_is_no_word_of_letters(typed: str) -> None:
    """Digits, marks and words longer than any are taken as they are."""
    assert corrections_of(typed, is_finished=True) == {}
    assert corrections_of(typed, is_finished=False) == {}


@given(st.text(max_size=50))
def test_whatever_is_typed_is_never_meant_itself(typed: str) -> None:
    """No text, however odd, is a slip of itself, nor anything certain."""
    for is_finished in (True, False):
        found = corrections_of(typed, is_finished)
        assert typed not in found
        assert all(-10 < value < 0 for value in found.values())


@given(words)
def test_slips_of_a_word_are_rarer_than_the_word(word: str) -> None:
    """All of them together leave most of the probability to what was meant."""
    assert 0 < sum(typos_of(word).values()) < 0.5
    assert word not in typos_of(word)
