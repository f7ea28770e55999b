"""Files of lines that begin with a key: Kaldi's text archives, and what took them over.

Knows keys and what follows them; does not know what a key stands for.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from wordgate.errors import InvalidFile
from wordgate.evaluation.lines import read_lines

T = TypeVar("T")

_TENSOR = re.compile(r"tensor\(([^,()]+).*\)")


def read(path: Path, value: Callable[[Path, int, str], T]) -> dict[str, tuple[int, T]]:
    """What each key has, with its line. Raises `InvalidFile` for a key that comes twice."""
    found: dict[str, tuple[int, T]] = {}
    for number, line in read_lines(path):
        if not line.strip():
            continue
        key, *rest = line.split(maxsplit=1)
        if key in found:
            raise InvalidFile(path, f"has {key} twice, first in line {found[key][0]}", number)
        found[key] = number, value(path, number, rest[0].strip() if rest else "")
    return found


def text(path: Path, number: int, rest: str) -> str:
    """The words behind a key, which may be none."""
    return " ".join(rest.split())


def number(path: Path, number: int, rest: str) -> float:
    """The number behind a key, as Kaldi prints it or as torch does: `-3.5`, `tensor(-3.5)`."""
    wrapped = _TENSOR.fullmatch(rest)
    try:
        return float(wrapped.group(1) if wrapped else rest)
    except ValueError:
        raise InvalidFile(path, f"has {rest!r} where a number should be", number) from None


def files(folder: Path) -> Iterator[Path]:
    """The files of a folder, by name. Raises `InvalidFile` when there is no such folder."""
    if not folder.is_dir():
        raise InvalidFile(folder, "is no folder; this format has one with several files")
    yield from sorted(path for path in folder.iterdir() if path.is_file())
