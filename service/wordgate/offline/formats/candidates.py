"""Histories with candidates to score: JSON lines, or plain text.

    {"history": "what did you study?", "candidates": ["recognise speech", {"text": "a beach"}]}

A candidate is a text, or an object with one; `history` may be missing. In a .txt file each line is
a candidate by itself, an empty one too.
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
    """Candidates after a history; `path` and `line` are where they were read."""

    history: str
    candidates: list[str]
    path: Path
    line: int


def read(path: Path, watch: Watch = unwatched) -> Iterator[CandidateSet | InvalidFile]:
    """What a file asks; an `InvalidFile` in place of a line that cannot be used.

    Raises `InvalidFile` when the file cannot be read on.
    """
    lines = raw_lines(path, watch)
    return _plain(path, lines) if file_format(path) == ".txt" else parse(path, lines)


def parse(path: Path, lines: Iterable[tuple[int, bytes]]) -> Iterator[CandidateSet | InvalidFile]:
    """What numbered lines of JSON ask that come from `path`; empty lines are passed over."""
    return json_records(path, lines, partial(hesitation, path))


def _plain(path: Path, lines: Iterable[tuple[int, bytes]]) -> Iterator[CandidateSet | InvalidFile]:
    for number, raw in lines:
        try:
            yield CandidateSet("", [decode(path, number, raw)], path, number)
        except InvalidFile as error:
            yield error


def hesitation(path: Path, number: int, record: Any) -> CandidateSet:
    """What one record asks. Raises `InvalidInput` naming the key."""
    if not isinstance(record, dict):
        raise InvalidInput("line", "is no JSON object")
    history, candidates = record.get("history", ""), record.get("candidates")
    if not isinstance(history, str):
        raise InvalidInput("history", "is no string")
    require_unicode(history, "history")
    if not isinstance(candidates, list) or not candidates:
        raise InvalidInput("candidates", "is no list with at least one text")
    texts = [_candidate(candidate, index) for index, candidate in enumerate(candidates)]
    return CandidateSet(history, texts, path, number)


def _candidate(candidate: Any, index: int) -> str:
    text = candidate.get("text") if isinstance(candidate, dict) else candidate
    if not isinstance(text, str):
        raise InvalidInput(f"candidates[{index}]", 'is no string, and no object with a "text"')
    require_unicode(text, f"candidates[{index}]")
    return text
