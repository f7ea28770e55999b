"""Typing and spelling errors: how likely one text is typed where another was meant.

A noisy channel (Kernighan, Church and Gale 1990, "A spelling correction program based on a noisy
channel model"). Fingers slip: a key beside the meant one, two letters swapped, a letter missing, or
a letter doubled. Spelling slips: an apostrophe left out, `ie` for `ei`, a double letter written
once, one vowel for another, a letter too many. One slip, or in a long word two. The probabilities
are those of one place of a word, chosen and not learned; those of spelling are also what a model
has seen of such words in its training text.
"""

import math
from collections.abc import Callable, Iterator
from itertools import chain

from wordgate.text.steps import Steps

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHIFTS = (0.0, 0.25, 0.75)
"""How far each row of a QWERTY keyboard begins to the right, in keys."""

_BESIDE = 0.01
_SWAPPED = 0.005
_MISSING = 0.006
_DOUBLED = 0.004

_LOST_APOSTROPHE = 0.3
_IE_SWAPPED = 0.03
_UNDOUBLED = 0.012
_OTHER_VOWEL = 0.015
_ADDED = 0.001

_VOWELS = "aeiou"
_LONG = 7
"""Letters of a word in which one vowel may stand for another, or a letter too many; shorter words
that are so close to others are words of their own."""

LEAST_LETTERS_FOR_TWO = 8
"""Shorter words have no second slip: too many others are two slips away."""

_LEAST_OF_TWO = 3e-5
"""Of less likely pairs nothing is meant."""

_BEGINNING_WORK, _CANDIDATE_WORK = 4, 2

_LETTERS = "abcdefghijklmnopqrstuvwxyz'"

MOST_LETTERS = 40
"""Of a longer word nothing is meant: what might be grows with the square of its length."""


def _neighbours() -> dict[str, str]:
    """The letters whose keys touch each letter's."""
    places = {
        letter: (row, shift + column)
        for row, (letters, shift) in enumerate(zip(_ROWS, _SHIFTS, strict=True))
        for column, letter in enumerate(letters)
    }
    return {
        letter: "".join(
            other
            for other, (near, x) in places.items()
            if other != letter and abs(near - row) <= 1 and abs(x - column) <= 1
        )
        for letter, (row, column) in places.items()
    }


NEIGHBOURS = _neighbours()


def corrections_of(typed: str, is_finished: bool) -> dict[str, float]:
    """What may have been meant by letters in normal form, one slip away, with log P(typed | meant).

    Natural logarithms; of several slips that give the same, the likeliest counts. Of a word that
    is not finished no letter is missing at the end. Nothing for what is not made of letters, or of
    more than `MOST_LETTERS`.
    """
    if not _is_of_letters(typed):
        return {}
    found: dict[str, float] = {}
    for text, probability in chain(_alternatives(typed, is_finished), _spellings(typed)):
        if text != typed:
            found[text] = max(found.get(text, -math.inf), math.log(probability))
    return found


def apostrophe_corrections_of(typed: str) -> dict[str, float]:
    """The same of words whose apostrophe alone was left out."""
    if not _is_of_letters(typed) or "'" in typed:
        return {}
    return {text: math.log(_LOST_APOSTROPHE) for text in _with_apostrophe(typed)}


def two_typo_corrections_of(
    typed: str, begins: Callable[[str], bool], is_word: Callable[[str], bool]
) -> Steps[dict[str, float]]:
    """The words that may have been meant by a long one in normal form, two slips away.

    One of them is of spelling, but no apostrophe; the other one of spelling or a missing letter.
    `begins` says whether any word begins so: up to the second slip all is right.
    """
    found: dict[str, float] = {}
    if len(typed) < LEAST_LETTERS_FOR_TWO or not _is_of_letters(typed) or "'" in typed:
        return found
    for place in range(1, len(typed) + 1):
        for once, first in _slips_at(typed, place):
            least = _LEAST_OF_TWO / first
            looked_at = 0
            for later in range(place, len(once) + 1):
                if not begins(once[:later]):
                    break
                for twice, second in _slips_at(once, later):
                    looked_at += 1
                    if second >= least and twice != typed and is_word(twice):
                        found[twice] = max(found.get(twice, -math.inf), math.log(first * second))
            yield _BEGINNING_WORK + _CANDIDATE_WORK * looked_at
    return found


def _slips_at(typed: str, place: int) -> Iterator[tuple[str, float]]:
    """What was meant by a slip of spelling at a place, or by a letter that is missing there."""
    yield from ((text, p) for text, p in _spellings_at(typed, place) if p < _LOST_APOSTROPHE)
    yield from ((text, _MISSING) for text in _with_letter_at(typed, place) if "'" not in text)


def _is_of_letters(typed: str) -> bool:
    return len(typed) <= MOST_LETTERS and typed.replace("'", "").isalpha()


def typos_of(word: str) -> dict[str, float]:
    """What a finger may type instead of a word in normal form, with P(typed | word) of each."""
    found: dict[str, float] = {}
    for place, letter in enumerate(word):
        before, after = word[:place], word[place + 1 :]
        beside = NEIGHBOURS.get(letter, "")
        slips = [(before + other + after, _BESIDE / len(beside)) for other in beside]
        slips += [(before + after, _MISSING), (before + letter + letter + after, _DOUBLED)]
        if after:
            slips.append((before + after[0] + letter + after[1:], _SWAPPED))
        for typed, probability in slips:
            if typed not in ("", word):
                found[typed] = max(found.get(typed, 0.0), probability)
    return found


def _alternatives(typed: str, is_finished: bool) -> Iterator[tuple[str, float]]:
    for place, letter in enumerate(typed):
        before, after = typed[:place], typed[place + 1 :]
        for other in NEIGHBOURS.get(letter, ""):
            yield before + other + after, _BESIDE / len(NEIGHBOURS[other])
        if after:
            yield before + after[0] + letter + after[1:], _SWAPPED
        if after and after[0] == letter:
            yield before + after, _DOUBLED
    for text in _with_letter(typed, is_finished):
        yield text, _MISSING


def _with_letter(typed: str, is_finished: bool) -> Iterator[str]:
    """With one letter more."""
    for place in range(len(typed) + is_finished):
        yield from _with_letter_at(typed, place)


def _with_letter_at(typed: str, place: int) -> Iterator[str]:
    for letter in _LETTERS:
        yield typed[:place] + letter + typed[place:]


def _with_apostrophe(typed: str) -> Iterator[str]:
    for place in range(1, len(typed)):
        yield f"{typed[:place]}'{typed[place:]}"


def _spellings(typed: str) -> Iterator[tuple[str, float]]:
    """Yield what a spelling error after the first letter may stand for, with its probability."""
    for place in range(1, len(typed)):
        yield from _spellings_at(typed, place)


def _spellings_at(typed: str, place: int) -> Iterator[tuple[str, float]]:
    before, letter, after = typed[:place], typed[place : place + 1], typed[place + 1 :]
    if not letter:
        return
    if "'" not in typed:
        yield f"{before}'{letter}{after}", _LOST_APOSTROPHE
    yield before + letter + letter + after, _UNDOUBLED
    if letter + after[:1] in ("ie", "ei"):
        yield before + after[0] + letter + after[1:], _IE_SWAPPED
    if after[:1] == letter:
        yield before + after, _DOUBLED
    if len(typed) < _LONG:
        return
    if after:
        yield before + after, _ADDED
    if letter in _VOWELS:
        for other in _VOWELS.replace(letter, ""):
            yield before + other + after, _OTHER_VOWEL
