"""Minimal pairs: accuracy of preferring the grammatical sentence of each pair.

Sentences are compared by their total log-probability, including `<eos>`, as in BLiMP (Warstadt et
al. 2020, arXiv 1912.00582).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wordgate.engine.results import LanguageModel
from wordgate.errors import InvalidFile, empty
from wordgate.offline.lines import file_format, parse_json, read_lines
from wordgate.offline.pipelining import in_order


@dataclass(frozen=True)
class Pair:
    """A good and a bad sentence, and the phenomenon that they test."""

    group: str
    good: str
    bad: str


@dataclass(frozen=True)
class PairsResult:
    """Share of pairs whose good sentence is more likely, overall and per group."""

    accuracy: float
    groups: dict[str, float]
    pairs: int


def read(path: Path) -> list[Pair]:
    """Read pairs from a .jsonl (BLiMP's fields) or a .tsv with a header, plain, .gz or .xz.

    Columns: `sentence_good` and `sentence_bad`, or `context`, `good` and `bad`; the group is in
    `linguistics_term`, `type` or `tag`. Raises `InvalidFile` with the line number, or if the file
    contains no pairs.
    """
    lines = read_lines(path)
    records = _json_records(path, lines) if file_format(path) == ".jsonl" else _table(lines)
    pairs = [_pair(path, number, record) for number, record in records]
    if not pairs:
        raise empty(path, "pair")
    return pairs


def evaluate(model: LanguageModel, pairs: Sequence[Pair]) -> PairsResult:
    """Measure a model on all pairs. A tie counts as wrong."""
    right: dict[str, list[bool]] = defaultdict(list)
    for pair, answer in in_order(pairs, lambda pair: model.submit_score("", [pair.good, pair.bad])):
        good, bad = answer.candidates
        right[pair.group].append(good.log_prob > bad.log_prob)
    everyone = [hit for hits in right.values() for hit in hits]
    groups = {group: sum(hits) / len(hits) for group, hits in sorted(right.items())}
    return PairsResult(sum(everyone) / max(len(everyone), 1), groups, len(everyone))


def _json_records(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, Any]]:
    for number, line in lines:
        if line.strip():
            yield number, parse_json(path, number, line)


def _table(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, dict[str, str]]]:
    header: list[str] = []
    for number, line in lines:
        if not line.strip():
            continue
        columns = line.split("\t")
        if header:
            yield number, dict(zip(header, columns, strict=False))
        else:
            header = columns


def _pair(path: Path, number: int, record: Any) -> Pair:
    texts = {k: v for k, v in record.items() if v} if isinstance(record, dict) else {}
    group = texts.get("linguistics_term") or texts.get("type") or texts.get("tag") or "all"
    match texts:
        case {"sentence_good": str(good), "sentence_bad": str(bad)}:
            return Pair(str(group), good, bad)
        case {"context": str(context), "good": str(good), "bad": str(bad)}:
            return Pair(str(group), f"{context} {good}", f"{context} {bad}")
    problem = "requires sentence_good and sentence_bad, or context, good and bad"
    raise InvalidFile(path, problem, number)
