"""Reader of candidates to score: JSON lines, or plain text.

    {"history": "what did you study?", "candidates": ["recognise speech", {"text": "a beach"}]}

A candidate is a text, or an object with a `text`; `history` is optional. In a .txt file each line
is a single candidate, including empty lines.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from wordgate.errors import InvalidFile, InvalidInput
from wordgate.offline.lines import (
    Watch,
    decode,
    file_format,
    json_records,
    raw_lines,
    unwatched,
)
from wordgate.text.normalization import require_unicode


@dataclass(frozen=True)
class CandidateSet:
    """Candidates after a history; `path` and `line` locate them in the input."""

    history: str
    candidates: list[str]
    path: Path
    line: int


def read(path: Path, watch: Watch = unwatched) -> Iterator[CandidateSet | InvalidFile]:
    """Yield the candidates of a file, or an `InvalidFile` in place of an invalid line.

    Raises `InvalidFile` if the file cannot be read.
    """
    lines = raw_lines(path, watch)
    return _plain(path, lines) if file_format(path) == ".txt" else parse(path, lines)


def parse(path: Path, lines: Iterable[tuple[int, bytes]]) -> Iterator[CandidateSet | InvalidFile]:
    """Yield the candidates of numbered JSON lines from `path`; skip empty lines."""
    return json_records(path, lines, partial(hesitation, path))


def _plain(path: Path, lines: Iterable[tuple[int, bytes]]) -> Iterator[CandidateSet | InvalidFile]:
    for number, raw in lines:
        try:
            yield CandidateSet("", [decode(path, number, raw)], path, number)
        except InvalidFile as error:
            yield error


def hesitation(path: Path, number: int, record: Any) -> CandidateSet:
    """Convert one record. Raises `InvalidInput` naming the key."""
    if not isinstance(record, dict):
        raise InvalidInput("line", "is not a JSON object")
    history, candidates = record.get("history", ""), record.get("candidates")
    if not isinstance(history, str):
        raise InvalidInput("history", "is not a string")
    require_unicode(history, "history")
    if not isinstance(candidates, list) or not candidates:
        raise InvalidInput("candidates", "is not a list with at least one text")
    texts = [_candidate(candidate, index) for index, candidate in enumerate(candidates)]
    return CandidateSet(history, texts, path, number)


def _candidate(candidate: Any, index: int) -> str:
    text = candidate.get("text") if isinstance(candidate, dict) else candidate
    if not isinstance(text, str):
        raise InvalidInput(f"candidates[{index}]", 'is not a string or an object with a "text"')
    require_unicode(text, f"candidates[{index}]")
    return text
