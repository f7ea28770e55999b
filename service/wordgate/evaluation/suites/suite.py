"""The suites of minimal pairs: how each is read, grouped and compared."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wordgate.evaluation import minimal_pairs
from wordgate.evaluation.minimal_pairs import Pair, PairsResult
from wordgate.evaluation.suites import agreement, blimp

Columns = Mapping[str, Mapping[str, float]]
"""Accuracies to compare with the model's: by column, then by row."""

OVERALL = "overall"


@dataclass(frozen=True)
class Row:
    """One row of a report: a group of pairs, the model's accuracy, and those of the columns."""

    name: str
    pairs: int
    accuracy: float
    others: dict[str, float | None]


@dataclass(frozen=True)
class Suite:
    """A suite of minimal pairs.

    - `read`: read the pairs of a file or folder; raises `InvalidFile`.
    - `label`: the label whose values are the rows of the report.
    - `columns`: accuracies to compare with the model's.
    - `source`: the source of the published figures, or empty.
    """

    read: Callable[[Path], list[Pair]]
    label: str
    columns: Callable[[PairsResult], Columns] = lambda result: {}
    source: str = ""

    def rows(self, result: PairsResult) -> list[Row]:
        """Return the rows of the report: each group, then all pairs."""
        columns = self.columns(result)
        counts = {**result.counts[self.label], OVERALL: result.pairs}
        accuracies = {**result.by[self.label], OVERALL: result.accuracy}
        return [
            Row(name, counts[name], accuracy, {c: v.get(name) for c, v in columns.items()})
            for name, accuracy in accuracies.items()
        ]

    def document(self, result: PairsResult) -> dict[str, Any]:
        """Return a result for JSON: `accuracy`, `pairs`, and `by_LABEL` for each label."""
        document: dict[str, Any] = {"accuracy": result.accuracy, "pairs": result.pairs}
        document |= {f"by_{name}": accuracies for name, accuracies in result.by.items()}
        if self.source:
            document["published"] = {
                name: asdict(figures) for name, figures in blimp.published().items()
            }
        return document


def _published(_: PairsResult) -> Columns:
    return {
        name: {**figures.by_phenomenon, OVERALL: figures.accuracy}
        for name, figures in blimp.published().items()
    }


def _by_misleading_nouns(result: PairsResult) -> Columns:
    columns: dict[str, dict[str, float]] = {}
    for nouns, accuracy in result.by["misleading_nouns"].items():
        columns[agreement.column(nouns)] = {OVERALL: accuracy}
    for name, accuracy in result.by["type_and_misleading_nouns"].items():
        kind, _, nouns = name.rpartition(" ")
        columns[agreement.column(nouns)][kind] = accuracy
    return columns


SUITES = {
    "blimp": Suite(blimp.read, "phenomenon", _published, blimp.CITATION),
    "agreement": Suite(agreement.read, "type", _by_misleading_nouns),
    "pairs": Suite(minimal_pairs.read, "group"),
}
