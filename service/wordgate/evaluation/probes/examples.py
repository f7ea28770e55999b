"""Labelled words for a probe: the data of a property, and their file format."""

import math
from dataclasses import dataclass
from pathlib import Path

from wordgate.errors import InvalidFile, empty
from wordgate.offline.lines import read_lines

MAX_EXAMPLES = 20_000
MAX_CLASSES = 20
MIN_GROUPS = 10
"""Groups of texts that cross-validation needs, two for each fold."""


@dataclass(frozen=True)
class Example:
    """A word of a text with its label. The probe reads the cell state after this word.

    `word` is the index of the word among the words of the text, from 0; -1 is the last. Examples of
    one group are held out together. `line` is its line in a file.
    """

    text: str
    word: int
    label: str
    group: str
    line: int = 0


@dataclass(frozen=True)
class ProbeData:
    """The examples of a property. `trace`: a text over which the property changes.

    `is_numeric`: the labels are numbers; otherwise they are names of classes.
    """

    name: str
    examples: list[Example]
    trace: str
    is_numeric: bool = False
    path: Path | None = None


def read(path: Path) -> ProbeData:
    """Read a tab-separated file with a header, plain, .gz or .xz.

    Columns: `text`; `label`, or `value` for a number; optionally `word`, the number of a word in
    the text from 1 (default: the last), and `group` (default: the text). The first text is the
    trace. Raises `InvalidFile` with the line number.
    """
    header: list[str] = []
    examples: list[Example] = []
    for number, line in read_lines(path):
        if not line.strip():
            continue
        if not header:
            header = _header(path, number, line)
            continue
        if len(examples) == MAX_EXAMPLES:
            raise InvalidFile(path, f"has more than {MAX_EXAMPLES:,} examples", number)
        examples.append(_example(path, number, dict(zip(header, line.split("\t"), strict=False))))
    if not examples:
        raise empty(path, "example")
    data = ProbeData(path.name, examples, examples[0].text, "value" in header, path)
    _check(path, data)
    return data


def _header(path: Path, number: int, line: str) -> list[str]:
    columns = line.split("\t")
    if "text" not in columns or ("label" in columns) == ("value" in columns):
        raise InvalidFile(path, "requires a header with text, and with label or value", number)
    return columns


def _example(path: Path, number: int, row: dict[str, str]) -> Example:
    text, label = row.get("text", ""), row.get("label", row.get("value", "")).strip()
    if not text.strip() or not label:
        raise InvalidFile(path, "requires a text and a label", number)
    if "value" in row:
        _check_number(path, number, label)
    word = row.get("word", "").strip()
    index = int(word) - 1 if word.isascii() and word.isdecimal() and len(word) < 6 else -1
    if word and index < 0:
        raise InvalidFile(path, f"word: is {word!r}; number the words of the text from 1", number)
    return Example(text, index, label, row.get("group") or text, number)


def _check_number(path: Path, number: int, value: str) -> None:
    try:
        is_finite = math.isfinite(float(value))
    except ValueError:
        is_finite = False
    if not is_finite:
        raise InvalidFile(path, f"value: is {value!r}; use a finite number", number)


def _check(path: Path, data: ProbeData) -> None:
    """Raise `InvalidFile` for too few or too many labels, or too few groups."""
    labels = {example.label for example in data.examples}
    if len(labels) < 2:
        raise InvalidFile(path, "has one label; a probe requires two or more")
    if not data.is_numeric and len(labels) > MAX_CLASSES:
        problem = f"has {len(labels)} labels; the limit is {MAX_CLASSES}"
        raise InvalidFile(path, f"{problem}; use the column value for numbers")
    groups = len({example.group for example in data.examples})
    if groups < MIN_GROUPS:
        problem = f"has {groups} groups of texts; a probe requires {MIN_GROUPS} or more"
        raise InvalidFile(path, problem)
