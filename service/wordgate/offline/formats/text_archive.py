"""Reader of Kaldi text archives (lines `KEY value`), also used by other toolkits."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from wordgate.errors import InvalidFile
from wordgate.offline.lines import decode, raw_lines
from wordgate.offline.reading_report import rankable

T = TypeVar("T")

_TENSOR = re.compile(r"tensor\(([^,()]+).*\)")


def read(
    path: Path, value: Callable[[Path, int, str], T]
) -> dict[str, tuple[int, T] | InvalidFile]:
    """Return the line number and value of each key, or an `InvalidFile` for an invalid line.

    Raises `InvalidFile` if the file cannot be read.
    """
    entries: dict[str, tuple[int, T] | InvalidFile] = {}
    for number, raw in raw_lines(path):
        try:
            line = decode(path, number, raw)
        except InvalidFile as error:
            entries[raw.split()[0].decode("utf-8", "replace")] = error
            continue
        if not line.strip():
            continue
        key, *rest = line.split(maxsplit=1)
        try:
            entries[key] = _twice(path, key, number, entries.get(key)) or (
                number,
                value(path, number, rest[0].strip() if rest else ""),
            )
        except InvalidFile as error:
            entries[key] = error
    return entries


def used(entry: tuple[int, T] | InvalidFile) -> tuple[int, T]:
    """Return an entry. Raises it if it is an `InvalidFile`."""
    if isinstance(entry, InvalidFile):
        raise entry
    return entry


def _twice(
    path: Path, key: str, number: int, first: tuple[int, T] | InvalidFile | None
) -> InvalidFile | None:
    if first is None:
        return None
    line = first.line if isinstance(first, InvalidFile) else first[0]
    return InvalidFile(path, f"duplicate key {key}, first on line {line}", number)


def text(path: Path, number: int, rest: str) -> str:
    """Return the words after a key, possibly none."""
    return " ".join(rest.split())


def score(path: Path, number: int, rest: str) -> float:
    """Return the score after a key, as Kaldi or torch prints it: `-3.5`, `tensor(-3.5)`."""
    return _score(path, number, rest, 1.0)


def cost(path: Path, number: int, rest: str) -> float:
    """Return the negated cost after a key."""
    return _score(path, number, rest, -1.0)


def _score(path: Path, number: int, rest: str, sign: float) -> float:
    wrapped = _TENSOR.fullmatch(rest)
    try:
        return rankable(sign * float(wrapped.group(1) if wrapped else rest))
    except ValueError:
        raise InvalidFile(path, f"expected a finite number, found {rest!r}", number) from None
