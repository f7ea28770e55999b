"""Slips of the finger: how likely somebody who meant one beginning of a word typed another.

Knows letters and a keyboard; does not know words. A noisy channel (Kernighan, Church and Gale 1990,
"A spelling correction program based on a noisy channel model") with at most one slip: a key beside
the meant one, two letters swapped, a letter missing, or a letter doubled. The probabilities are
those of one place of a word, chosen and not learned: a slip of some kind at one letter in forty.
"""

import math
from collections.abc import Iterator

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHIFTS = (0.0, 0.25, 0.75)
"""How far each row of a QWERTY keyboard begins to the right, in keys."""

_BESIDE = 0.01
_SWAPPED = 0.005
_MISSING = 0.006
_DOUBLED = 0.004

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


def meant(typed: str, is_finished: bool) -> dict[str, float]:
    """What may have been meant by letters in normal form, one slip away, with log P(typed | meant).

    Natural logarithms; of several slips that give the same, the likeliest counts. Of a word that
    is not finished no letter is missing at the end. Nothing for what is not made of letters, or of
    more than `MOST_LETTERS`.
    """
    if len(typed) > MOST_LETTERS or not typed.replace("'", "").isalpha():
        return {}
    found: dict[str, float] = {}
    for text, probability in _alternatives(typed, is_finished):
        if text != typed:
            found[text] = max(found.get(text, -math.inf), math.log(probability))
    return found


def slips_of(word: str) -> dict[str, float]:
    """What may be typed instead of a word in normal form, with P(typed | word) of each."""
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
    for place in range(len(typed) + is_finished):
        for letter in _LETTERS:
            yield typed[:place] + letter + typed[place:], _MISSING
