"""BLiMP: 67 paradigms of 1,000 minimal pairs (Warstadt et al. 2020, TACL 8, arXiv 1912.00582)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from wordgate.errors import InvalidFile, InvalidInput
from wordgate.evaluation.minimal_pairs import Pair
from wordgate.evaluation.minimal_pairs import read as read_pairs
from wordgate.offline.lines import file_format

CITATION = "Warstadt et al. 2020, table 3 as corrected in arXiv 1912.00582, CC BY 4.0"

_PUBLISHED = "blimp_published.tsv"
_PHENOMENA = {"s-selection": "argument_structure"}
"""Terms of the data that the published table counts under another phenomenon."""


@dataclass(frozen=True)
class Published:
    """Published accuracies of one system: overall, and by phenomenon."""

    accuracy: float
    by_phenomenon: dict[str, float]


def read(data: Path) -> list[Pair]:
    """Read the pairs of a file, or of all .jsonl files of a folder, plain, .gz or .xz.

    The folder may be the published `data` folder with a file per paradigm. Labels: `term` and
    `uid` as in the data, and `phenomenon` as in the published table. Raises `InvalidFile` with the
    line number, and for a folder without such files.
    """
    if not data.is_dir():
        return read_pairs(data, _labels)
    found = [file for file in sorted(data.iterdir()) if _is_pairs_file(file)]
    if not found:
        raise InvalidFile(data, "contains no .jsonl file, plain, .gz or .xz")
    return [pair for file in found for pair in read_pairs(file, _labels)]


@cache
def published() -> dict[str, Published]:
    """Return the published figures by system: 5-gram, LSTM, GPT-2 and human."""
    text = files("wordgate.evaluation.suites").joinpath(_PUBLISHED).read_text("utf-8")
    header, overall, *rows = (
        line.split("\t") for line in text.splitlines() if not line.startswith("#")
    )
    return {
        system: Published(_share(overall[column]), {row[0]: _share(row[column]) for row in rows})
        for column, system in enumerate(header[1:], 1)
    }


def _share(per_cent: str) -> float:
    return round(float(per_cent) / 100, 3)


def _is_pairs_file(file: Path) -> bool:
    return file.is_file() and file_format(file) == ".jsonl"


def _labels(record: Mapping[str, Any]) -> dict[str, str]:
    term, uid = record.get("linguistics_term"), record.get("UID")
    if not isinstance(term, str) or not term:
        raise InvalidInput("linguistics_term", "is missing; BLiMP's records have it")
    if not isinstance(uid, str) or not uid:
        raise InvalidInput("UID", "is missing; BLiMP's records have it")
    return {"phenomenon": _PHENOMENA.get(term, term), "term": term, "uid": uid}
