"""Detokenization: decide where a space goes between two words.

Words are those of `text.words`, so a punctuation mark is a word of its own. The same mark may open
or close, separate or join; the text before it decides. Scripts that write no spaces between words
get none, neither where they meet other scripts nor beside their punctuation. Splitting the
resulting text gives the same words again.
"""

import re
from functools import cache

from wordgate.text import words
from wordgate.text.addresses import continues_address, ends_with_address
from wordgate.text.cooperative_steps import Steps
from wordgate.text.normalization import normalise

_CLOSING = frozenset(".,!?;:)]}%°»")
_OPENING = frozenset("([{«¿¡")
_PREFIXED = frozenset("#@$£€¥")
_JOINING = frozenset("-/_")
_DOUBLE, _SINGLE = '"“”„', "'‘’"
_QUOTES = frozenset(_DOUBLE + _SINGLE)
_DASHES = frozenset("-–—/")

_GOES_ON = (
    (
        re.compile(r"(?<![\w.])v?\d{1,3}(?:\.\d{1,4}){0,3}\.$"),
        re.compile(r"\d+(?:(?:[abx]|rc)\d*)?|x"),
    ),
    (re.compile(r"(?<!\d)\d{1,3}(?:,\d{3})+\.$"), re.compile(r"\d+")),
    (re.compile(r"(?<!\d)\d{1,3}(?:,\d{3})*,$"), re.compile(r"\d{3}")),
    (re.compile(r"(?<!\d)\d{1,2}:$"), re.compile(r"\d{2}")),
    (re.compile(r"(?<!\w)[^\W\d_]\.$"), re.compile(r"[^\W\d_ai]")),
    (re.compile(r"(?<!\w)ph\.$", re.IGNORECASE), re.compile(r"d")),
)
"""Pairs of patterns: the beginning of a number or abbreviation up to an inner mark, and what may
follow the mark. Examples are 3.5, 3.8.1, 1,000, 9:30 and p.m. Letters that are words (`a`, `i`) are
excluded: after a full stop they begin a sentence."""

_INNER = (".", ",", ":")
_LONGEST = 32
"""Number of characters before a mark that decide whether it is inside a number."""

_CJK_MARK = re.compile(
    "[\u3001-\u3003\u3008-\u3020\u3030\u303d\u30fb\ufe30-\ufe6f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\uffe6]"
)
"""Chinese and Japanese punctuation: fullwidth forms and marks of their own."""


def spacing(text: str, word: str) -> Steps[str]:
    """Return the separator between a text and the next word (in normal form): a space or "".

    The separator is empty if the text is empty or ends in white space.
    """
    if not text or text[-1].isspace():
        return ""
    if not (text[-_LONGEST:].isascii() and word.isascii()) and _is_beside_unspaced(text, word):
        return "" if _stays_apart(text, word) else " "
    return "" if (yield from _is_attached(text, word)) else " "


def takes_space(text: str) -> bool:
    """Return whether a space follows the last word of a text when the text continues."""
    return not (ends_unspaced(text) or ends_with_address(text))


def is_closed_up(character: str) -> bool:
    """Return whether no space goes between a word and this character after it.

    That is so if the character is a closing mark or belongs to a script without spaces.
    """
    return (
        character in _CLOSING
        or words.is_unspaced(character)
        or _CJK_MARK.match(character) is not None
    )


def ends_unspaced(text: str) -> bool:
    """Return whether a text ends in a script without spaces or in that script's punctuation.

    Other punctuation counts as the script before it: False for `3.`, True for `好.`.
    """
    for character in reversed(text[-_LONGEST:]):
        if character.isspace():
            return False
        if words.is_unspaced(character) or _CJK_MARK.match(character):
            return True
        if character.isalnum():
            return words.is_unspaced(normalise(character)[:1])  # halfwidth Katakana
    return False


def _is_beside_unspaced(text: str, word: str) -> bool:
    """Return whether a text ends, or the next word begins, in a script without spaces."""
    return words.is_unspaced(word[0]) or bool(_CJK_MARK.match(word)) or ends_unspaced(text)


def _stays_apart(text: str, word: str) -> bool:
    """Return whether a word stays separate without a space. Two Katakana words would merge."""
    text_words = words.split(normalise(text[-_LONGEST:]) + word)
    return text_words[-1:] == [word]


def goes_on(text: str, word: str) -> bool:
    """Return whether the last mark of a text is inside a number or abbreviation: `3.` and `5`."""
    if text[-1:] not in _INNER:
        return False
    end = text[-_LONGEST:]
    return any(after.fullmatch(word) and before.search(end) for before, after in _GOES_ON)


def _is_attached(text: str, word: str) -> Steps[bool]:
    if text[-1].isalnum() and word[0].isalnum():
        return False
    if word in _CLOSING:
        return True
    if word in _QUOTES:
        return (yield from _closes(text, word))
    if word in _JOINING and (text[-1].isalnum() or text[-1] in _OPENING):
        return True
    if goes_on(text, word) or continues_address(text, word):
        return True
    return (yield from _attaches(text, word))


def _closes(text: str, quote: str) -> Steps[bool]:
    """Return whether a quotation mark or apostrophe attaches to the text before it."""
    if quote in _SINGLE and text[-1].isalnum():
        return True
    return text[-1] in _OPENING or (yield from _is_open(text, quote))


def _attaches(text: str, word: str) -> Steps[bool]:
    """Return whether the next word attaches to the mark at the end of a text."""
    if not (word[0].isalnum() or word in _OPENING or word in _PREFIXED):
        return False
    mark, follows_word = text[-1], text[-2:-1].isalnum()
    if mark in _QUOTES:
        return (yield from _is_open(text, mark))
    if mark in _PREFIXED:
        return not follows_word
    if mark in _JOINING:
        return follows_word or (mark == "-" and word.isdecimal())
    return mark in _OPENING


def _is_open(text: str, quote: str) -> Steps[bool]:
    """Return whether the last line ends inside a quotation (single or double, as `quote` is)."""
    line = text[text.rfind("\n") + 1 :]
    is_open = False
    for mark in _marks(_SINGLE if quote in _SINGLE else _DOUBLE).finditer(line):
        is_open = not is_open and _may_open(line[max(0, mark.start() - 1) : mark.start()])
        yield
    return is_open


@cache
def _marks(kind: str) -> re.Pattern[str]:
    """Return the pattern of single or double quotation marks, without apostrophes inside words."""
    if kind == _DOUBLE:
        return re.compile(f"[{kind}]")
    return re.compile(rf"(?<![^\W{words.UNSPACED}])[{kind}]|[{kind}](?!\w)")


def _may_open(before: str) -> bool:
    """Return whether a quotation mark after this character, or at the beginning, opens."""
    if not before or before.isspace() or before in _OPENING | _QUOTES | _DASHES:
        return True
    return words.is_unspaced(before) or _CJK_MARK.match(before) is not None
