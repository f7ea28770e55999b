"""References with alternatives in NIST sclite's notation: `i am { gonna / going to / @ } go`.

`@` is the empty alternative. The errors against such a reference are those against the nearest of
its texts, computed without enumerating them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

_OPEN, _OR, _CLOSE, _NOTHING = "{", "/", "}", "@"

MAX_VARIANTS = 1_000
"""Maximum number of alternatives of one part; nested alternatives multiply."""


@dataclass(frozen=True)
class Alternation:
    """A reference as a sequence of parts, each with its alternatives."""

    parts: tuple[tuple[str, ...], ...]

    @property
    def first(self) -> str:
        """Text with the first alternative of each part."""
        return " ".join(filter(None, (part[0] for part in self.parts)))

    def with_words(self, change: Callable[[str], str]) -> "Alternation":
        """Return a copy with `change` applied to each alternative."""
        return Alternation(tuple(tuple(map(change, part)) for part in self.parts))


Reference = str | Alternation


def parse(text: str) -> Reference:
    """Parse a text in sclite's notation. Raises `ValueError` for unbalanced braces."""
    tokens = text.split()
    if _OPEN not in tokens and _CLOSE not in tokens:
        return " ".join(tokens)
    parts: list[tuple[str, ...]] = []
    rest = iter(tokens)
    plain: list[str] = []
    for token in rest:
        if token == _CLOSE:
            raise ValueError("has a } without a {")
        if token == _OPEN:
            parts += [(" ".join(plain),)] * bool(plain) + [tuple(_alternatives(rest))]
            plain = []
        else:
            plain.append(token)
    return Alternation((*parts, *([(" ".join(plain),)] if plain else [])))


def _alternatives(rest: Iterator[str]) -> list[str]:
    """Return the texts of an alternation, up to its closing brace."""
    variants: list[str] = []
    sequence: list[list[str]] = []
    for token in rest:
        if token == _OPEN:
            sequence.append(_alternatives(rest))
        elif token in {_OR, _CLOSE}:
            variants += _variants(sequence)
            sequence = []
            if len(variants) > MAX_VARIANTS:
                break
            if token == _CLOSE:
                return variants
        else:
            sequence.append(["" if token == _NOTHING else token])
    if len(variants) > MAX_VARIANTS:
        raise ValueError(f"has an alternation of more than {MAX_VARIANTS:,} texts")
    raise ValueError("has a { without a }")


def _variants(sequence: Sequence[Sequence[str]]) -> list[str]:
    count = 1
    for options in sequence:
        count *= len(options)
    if count > MAX_VARIANTS:
        raise ValueError(f"has an alternation of more than {MAX_VARIANTS:,} texts")
    return [" ".join(filter(None, chosen)) for chosen in product(*sequence)]


def fewest_edits(parts: Sequence[Sequence[Sequence[str]]], heard: Sequence[str]) -> int:
    """Return the Levenshtein distance between a transcript and the nearest reference text.

    Computed row by row: the alternatives of a part start from the same row, and their element-wise
    minimum is the next row.
    """
    row = list(range(len(heard) + 1))
    for part in parts:
        rows = [_read(row, units, heard) for units in part]
        row = [min(column) for column in zip(*rows, strict=True)]
    return row[-1]


def _read(row: list[int], units: Sequence[str], heard: Sequence[str]) -> list[int]:
    for unit in units:
        next_row = [row[0] + 1]
        for index, other in enumerate(heard):
            replaced = row[index] + (unit != other)
            next_row.append(min(replaced, row[index + 1] + 1, next_row[index] + 1))
        row = next_row
    return row
