"""Word segmentation.

Perplexity per word, word counts, keystroke savings and confidences all use this definition:

- a word is a maximal run of letters, combining marks and digits, with apostrophes (and the
  invisible joiners of some scripts) inside: `don't` is one word, `well-known` is three;
- in scripts that write no spaces between words (Han, Hiragana, Thai, Lao, Khmer, Myanmar, Tibetan)
  each grapheme cluster, a letter with its marks, is a word; a run of Katakana is one word;
- every other visible character is a word of its own: punctuation, symbols, an emoji with its
  modifiers and the emoji joined to it, a flag;
- white space separates words and is not part of any.

Grapheme clusters are those of Unicode text segmentation (UAX #29, version 16), with one difference:
all spacing marks of Myanmar belong to the letter before them. Han, Hiragana and Katakana follow its
word boundaries. In the other scripts without spaces these need a dictionary, so each cluster counts
as a word. Elsewhere, numbers and abbreviations with inner marks (`3.14`, `a.m.`) are split, where
Unicode keeps them together.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import islice

from wordgate.text.cooperative_steps import Steps, finish
from wordgate.text.normalization import normalise

MAX_WORD_CHARACTERS = 128
"""Maximum word length in code points. Longer words are split; no character is lost."""

LINE_END = "\n"
"""Marks the end of a line among the words of a history. No word is white space."""

_LONG_TEXT = 1024
"""Texts longer than this, in characters, are split in several steps."""

_MATCHES = 128
"""Number of words to find per step."""

_BEFORE = 32
"""Number of preceding characters that decide whether a character begins a word."""

_INNER = ("'", "\u200c", "\u200d")
UNSPACED = (
    "\u3005-\u3007\u3021-\u3029\u3038-\u303c\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00020000-\U0003ffff"
    "\u3041-\u3096\u309d-\u309f\U0001b001-\U0001b11f\U0001b150-\U0001b152"  # Hiragana
    "\u0e01-\u0e30\u0e32-\u0e33\u0e40-\u0e46"  # Thai
    "\u0e81-\u0eb0\u0eb2-\u0eb3\u0ebd\u0ec0-\u0ec6\u0edc-\u0edf"  # Lao
    "\u1780-\u17b3\u17d7\u17dc"  # Khmer
    "\u1000-\u102a\u103f\u1050-\u1055\u105a-\u105d\u1061\u1065-\u1066\u106e-\u1070"
    "\u1075-\u1081\u108e\ua9e0-\ua9e4\ua9e6-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa76\uaa7a"
    "\uaa7e-\uaa7f"  # Myanmar
    "\u0f00\u0f40-\u0f6c\u0f88-\u0f8c"  # Tibetan
)
"""Letters of scripts that write no spaces between words, as ranges for a character class."""

_KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
_is_unspaced = re.compile(f"[{UNSPACED}{_KATAKANA}]").match
_is_word_by_itself = re.compile(f"[{UNSPACED}]").match
_LAST_CODE_POINT = 0xE01EF
_ASCII = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*|\S")
"""Equivalent pattern for ASCII text, four times as fast."""


def split(normalised: str) -> list[str]:
    """Split a text in normal form (see `normalization.normalise`) into words."""
    pattern = _ASCII if normalised.isascii() else _pattern()
    words = pattern.findall(normalised)
    if len(normalised) > MAX_WORD_CHARACTERS < max(map(len, words), default=0):
        return [part for word in words for part in _cut(word)]
    return words


def splitting(normalised: str) -> Steps[list[str]]:
    """Split in steps. Same result as `split`."""
    if len(normalised) <= _LONG_TEXT:
        yield
        return split(normalised)
    pattern = _ASCII if normalised.isascii() else _pattern()
    result = []
    for matches in _batches(pattern.finditer(normalised)):
        for match in matches:
            result += _cut(match.group())
        yield
    return result


def spans(normalised: str) -> list[tuple[int, int]]:
    """Return the span [start, end) of each word in a normalised text, in code points."""
    return finish(finding_spans(normalised))


def finding_spans(normalised: str) -> Steps[list[tuple[int, int]]]:
    """Find the spans of words in steps. Same result as `spans`."""
    spans = []
    for matches in _batches(_pattern().finditer(normalised)):
        for match in matches:
            start = match.start()
            for part in _cut(match.group()):
                spans.append((start, start + len(part)))
                start += len(part)
        yield
    return spans


def _batches(matches: Iterator[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    return iter(lambda: list(islice(matches, _MATCHES)), [])


def is_unspaced(character: str) -> bool:
    """Return whether a character belongs to a script without spaces between words."""
    return _is_unspaced(character) is not None


def is_whole_word(character: str) -> bool:
    """Return whether a letter with its marks is a word: not in Katakana, whose runs are words."""
    return _is_word_by_itself(character) is not None


def begins_word(before: str, character: str) -> bool:
    """Return whether a character after `before` begins a new word without a space.

    That is so at a word boundary where the last word or the character belongs to a script without
    spaces. Only the last characters of `before` matter.
    """
    if not before or (before.isascii() and character.isascii()):
        return False
    end = normalise(before[-_BEFORE:])
    last = split(end)[-1:]
    if not (is_unspaced(character) or (last and is_unspaced(last[0][0]))):
        return False
    after = normalise(character)
    return normalise(before[-_BEFORE:] + character) == end + after and split(end + after) == [
        *split(end),
        *split(after),
    ]


_letter_or_digit = re.compile(r"[^\W_]").search


def is_punctuation(word: str) -> bool:
    """Return whether a word is a mark or symbol: it has no letters or digits."""
    return _letter_or_digit(word) is None


def splitting_last(normalised: str) -> Steps[tuple[str, str]]:
    """Split a partly typed text into its complete words and its unfinished last word.

    The text is in normal form. The unfinished word is empty if the text ends in white space, in a
    mark, or in a script without spaces, where each letter is a word. An apostrophe after
    letters belongs to the unfinished word (`don'` may become `don't`). A word of the maximum length
    is complete, and so are the parts already split off a longer one.
    """
    end = len(normalised) - normalised.endswith(_INNER)
    last: re.Match[str] | None = None
    for matches in _batches(_pattern().finditer(normalised, 0, end)):
        last = matches[-1]
        yield
    if last is None or last.end() != end or not _may_grow(last.group()[0]):
        return normalised, ""
    length = (end - last.start()) % MAX_WORD_CHARACTERS
    if not length:
        return normalised, ""
    begun = normalised[end - length : end]
    if begun.startswith(_INNER):  # split before an apostrophe, which is then a word
        begun = _parts(begun)[-1]
    if not _may_grow(begun[0]):
        return normalised, ""
    return normalised[: end - len(begun)], normalised[end - len(begun) :]


def _cut(word: str) -> list[str]:
    if len(word) <= MAX_WORD_CHARACTERS:
        return [word]
    steps = range(0, len(word), MAX_WORD_CHARACTERS)
    slices = [word[start : start + MAX_WORD_CHARACTERS] for start in steps]
    return [part for each in slices for part in _parts(each)]


def _parts(cut: str) -> list[str]:
    """Return the words in a part of a long word. An apostrophe at an end is a word by itself."""
    return _pattern().findall(cut) if cut.startswith(_INNER) or cut.endswith(_INNER) else [cut]


@cache
def _pattern() -> re.Pattern[str]:
    marks = _marks()
    letters = rf"[^\W_{marks}{UNSPACED}{_KATAKANA}]"
    run = rf"{letters}+|[{marks}]+"
    modifiers = rf"[{marks}\U0001F3FB-\U0001F3FF\U000E0020-\U000E007F]*"
    word = rf"(?:{run})+(?:['\u200c\u200d](?:{run})+)*"
    katakana = rf"(?:[{_KATAKANA}][{marks}]*)+"
    attached = rf"[{marks}\u200c\u200d]*"
    # Stacked consonants continue after a virama. The normal form decomposes the vowels AM.
    goes_on = rf"(?<=[\u1039\u17d2])[{UNSPACED}]|(?<=\u0e4d)\u0e32|(?<=\u0ecd)\u0eb2"
    cluster = rf"[{UNSPACED}]{attached}(?:(?:{goes_on}){attached})*"
    symbol = rf"(?:[\U0001F1E6-\U0001F1FF]{{2}}|\S){modifiers}(?:\u200d[^\w\s]{modifiers})*"
    return re.compile(f"{word}|{cluster}|{katakana}|{symbol}")


def _may_grow(character: str) -> bool:
    """Return whether a word that begins with this character may become longer.

    True for letters, digits and combining marks, except in scripts in which each letter is a word.
    """
    if _is_word_by_itself(character):
        return False
    return character.isalnum() or unicodedata.category(character).startswith("M")


@cache
def _marks() -> str:
    """Return the ranges of all combining marks, for a regular-expression character class."""
    ranges: list[list[int]] = []
    for code in range(0x300, _LAST_CODE_POINT + 1):
        if 0x20000 <= code < 0xE0100 or not unicodedata.category(chr(code)).startswith("M"):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
