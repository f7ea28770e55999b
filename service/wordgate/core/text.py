"""The normal form of a text, and the way back to what was written.

Knows Unicode; does not know words, pieces or models. The normal form is NFKC, lower case, plain
quotes and dashes, single spaces and nothing invisible. It is built cluster by cluster (a character
and the marks that combine with it), so the normal form of a beginning is the beginning of the
normal form, and each of its characters knows the stretch of the original that it came from.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, groupby

from wordgate.errors import InvalidInput

_PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
)
_MAX_KEPT = 65_536
_JOINERS = "\u200c\u200d"
_MANY_MARKS = 32
_TAGS = range(0xE0020, 0xE0080)
_JOINING_JAMO = range(0x1160, 0x1200)


@dataclass(frozen=True)
class Normalised:
    """A normal form with its way back.

    `text[i]` was written as `original[starts[i]:ends[i]]`, in code points. Several characters may
    come from one (`ﬁ`), and one from several (a letter and its accent).
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]


def normalise(text: str, field: str = "text") -> str:
    """The normal form of `text`: NFKC, lower case, plain quotes and dashes, single spaces.

    Control characters count as white space; soft hyphens and other invisible characters vanish,
    except those that join letters or emoji. Raises `InvalidInput` naming `field` for a lone
    surrogate, which is no character and has no bytes.
    """
    if text.isascii():
        return " ".join(_ascii_spaces(text).lower().split())
    refuse_surrogates(text, field)
    if any(map(_attaches, set(text))):
        folded = "".join(_fold(text[start:end]) for start, end in _clusters(text))
    else:
        folded = text.translate(_ALONE)
    return " ".join(folded.split())


def normalise_with_offsets(text: str, field: str = "text") -> Normalised:
    """As `normalise`, keeping for every character the stretch of `text` that it came from."""
    refuse_surrogates(text, field)
    characters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end in _clusters(text):
        for character in _fold(text[start:end]):
            if character.isspace():
                if not characters:
                    continue
                if characters[-1] == " ":
                    ends[-1] = end
                    continue
            characters.append(" " if character.isspace() else character)
            starts.append(start)
            ends.append(end)
    if characters and characters[-1] == " ":
        del characters[-1], starts[-1], ends[-1]
    return Normalised("".join(characters), tuple(starts), tuple(ends))


def refuse_surrogates(text: str, field: str) -> None:
    """Raise `InvalidInput` when `text` holds a lone surrogate, which UTF-8 cannot carry."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInput(
            field, f"has a lone surrogate at position {error.start}; send whole characters"
        ) from None


def _ascii_spaces(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(" " if ord(c) < 32 or ord(c) == 127 else c for c in text)


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Stretches [start, end) that normalise independently of each other."""
    start = 0
    for position in range(1, len(text)):
        if not _attaches(text[position]):
            yield start, position
            start = position
    if text:
        yield start, len(text)


@lru_cache(maxsize=65536)
def _attaches(character: str) -> bool:
    """Whether a character combines with the one before it, or is invisible beside it."""
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
    """The normal form of one cluster, white space and control characters as spaces."""
    return _ALONE[ord(cluster)] if len(cluster) == 1 else _fold_whole(cluster)


def _fold_whole(cluster: str) -> str:
    visible = "".join(c for c in cluster if not _is_dropped(c))
    lowered = _compose(_compose(visible).lower()).translate(_PLAIN)
    return "".join(" " if c.isspace() or unicodedata.category(c) == "Cc" else c for c in lowered)


def _compose(cluster: str) -> str:
    """NFKC, for which the library takes time with the square of marks that are out of order."""
    if len(cluster) > _MANY_MARKS:
        parts = "".join(unicodedata.normalize("NFKD", character) for character in cluster)
        runs = groupby(parts, key=lambda part: unicodedata.combining(part) > 0)
        ordered = (sorted(run, key=unicodedata.combining) if marks else run for marks, run in runs)
        cluster = "".join(chain.from_iterable(ordered))
    return unicodedata.normalize("NFKC", cluster)


class _Alone(dict[int, str]):
    """The normal forms of characters that stand alone, by code point, found when first needed."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _MAX_KEPT:
            self.clear()
        self[code] = folded = _fold_whole(chr(code))
        return folded


_ALONE = _Alone()
