"""Minimal pairs: accuracy of preferring the grammatical sentence of each pair.

Sentences are compared by their total log-probability, including `<eos>`, as in BLiMP (Warstadt et
al. 2020, arXiv 1912.00582).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wordgate.engine.results import LanguageModel, ScoreResult
from wordgate.errors import InvalidFile, InvalidInput, empty
from wordgate.offline.lines import file_format, parse_json, read_lines
from wordgate.offline.pipelining import in_turn

PAIRS_PER_REQUEST = 256
"""Pairs scored as one prefix tree."""

_CHARACTERS_PER_REQUEST = 100_000
_IN_FLIGHT = 4
_CANDIDATE = re.compile(r"candidates\[(\d+)\]")

Labels = Callable[[Mapping[str, Any]], dict[str, str]]
"""Returns the labels of a record by name. Raises `InvalidInput` for a missing column."""


@dataclass(frozen=True)
class Pair:
    """A good and a bad sentence, the labels by which results are grouped, and its origin."""

    good: str
    bad: str
    labels: Mapping[str, str] = field(default_factory=dict)
    path: Path = field(default=Path(), compare=False)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class PairsResult:
    """Share of pairs whose good sentence is more likely, overall and by value of each label.

    `by` maps the name of a label to accuracies by its values; `counts` to the numbers of pairs.
    """

    accuracy: float
    pairs: int
    by: dict[str, dict[str, float]]
    counts: dict[str, dict[str, int]]


def group_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Label a pair of any file with its `group`, `linguistics_term`, `type` or `tag`."""
    for column in ("group", "linguistics_term", "type", "tag"):
        if record.get(column):
            return {"group": str(record[column])}
    return {"group": "all"}


def read(path: Path, labels: Labels = group_of) -> list[Pair]:
    """Read pairs from a .jsonl or a .tsv with a header, plain, .gz or .xz.

    Columns: `sentence_good` and `sentence_bad`, or `context`, `good` and `bad`; `labels` reads the
    others. Raises `InvalidFile` with the line number, or if the file contains no pairs.
    """
    lines = read_lines(path)
    records = _json_records(path, lines) if file_format(path) == ".jsonl" else _table(lines)
    pairs = [_pair(path, number, record, labels) for number, record in records]
    if not pairs:
        raise empty(path, "pair")
    return pairs


def evaluate(model: LanguageModel, pairs: Iterable[Pair]) -> PairsResult:
    """Measure a model on all pairs. A tie counts as wrong.

    Pairs are scored in alphabetical order, many per request, so that sentences share the cost of
    a common beginning. Raises `InvalidFile` with the line number for a sentence that the model
    rejects.
    """
    hits: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    everyone = []
    for pair, is_right in _compared(model, sorted(pairs, key=lambda pair: (pair.good, pair.bad))):
        everyone.append(is_right)
        for name, value in pair.labels.items():
            hits[name][value].append(is_right)
    return PairsResult(
        sum(everyone) / max(len(everyone), 1),
        len(everyone),
        {
            name: {value: sum(hit) / len(hit) for value, hit in sorted(values.items())}
            for name, values in hits.items()
        },
        {
            name: {value: len(hit) for value, hit in sorted(values.items())}
            for name, values in hits.items()
        },
    )


def _compared(model: LanguageModel, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, bool]]:
    """Yield each pair, and whether its good sentence is more likely."""

    def submit(batch: Sequence[Pair]) -> "Future[ScoreResult]":
        return model.submit_score("", [text for pair in batch for text in (pair.good, pair.bad)])

    with closing(in_turn(_batches(pairs), submit, _IN_FLIGHT)) as asked:
        for batch, answer in asked:
            scored = _result(batch, answer).candidates
            for pair, good, bad in zip(batch, scored[::2], scored[1::2], strict=True):
                yield pair, good.log_prob > bad.log_prob


def _batches(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    """Cut pairs into requests, bounded in pairs and in characters."""
    batch: list[Pair] = []
    characters = 0
    for pair in pairs:
        size = len(pair.good) + len(pair.bad)
        is_full = len(batch) == PAIRS_PER_REQUEST or characters + size > _CHARACTERS_PER_REQUEST
        if batch and is_full:
            yield batch
            batch, characters = [], 0
        batch.append(pair)
        characters += size
    if batch:
        yield batch


def _result(batch: Sequence[Pair], answer: "Future[ScoreResult]") -> ScoreResult:
    """Wait for an answer. Errors of a sentence name its file and line."""
    try:
        return answer.result()
    except InvalidInput as error:
        found = _CANDIDATE.match(error.field)
        if found is None:
            raise
        pair = batch[int(found[1]) // 2]
        raise InvalidFile(pair.path, f"sentence {error.problem}", pair.line) from None


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


def _pair(path: Path, number: int, record: Any, labels: Labels) -> Pair:
    texts = {k: v for k, v in record.items() if v} if isinstance(record, dict) else {}
    match texts:
        case {"sentence_good": str(good), "sentence_bad": str(bad)}:
            pass
        case {"context": str(context), "good": str(good), "bad": str(bad)}:
            good, bad = f"{context} {good}", f"{context} {bad}"
        case _:
            problem = "requires sentence_good and sentence_bad, or context, good and bad"
            raise InvalidFile(path, problem, number)
    try:
        return Pair(good, bad, labels(record), path, number)
    except InvalidInput as error:
        raise InvalidFile(path, str(error), number) from None
