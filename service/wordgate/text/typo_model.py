"""Noisy-channel error model: the probability of typing one word when another was intended.

Kernighan, Church and Gale 1990, "A spelling correction program based on a noisy channel model".
Typing errors are an adjacent key, two letters transposed, a letter omitted or a letter doubled.
Spelling errors are a missing apostrophe, `ie` for `ei`, a double letter written once, a wrong vowel
and an extra letter. A word has one error, a long word up to two. The probabilities are per position
in a word. They are set by hand, not learned. Those of spelling errors also allow for misspelled
words in the model's training text.
"""

import math
from collections.abc import Callable, Iterator
from itertools import chain

from wordgate.text.cooperative_steps import Steps

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHIFTS = (0.0, 0.25, 0.75)
"""Horizontal offset of each row of a QWERTY keyboard, in keys."""

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
"""Minimum length of a word for a wrong vowel or an extra letter. Shorter words that differ so
little are usually different words."""

MIN_LETTERS_FOR_TWO = 8
"""Minimum length for two typos. Too many words are within two typos of a shorter word."""

_MIN_OF_TWO = 3e-5
"""Minimum joint probability of two typos. Less likely pairs are ignored."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz'"

MAX_LETTERS = 40
"""Longer words are not corrected: the number of candidates grows quadratically."""


def _neighbours() -> dict[str, str]:
    """Return, for each letter, the letters on adjacent keys."""
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
    """Return the texts one typo away from `typed`, each with log P(typed | text).

    `typed` is in normal form. Logarithms are natural. If several typos give the same text, the
    likeliest counts. An unfinished word does not miss a letter at its end. The result is empty if
    `typed` is not made of letters or has more than `MAX_LETTERS` characters.
    """
    if not _is_of_letters(typed):
        return {}
    corrections: dict[str, float] = {}
    for text, probability in chain(_alternatives(typed, is_finished), _spellings(typed)):
        if text != typed:
            corrections[text] = max(corrections.get(text, -math.inf), math.log(probability))
    return corrections


def apostrophe_corrections_of(typed: str) -> dict[str, float]:
    """Return the texts that differ only by a missing apostrophe, with log P(typed | text)."""
    if not _is_of_letters(typed) or "'" in typed:
        return {}
    return {text: math.log(_LOST_APOSTROPHE) for text in _with_apostrophe(typed)}


def two_typo_corrections_of(
    typed: str, begins: Callable[[str], bool], is_word: Callable[[str], bool]
) -> Steps[dict[str, float]]:
    """Return the words two typos away from a long word, each with log P(typed | word).

    `typed` is in normal form. Each typo is a spelling error, other than a missing apostrophe, or a
    missing letter. `begins` tells whether any word has a given prefix; it prunes the search at the
    second typo. `is_word` tells whether a text is a word.
    """
    corrections: dict[str, float] = {}
    if len(typed) < MIN_LETTERS_FOR_TWO or not _is_of_letters(typed) or "'" in typed:
        return corrections
    for place in range(1, len(typed) + 1):
        for once, first in _typos_at(typed, place):
            least = _MIN_OF_TWO / first
            for later in range(place, len(once) + 1):
                if not begins(once[:later]):
                    break
                for twice, second in _typos_at(once, later):
                    if second >= least and twice != typed and is_word(twice):
                        corrections[twice] = max(
                            corrections.get(twice, -math.inf), math.log(first * second)
                        )
            yield
    return corrections


def _typos_at(typed: str, place: int) -> Iterator[tuple[str, float]]:
    """Yield the corrections of a spelling error or a missing letter at an index."""
    yield from ((text, p) for text, p in _spellings_at(typed, place) if p < _LOST_APOSTROPHE)
    yield from ((text, _MISSING) for text in _with_letter_at(typed, place) if "'" not in text)


def _is_of_letters(typed: str) -> bool:
    return len(typed) <= MAX_LETTERS and typed.replace("'", "").isalpha()


def typos_of(word: str) -> dict[str, float]:
    """Return the typing errors of a word in normal form, each with P(typed | word)."""
    found: dict[str, float] = {}
    for place, letter in enumerate(word):
        before, after = word[:place], word[place + 1 :]
        beside = NEIGHBOURS.get(letter, "")
        typos = [(before + other + after, _BESIDE / len(beside)) for other in beside]
        typos += [(before + after, _MISSING), (before + letter + letter + after, _DOUBLED)]
        if after:
            typos.append((before + after[0] + letter + after[1:], _SWAPPED))
        for typed, probability in typos:
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
    """Yield the word with one letter inserted."""
    for place in range(len(typed) + is_finished):
        yield from _with_letter_at(typed, place)


def _with_letter_at(typed: str, place: int) -> Iterator[str]:
    for letter in _LETTERS:
        yield typed[:place] + letter + typed[place:]


def _with_apostrophe(typed: str) -> Iterator[str]:
    for place in range(1, len(typed)):
        yield f"{typed[:place]}'{typed[place:]}"


def _spellings(typed: str) -> Iterator[tuple[str, float]]:
    """Yield the corrections of a spelling error after the first letter, with its probability."""
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
