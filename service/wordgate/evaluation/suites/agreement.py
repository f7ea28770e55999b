"""Subject-verb agreement and reflexives, by construction and by number of misleading nouns.

A misleading noun (agreement attractor) stands between the subject and the word that agrees with it,
and has the other number (Linzen, Dupoux and Goldberg 2016, arXiv 1611.01368). The constructions are
those of Marvin and Linzen 2018 (arXiv 1808.09031).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wordgate.errors import InvalidFile, InvalidInput
from wordgate.evaluation.minimal_pairs import Pair
from wordgate.evaluation.minimal_pairs import read as read_pairs

FILE = "agreement.tsv"


def read(data: Path) -> list[Pair]:
    """Read the pairs of a file, or of agreement.tsv in a folder.

    Columns besides those of every file of pairs: `type`; and `misleading_nouns` (a number), or
    `noun_between` (0 or 1) and `other_noun_number` (`same`, `differs`, or `-` without a noun).
    Labels: `type`, `misleading_nouns`, and both as `type_and_misleading_nouns`, separated by a
    space. Raises `InvalidFile` with the line number, and for a folder without the file.
    """
    if data.is_dir():
        if not (data / FILE).is_file():
            raise InvalidFile(data, f"contains no {FILE}")
        data = data / FILE
    return read_pairs(data, _labels)


def column(nouns: str) -> str:
    """Return the heading of the column for a number of misleading nouns."""
    return f"{nouns} misleading"


def _labels(record: Mapping[str, Any]) -> dict[str, str]:
    kind = record.get("type")
    if not isinstance(kind, str) or not kind:
        raise InvalidInput("type", "is missing; name the construction")
    nouns = str(_misleading_nouns(record))
    return {
        "type": kind,
        "misleading_nouns": nouns,
        "type_and_misleading_nouns": f"{kind} {nouns}",
    }


def _misleading_nouns(record: Mapping[str, Any]) -> int:
    if "misleading_nouns" in record:
        return _count("misleading_nouns", record["misleading_nouns"])
    between = _count("noun_between", record.get("noun_between", ""))
    number = record.get("other_noun_number")
    if number not in ("same", "differs", "-"):
        raise InvalidInput("other_noun_number", f"is {number!r}; use same, differs or -")
    return between if number == "differs" else 0


def _count(name: str, value: Any) -> int:
    digits = str(value)
    if len(digits) > 2 or not digits.isascii() or not digits.isdecimal():
        raise InvalidInput(name, f"is {value!r}; use a number from 0 to 99")
    return int(digits)
