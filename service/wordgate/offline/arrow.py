"""Scoring and rescoring stages for distributed data pipelines: Arrow tables in and out.

Each stage runs a model in its own process and adds columns to a table. They fit `map_batches` of
Ray Data, which keeps one instance per worker:

    two = ray.data.ActorPoolStrategy(size=2)
    rows = ray.data.read_parquet("sentences/")
    scored = rows.map_batches(Score, batch_format="pyarrow", batch_size=1024, compute=two)

Results of an int8 model are bit-identical to those of a single process. Requires pyarrow, which
`wordgate[ray]` installs.
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
from wordgate.scoring.score_weights import ScoreWeights

T = TypeVar("T")

ERROR = "error"
"""Column with the error of a row without results; null for all other rows."""

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
    """Adds the log-probabilities (natural logarithms) of the texts in each row.

    A row has a `text` or a list of `candidates`, and optionally a `history`. The added columns are
    `log_prob` (float64), `word_count` and `token_count` (int64): one value per text, or lists with
    one value per candidate.
    """

    def __init__(
        self, model: str | Path | None = None, *, count_eos: bool = True, engine_threads: int = 1
    ) -> None:
        """Open a model. `engine_threads` is the number of concurrent inferences, each on one core.

        `model` is the folder of a bundle; the default is the bundled model. Raises the errors of
        `LocalModel.open`.
        """
        self._model = _open(model, engine_threads)
        self._count_eos = count_eos

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return the table with the result columns added.

        Raises `InvalidInput` if it has neither input column, or already has a result column.
        """
        single = "text" in table.column_names
        if not single and "candidates" not in table.column_names:
            raise InvalidInput("table", "must have a column text or candidates")
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
    """Adds the ranking of a recogniser's candidates, rescored with the language model.

    A row has the fields of a JSON line for `wordgate rescore`: `candidates`, each with a text and
    its scores, and optionally a `history`. The added columns are `best`, the text of the best
    candidate, and `ranking`, a list, best first, of `index` (in `candidates`, from 0), `total`,
    `log_prob` and `posterior`.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        score_weights: ScoreWeights | None = None,
        count_eos: bool = True,
        engine_threads: int = 1,
    ) -> None:
        """Same as `Score`, but takes `score_weights`, such as the result of `wordgate tune`."""
        self._model = _open(model, engine_threads)
        self._score_weights = score_weights or ScoreWeights()
        self._count_eos = count_eos

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return the table with the result columns added.

        Raises `InvalidInput` for a weight of an unknown score, or if it already has a result
        column.
        """
        _refuse_columns(table, "best", "ranking", ERROR)
        rows = _records(_rows(table), jsonl.utterance)
        answers, errors = _apart(ranked(self._model, rows, self._score_weights, self._count_eos))
        best = [answer and answer.ranking.transcripts[0].text for answer in answers]
        ranking = [answer and _ranking(answer) for answer in answers]
        table = table.append_column("best", pa.array(best, pa.string()))
        table = table.append_column("ranking", pa.array(ranking, pa.list_(_RANKED)))
        return table.append_column(ERROR, pa.array(errors, pa.string()))


def _refuse_columns(table: pa.Table, *names: str) -> None:
    """Raise `InvalidInput` if the table already has one of the result columns."""
    for name in names:
        if name in table.column_names:
            problem = "column already exists; drop or rename it"
            raise InvalidInput(f"table.{name}", problem)


def _open(model: str | Path | None, engine_threads: int) -> LocalModel:
    return LocalModel.open(
        resolve_bundle(Path(model) if model else None), engine_threads=engine_threads
    )


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield rows without null values."""
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
    results: Iterable[tuple[Any, T] | InvalidFile],
) -> tuple[list[T | None], list[str | None]]:
    """Split results into answers and errors, with None in place of the other."""
    listed = list(results)
    answers = [None if isinstance(each, InvalidFile) else each[1] for each in listed]
    return answers, [each.problem if isinstance(each, InvalidFile) else None for each in listed]


def _values(answer: ScoreResult, name: str, single: bool) -> Any:
    values: Sequence[Any] = [getattr(candidate, name) for candidate in answer.candidates]
    return values[0] if single else values


def _ranking(answer: RescoringResult) -> list[dict[str, Any]]:
    names = [field.name for field in _RANKED]
    return [{name: getattr(t, name) for name in names} for t in answer.ranking.transcripts]
