"""Unicode normalisation of text, with offsets back to the original.

The normal form is NFKC, lower case, plain quotes and dashes, single spaces and no invisible
characters. It is built cluster by cluster (a character and its combining marks). Therefore the
normal form of a prefix is a prefix of the normal form, and each character maps to the span of the
original that it came from.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from wordgate.errors import InvalidInput
from wordgate.text.argument_types import require_text
from wordgate.text.cooperative_steps import Steps, finish, stretches

LINE_BREAKS = "\n\r\v\f\x85\u2028\u2029"
"""Characters that end a line (mandatory breaks of Unicode's line breaking, UAX #14)."""

split_lines = re.compile(f"[{LINE_BREAKS}]+").split

_PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
)
_MAX_KEPT = 65_536
_JOINERS = "\u200c\u200d"
_MANY_MARKS = 32
_STRETCH = 512
"""Number of characters of a long text to normalise per step."""

_ASCII_SPACES = dict.fromkeys((*range(32), 127), " ")
_TAGS = range(0xE0020, 0xE0080)
_JOINING_JAMO = range(0x1160, 0x1200)


@dataclass(frozen=True)
class Normalised:
    """A normal form with offsets into the original text.

    `text[i]` comes from `original[starts[i]:ends[i]]`, in code points. One original character may
    give several (`ﬁ`), and several may give one (a letter and its accent).
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]


def normalise(text: str, field: str = "text") -> str:
    """Return the normal form of `text`: NFKC, lower case, plain quotes and dashes, single spaces.

    Control characters count as white space. Soft hyphens and other invisible characters are
    removed, except those that join letters or emoji. Raises `InvalidInput` naming `field` for a
    lone surrogate, which is not a character and cannot be encoded.
    """
    if text.isascii():
        visible = text if text.isprintable() else text.translate(_ASCII_SPACES)
        return " ".join(visible.lower().split())
    require_unicode(text, field)
    if len(text) > _STRETCH:
        return finish(normalising(text, field))
    return _spaced(_fold_stretch(text))


def normalising(text: str, field: str = "text") -> Steps[str]:
    """Normalise in steps. Same result as `normalise`."""
    if text.isascii() or len(text) <= _STRETCH:
        yield
        return normalise(text, field)
    require_unicode(text, field)
    folded: list[str] = []
    start = 0
    while start < len(text):
        after = yield from _next_cluster(text, start + _STRETCH)
        last = start + _STRETCH
        if after - last > _STRETCH:  # split off a very long cluster
            while last > start and _attaches(text[last]):
                last -= 1
        else:
            last = after
        if last > start:
            folded.append(_fold_stretch(text[start:last]))
            yield
        if after > last:
            folded.append((yield from _folding(text[last:after])))
        start = after
    return _spaced("".join(folded))


def normalising_with_offsets(text: str, field: str = "text") -> Steps[Normalised]:
    """Normalise in steps and keep, for each character, the span of `text` that it came from."""
    require_unicode(text, field)
    characters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    start = counted = 0
    while start < len(text):
        if start - counted >= _STRETCH:
            counted = start
            yield
        end = start + 1
        if end < len(text) and _attaches(text[end]):
            end = yield from _next_cluster(text, end)
        if end - start > _STRETCH:
            folded = yield from _folding(text[start:end])
        else:
            folded = _fold(text[start:end])
        for character in folded:
            if len(folded) > _STRETCH and len(starts) % _STRETCH == 0:
                yield
            if character.isspace():
                if not characters:
                    continue
                if characters[-1] == " ":
                    ends[-1] = end
                    continue
            characters.append(" " if character.isspace() else character)
            starts.append(start)
            ends.append(end)
        start = end
    if characters and characters[-1] == " ":
        del characters[-1], starts[-1], ends[-1]
    return Normalised("".join(characters), tuple(starts), tuple(ends))


def require_unicode(text: str, field: str) -> None:
    """Raise `InvalidInput` if `text` contains a lone surrogate, which UTF-8 cannot encode.

    Raises `TypeError` if `text` is not a str.
    """
    require_text(text, field)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInput(
            field, f"has a lone surrogate at position {error.start}; send whole characters"
        ) from None


def _spaced(folded: str) -> str:
    """Collapse white space to single spaces and strip it from both ends."""
    return " ".join(folded.split())


def _fold_stretch(text: str) -> str:
    """Normalise whole clusters, but leave white space uncollapsed."""
    if any(map(_attaches, set(text))):
        return "".join(_fold(text[start:end]) for start, end in _clusters(text))
    return text.translate(_ALONE)


def _next_cluster(text: str, position: int) -> Steps[int]:
    """Return where the first cluster at or after `position` begins, or the length of the text."""
    first = position
    while position < len(text) and _attaches(text[position]):
        position += 1
        if (position - first) % _STRETCH == 0:
            yield
    return min(position, len(text))


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Yield spans [start, end) that normalise independently of each other."""
    start = 0
    for position in range(1, len(text)):
        if not _attaches(text[position]):
            yield start, position
            start = position
    if text:
        yield start, len(text)


@lru_cache(maxsize=65536)
def _attaches(character: str) -> bool:
    """Return whether a character combines with the one before it or is invisible."""
    if character.isascii():
        return False
    if _is_dropped(character):
        return True
    first = unicodedata.normalize("NFKC", character)[0]
    return unicodedata.category(first).startswith("M") or ord(first) in _JOINING_JAMO


def _is_dropped(character: str) -> bool:
    if character in _JOINERS or ord(character) in _TAGS:
        return False
    return unicodedata.category(character) == "Cf"


def _fold(cluster: str) -> str:
    """Normalise one cluster. White space and control characters become spaces."""
    return _ALONE[ord(cluster)] if len(cluster) == 1 else _fold_whole(cluster)


def _fold_whole(cluster: str) -> str:
    if len(cluster) > _MANY_MARKS:
        return finish(_folding(cluster))
    visible = "".join(c for c in cluster if not _is_dropped(c))
    lowered = _compose(_compose(visible).lower()).translate(_PLAIN)
    return "".join(" " if c.isspace() or unicodedata.category(c) == "Cc" else c for c in lowered)


def _folding(cluster: str) -> Steps[str]:
    """Normalise a long cluster in steps."""
    visible = yield from _translating(cluster, _VISIBLE)
    lowered = (yield from _composing(visible)).lower()
    composed = yield from _composing(lowered)
    return (yield from _translating(composed, _SPACED))


def _translating(text: str, table: "_Table") -> Steps[str]:
    parts = []
    for part in stretches(len(text), _STRETCH):
        parts.append(text[part].translate(table))
        yield
    return "".join(parts)


def _compose(cluster: str) -> str:
    """Apply NFKC. The library needs quadratic time for many marks that are out of order."""
    if len(cluster) > _MANY_MARKS:
        return finish(_composing(cluster))
    return unicodedata.normalize("NFKC", cluster)


def _composing(cluster: str) -> Steps[str]:
    """Apply NFKC to a long cluster in steps. Sort its marks first, to avoid quadratic time."""
    parts = yield from _translating(cluster, _DECOMPOSED)
    ordered: list[str] = []
    marks: dict[int, list[str]] = {}
    for stretch in stretches(len(parts), _STRETCH):
        for part in parts[stretch]:
            combining_class = unicodedata.combining(part)
            if combining_class:
                marks.setdefault(combining_class, []).append(part)
                continue
            _put_in_order(marks, ordered)
            ordered.append(part)
        yield
    _put_in_order(marks, ordered)
    yield
    return unicodedata.normalize("NFKC", "".join(ordered))


def _put_in_order(marks: dict[int, list[str]], ordered: list[str]) -> None:
    """Append marks sorted by combining class (stable), then clear them."""
    for combining_class in sorted(marks):
        ordered += marks[combining_class]
    marks.clear()


class _Table(dict[int, str]):
    """A translation table for single characters, filled on demand."""

    def __init__(self, find: Callable[[str], str]) -> None:
        self._find = find

    def __missing__(self, code: int) -> str:
        if len(self) >= _MAX_KEPT:
            self.clear()
        self[code] = result = self._find(chr(code))
        return result


def _spaced_character(character: str) -> str:
    plain = character.translate(_PLAIN)
    return " " if plain.isspace() or unicodedata.category(plain) == "Cc" else plain


_ALONE = _Table(_fold_whole)
_VISIBLE = _Table(lambda character: "" if _is_dropped(character) else character)
_DECOMPOSED = _Table(lambda character: unicodedata.normalize("NFKD", character))
_SPACED = _Table(_spaced_character)
