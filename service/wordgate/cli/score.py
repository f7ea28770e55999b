"""`wordgate score`: how likely candidates are after a history."""

import json
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wordgate.cli.asking import asked_model, json_option, model_document, model_options
from wordgate.engine.answers import Asked, ScoreAnswer
from wordgate.errors import InvalidFile, InvalidInput
from wordgate.evaluation.in_flight import UNDER_WAY, in_order
from wordgate.evaluation.lines import parse_json

_STANDARD_INPUT = Path("-")


@dataclass(frozen=True)
class _Request:
    history: str
    candidates: list[str]


@click.command()
@click.argument("candidates", nargs=-1)
@click.option("--history", default="", help="What was said before.")
@click.option(
    "--input",
    "input_file",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help='JSON lines: {"history": …, "candidates": […]}; one result a line. -: standard input.',
)
@click.option("--no-eos", is_flag=True, help="Do not count that the text ends.")
@model_options
@json_option
def score(
    candidates: tuple[str, ...],
    history: str,
    input_file: Path | None,
    no_eos: bool,
    model: Path | None,
    server: str | None,
    as_json: bool,
) -> None:
    """Print the log-probability of each of CANDIDATES, in the order given.

    Natural logarithms, of the whole text and its end. With --input the results are JSON lines.

    \b
    wordgate score --history "" -- "recognise speech" "wreck a nice beach"
    wordgate score --input hesitations.jsonl --json
    """
    if input_file is not None and (candidates or history):
        raise click.UsageError("--input brings its own histories and candidates")
    if input_file is None and not candidates:
        raise click.UsageError("name candidates, or a file of them with --input")
    with asked_model(model, server) as asked:
        if input_file is None:
            requests = iter([_Request(history, list(candidates))])
        else:
            requests = _read(input_file)
        for answer in in_order(_ask(asked, requests, not no_eos), _under_way(input_file)):
            if as_json or input_file is not None:
                click.echo(json.dumps(document(answer), ensure_ascii=False))
            else:
                Console().print(_table(answer))


def document(answer: ScoreAnswer) -> dict[str, object]:
    """The answer as programs read it."""
    return {
        "candidates": [
            {
                "text": candidate.text,
                "log_prob": candidate.log_prob,
                "posterior": candidate.posterior,
                "word_count": candidate.word_count,
                "token_count": candidate.token_count,
            }
            for candidate in answer.candidates
        ],
        "counted_eos": answer.counted_eos,
        "model": model_document(answer.model),
    }


def _ask(asked: Asked, requests: Iterator[_Request], eos: bool) -> Iterator["Future[ScoreAnswer]"]:
    return (asked.ask_score(request.history, request.candidates, eos) for request in requests)


def _under_way(path: Path | None) -> int:
    """How many lines are asked at once. Who pipes them in may wait for each answer: one there."""
    return 1 if path == _STANDARD_INPUT else UNDER_WAY


def _read(source: Path) -> Iterator[_Request]:
    path = Path("standard input") if source == _STANDARD_INPUT else source
    try:
        with click.open_file(str(source), encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _request(path, number, line)
    except UnicodeDecodeError as error:
        raise InvalidFile(path, f"is not UTF-8: {error.reason}") from None
    except OSError as error:
        raise InvalidFile(path, f"cannot be read: {error.strerror}") from None


def _request(path: Path, number: int, line: str) -> _Request:
    try:
        return _checked(parse_json(path, number, line))
    except InvalidInput as error:
        raise InvalidFile(path, str(error), number) from None


def _checked(record: Any) -> _Request:
    if not isinstance(record, dict):
        raise InvalidInput("line", "is no JSON object")
    history, candidates = record.get("history", ""), record.get("candidates")
    if not isinstance(history, str):
        raise InvalidInput("history", "is no string")
    if not isinstance(candidates, list) or not candidates:
        raise InvalidInput("candidates", "is no list with at least one text")
    return _Request(history, [_candidate(c, index) for index, c in enumerate(candidates)])


def _candidate(candidate: Any, index: int) -> str:
    text = candidate.get("text") if isinstance(candidate, dict) else candidate
    if not isinstance(text, str):
        raise InvalidInput(f"candidates[{index}]", 'is no string, and no object with a "text"')
    return text


def _table(answer: ScoreAnswer) -> Table:
    counted = "the end of the text counted" if answer.counted_eos else "the end not counted"
    table = Table("candidate", caption=f"{answer.model}, {counted}")
    for heading in ("log-probability", "posterior", "words", "pieces"):
        table.add_column(heading, justify="right")
    for candidate in answer.candidates:
        table.add_row(
            escape(candidate.text),
            f"{candidate.log_prob:.4f}",
            f"{candidate.posterior:.2%}",
            str(candidate.word_count),
            str(candidate.token_count),
        )
    return table
