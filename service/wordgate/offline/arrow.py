"""Stages of data pipelines that are larger than one machine: tables in, with results added.

Know columns and a model in their own process; do not know who runs them. They are made for
`map_batches` of Ray Data, which keeps one open in each of its workers:

    two = ray.data.ActorPoolStrategy(size=2)
    rows = ray.data.read_parquet("sentences/")
    scored = rows.map_batches(Score, batch_format="pyarrow", batch_size=1024, compute=two)

Results of an int8 model are the same bits as in one process. They need pyarrow, which
`wordgate[ray]` brings.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from wordgate.bundle.bundled_model import resolve_bundle
from wordgate.engine.local_model import LocalModel
from wordgate.engine.results import RescoringResult, ScoreResult
from wordgate.errors import InvalidFile, InvalidInput
from wordgate.offline.formats import candidates, jsonl
from wordgate.offline.formats.candidates import CandidateSet
from wordgate.offline.records import answered
from wordgate.offline.utterances import ranked
from wordgate.scoring.weighting import Weighting

T = TypeVar("T")

ERROR = "error"
"""Column that says what is wrong with a row that has no results; null for all others."""

_TABLE = Path("table")
_SCORED = {"log_prob": pa.float64(), "word_count": pa.int64(), "token_count": pa.int64()}
_RANKED = pa.struct(
    [
        ("index", pa.int64()),
        ("total", pa.float64()),
        ("log_prob", pa.float64()),
        ("posterior", pa.float64()),
    ]
)


class Score:
    """Adds the log-probabilities of a row's texts, natural logarithms.

    A row has a `text`, or a list of `candidates`, and may have a `history`. The columns
    `log_prob` (float64), `word_count` and `token_count` (int64) hold a value of the text, or a list
    of values of the candidates.
    """

    def __init__(
        self, model: str | Path | None = None, *, count_eos: bool = True, calls: int = 1
    ) -> None:
        """`model`: a bundle's folder, otherwise the shipped one; `calls` made at once, one a core.

        Raises as `LocalModel.open`.
        """
        self._model = _open(model, calls)
        self._count_eos = count_eos

    def __call__(self, table: pa.Table) -> pa.Table:
        """The table with its results. Raises `InvalidInput` when it has neither column, or one
        of a result."""
        single = "text" in table.column_names
        if not single and "candidates" not in table.column_names:
            raise InvalidInput("table", "has no column text and no column candidates")
        _refuse_columns(table, *_SCORED, ERROR)

        def record(row: Mapping[str, Any]) -> dict[str, Any]:
            return {**row, "candidates": [row.get("text")]} if single else dict(row)

        def ask(hesitation: CandidateSet) -> "Future[ScoreResult]":
            texts = hesitation.candidates
            return self._model.submit_score(hesitation.history, texts, self._count_eos)

        rows = _records(map(record, _rows(table)), candidates.hesitation)
        answers, errors = _apart(answered(rows, ask))
        for name, kind in _SCORED.items():
            values = [answer and _values(answer, name, single) for answer in answers]
            table = table.append_column(name, pa.array(values, kind if single else pa.list_(kind)))
        return table.append_column(ERROR, pa.array(errors, pa.string()))


class Rescore:
    """Adds what a recogniser's candidates are worth together with the model's opinion.

    A row is as a line of JSON for `wordgate rescore`: `candidates`, each with a text and its
    scores, and perhaps a `history`. The column `best` is the text of the best one, `ranking` a
    list, best first, of `index` (in `candidates`, from 0), `total`, `log_prob` and `posterior`.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        weighting: Weighting | None = None,
        count_eos: bool = True,
        calls: int = 1,
    ) -> None:
        """As `Score`; `weighting` as `wordgate tune` finds it."""
        self._model = _open(model, calls)
        self._weighting = weighting or Weighting()
        self._count_eos = count_eos

    def __call__(self, table: pa.Table) -> pa.Table:
        """The table with its results. Raises `InvalidInput` for a weight of an unknown score."""
        _refuse_columns(table, "best", "ranking", ERROR)
        rows = _records(_rows(table), jsonl.utterance)
        answers, errors = _apart(ranked(self._model, rows, self._weighting, self._count_eos))
        best = [answer and answer.ranking.transcripts[0].text for answer in answers]
        ranking = [answer and _ranking(answer) for answer in answers]
        table = table.append_column("best", pa.array(best, pa.string()))
        table = table.append_column("ranking", pa.array(ranking, pa.list_(_RANKED)))
        return table.append_column(ERROR, pa.array(errors, pa.string()))


def _refuse_columns(table: pa.Table, *names: str) -> None:
    """Raise `InvalidInput` where a result would be a second column of its name."""
    for name in names:
        if name in table.column_names:
            problem = "has this column already; drop or rename it"
            raise InvalidInput(f"table.{name}", problem)


def _open(model: str | Path | None, calls: int) -> LocalModel:
    return LocalModel.open(resolve_bundle(Path(model) if model else None), calls=calls)


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows without what is null."""
    for row in table.to_pylist():
        yield {name: value for name, value in row.items() if value is not None}


def _records(
    rows: Iterable[dict[str, Any]], make: Callable[[Path, int, Any], T]
) -> Iterator[T | InvalidFile]:
    for number, row in enumerate(rows, 1):
        try:
            yield make(_TABLE, number, row)
        except InvalidInput as error:
            yield InvalidFile(_TABLE, str(error), number)


def _apart(
    found: Iterable[tuple[Any, T] | InvalidFile],
) -> tuple[list[T | None], list[str | None]]:
    """Answers and errors, each with null where the other is."""
    listed = list(found)
    answers = [None if isinstance(each, InvalidFile) else each[1] for each in listed]
    return answers, [each.problem if isinstance(each, InvalidFile) else None for each in listed]


def _values(answer: ScoreResult, name: str, single: bool) -> Any:
    values: Sequence[Any] = [getattr(candidate, name) for candidate in answer.candidates]
    return values[0] if single else values


def _ranking(answer: RescoringResult) -> list[dict[str, Any]]:
    names = [field.name for field in _RANKED]
    return [{name: getattr(t, name) for name in names} for t in answer.ranking.transcripts]
