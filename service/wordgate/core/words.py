"""What a word is.

Knows characters; does not know pieces or models. This is the one definition that perplexity per
word, word counts, keystrokes and confidences use:

- a word is a longest run of letters, marks and digits, with apostrophes (and the invisible
  joiners of scripts that need them) inside: `don't` is one word, `well-known` is three;
- every other visible character is a word of its own: punctuation, symbols, an emoji with its
  modifiers and the emoji joined to it, a flag;
- white space only separates.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import islice

from wordgate.core.steps import Steps, finish

MAX_WORD_CHARACTERS = 128
"""A longer word is cut into words of this many code points; nothing of it is lost."""

_LONG_TEXT = 1024
"""Characters of a text that is split in several steps."""

_MATCHES = 128
"""Words that are found in one step."""

_MATCH_WORK = 2

_INNER = ("'", "\u200c", "\u200d")
_LAST_CODE_POINT = 0xE01EF
_ASCII = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*|\S")
"""The same rule where there is no other character: four times as fast."""


def split(normalised: str) -> list[str]:
    """The words of a text in normal form (see `text.normalise`), in order."""
    pattern = _ASCII if normalised.isascii() else _pattern()
    words = pattern.findall(normalised)
    if len(normalised) > MAX_WORD_CHARACTERS < max(map(len, words), default=0):
        return [part for word in words for part in _cut(word)]
    return words


def splitting(normalised: str) -> Steps[list[str]]:
    """As `split`, in steps."""
    if len(normalised) <= _LONG_TEXT:
        yield 4 + len(normalised) // (4 if normalised.isascii() else 1)
        return split(normalised)
    pattern = _ASCII if normalised.isascii() else _pattern()
    found = []
    for matches in _batches(pattern.finditer(normalised)):
        for match in matches:
            found += _cut(match.group())
        yield _MATCH_WORK * len(matches) + (matches[-1].end() - matches[0].start()) // 8
    return found


def spans(normalised: str) -> list[tuple[int, int]]:
    """The same words as stretches [start, end) of the normalised text, in code points."""
    return finish(finding_spans(normalised))


def finding_spans(normalised: str) -> Steps[list[tuple[int, int]]]:
    """As `spans`, in steps."""
    found = []
    for matches in _batches(_pattern().finditer(normalised)):
        for match in matches:
            start = match.start()
            for part in _cut(match.group()):
                found.append((start, start + len(part)))
                start += len(part)
        yield 2 * _MATCH_WORK * len(matches)
    return found


def _batches(matches: Iterator[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    return iter(lambda: list(islice(matches, _MATCHES)), [])


def is_punctuation(word: str) -> bool:
    """Whether a word is a mark or symbol, not made of letters or digits."""
    return not any(character.isalnum() for character in word)


def splitting_last(normalised: str) -> Steps[tuple[str, str]]:
    """What is complete in a text that is being typed, and the beginning of its last word.

    Text that ends in white space or in a mark has no word begun. An apostrophe after letters
    belongs to the word that it may become part of (`don'` may become `don't`). Of a word that is
    too long, the parts that are cut off are complete, and so is one that cannot grow any more.
    """
    end = len(normalised) - normalised.endswith(_INNER)
    last: re.Match[str] | None = None
    for matches in _batches(_pattern().finditer(normalised, 0, end)):
        last = matches[-1]
        yield _MATCH_WORK * len(matches) + (matches[-1].end() - matches[0].start()) // 8
    if last is None or last.end() != end or not _is_letter(last.group()[0]):
        return normalised, ""
    unfinished = (end - last.start()) % MAX_WORD_CHARACTERS
    if not unfinished:
        return normalised, ""
    return normalised[: end - unfinished], normalised[end - unfinished :]


def _cut(word: str) -> list[str]:
    if len(word) <= MAX_WORD_CHARACTERS:
        return [word]
    steps = range(0, len(word), MAX_WORD_CHARACTERS)
    return [word[start : start + MAX_WORD_CHARACTERS] for start in steps]


@cache
def _pattern() -> re.Pattern[str]:
    marks = _marks()
    run = rf"[^\W_{marks}]+|[{marks}]+"
    modifiers = rf"[{marks}\U0001F3FB-\U0001F3FF\U000E0020-\U000E007F]*"
    word = rf"(?:{run})+(?:['\u200c\u200d](?:{run})+)*"
    symbol = rf"(?:[\U0001F1E6-\U0001F1FF]{{2}}|\S){modifiers}(?:\u200d[^\w\s]{modifiers})*"
    return re.compile(f"{word}|{symbol}")


def _is_letter(character: str) -> bool:
    """Whether a character begins a word that may grow: a letter, a digit or a mark."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


@cache
def _marks() -> str:
    """Ranges of all combining marks, for a character class."""
    ranges: list[list[int]] = []
    for code in range(0x300, _LAST_CODE_POINT + 1):
        if 0x20000 <= code < 0xE0100 or not unicodedata.category(chr(code)).startswith("M"):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
