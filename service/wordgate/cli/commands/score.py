"""`wordgate score`: log-probabilities of candidates after a history."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from wordgate.cli.command import Command
from wordgate.cli.options.model import connected_model, json_option, model_document, model_options
from wordgate.cli.options.output import Results, output_options, results
from wordgate.cli.options.paths import INPUT_FILE_OR_DASH, STANDARD_INPUT
from wordgate.cli.options.server import ServerConnection
from wordgate.cli.terminal.tables import add_numbers, print_table
from wordgate.engine.results import LanguageModel, ScoreResult
from wordgate.errors import InvalidFile
from wordgate.offline.formats import candidates as candidates_of
from wordgate.offline.formats.candidates import CandidateSet
from wordgate.offline.pipelining import DEFAULT_IN_FLIGHT
from wordgate.offline.records import answered
from wordgate.scoring.scoring import Candidate


@click.command(cls=Command)
@click.argument("candidates", nargs=-1)
@click.option("--history", default="", help="Text before the candidates.")
@click.option(
    "--input",
    "input_file",
    type=INPUT_FILE_OR_DASH,
    help='JSON lines: {"history": …, "candidates": […]}, or a .txt file of candidates, plain, .gz '
    "or .xz; writes one result per line. - reads standard input.",
)
@output_options
@click.option("--no-eos", is_flag=True, help="Exclude the end-of-text token.")
@click.option(
    "--words",
    "return_words",
    is_flag=True,
    help="Also print the log-probability of each word.",
)
@model_options
@json_option
def score(
    candidates: tuple[str, ...],
    history: str,
    input_file: Path | None,
    no_eos: bool,
    return_words: bool,
    output: Path | None,
    skip_invalid: bool,
    model: Path | None,
    server: ServerConnection | None,
    as_json: bool,
) -> None:
    """Print the log-probability of each of CANDIDATES, in the order given.

    Log-probabilities are natural logarithms of the whole text, including the end-of-text token.
    With --input the results are JSON lines.

    \b
    wordgate score --history "" -- "recognise speech" "wreck a nice beach"
    wordgate score --input hesitations.jsonl
    wordgate score --input sentences.txt.gz --output scored.jsonl.gz
    """
    if input_file is not None and (candidates or history):
        raise click.UsageError(
            "--input: cannot be combined with CANDIDATES or --history; the file contains both"
        )
    if input_file is None and not candidates:
        raise click.UsageError("CANDIDATES: are missing; pass candidates, or a file with --input")
    if input_file is None and (output or skip_invalid):
        raise click.UsageError(f"{'--output' if output else '--skip-invalid'}: requires --input")
    if input_file is not None:
        is_batch = input_file != STANDARD_INPUT
        with (
            results(output, input_file, skip_invalid) as out,
            connected_model(
                model, server, priority="batch" if is_batch else "realtime"
            ) as language_model,
        ):
            _score_file(language_model, input_file, not no_eos, return_words, out)
        out.end(input_file)
        return
    with connected_model(model, server) as language_model:
        answer = language_model.submit_score(history, candidates, not no_eos, return_words).result()
    if as_json:
        click.echo(_line(answer))
        return
    print_table(_table(answer))
    if return_words:
        for candidate in answer.candidates:
            print_table(_words_table(candidate, answer.counted_eos))


def document(answer: ScoreResult) -> dict[str, object]:
    """Return the answer as a JSON document."""
    return {
        "candidates": [
            {
                "text": candidate.text,
                "log_prob": candidate.log_prob,
                "posterior": candidate.posterior,
                "word_count": candidate.word_count,
                "token_count": candidate.token_count,
            }
            | _words(candidate, answer.counted_eos)
            for candidate in answer.candidates
        ],
        "counted_eos": answer.counted_eos,
        "model": model_document(answer.model),
    }


def _words(candidate: Candidate, counted_eos: bool) -> dict[str, object]:
    """Return the words of a candidate, where they were asked for, as programs read them."""
    if not candidate.words:
        return {}
    words = [{"word": each.word, "log_prob": each.log_prob} for each in candidate.words]
    return {"words": words} | ({"eos_log_prob": candidate.eos_log_prob} if counted_eos else {})


def _words_table(candidate: Candidate, counted_eos: bool) -> Table:
    table = Table("word", title=escape(candidate.text))
    add_numbers(table, "log-probability")
    for each in candidate.words:
        table.add_row(escape(each.word), f"{each.log_prob:.4f}")
    if counted_eos:
        table.add_row("(end of the text)", f"{candidate.eos_log_prob:.4f}")
    return table


def _score_file(
    model: LanguageModel, source: Path, eos: bool, return_words: bool, out: Results
) -> None:
    def ask(candidate_set: CandidateSet) -> "Future[ScoreResult]":
        return model.submit_score(
            candidate_set.history, candidate_set.candidates, eos, return_words
        )

    piped = source == STANDARD_INPUT
    read = _piped() if piped else candidates_of.read(source, out.read)
    records = out.rest_of(read, source)
    # The writer of standard input may wait for each answer, so keep one request in progress.
    for outcome in answered(records, ask, 1 if piped else DEFAULT_IN_FLIGHT):
        if isinstance(outcome, InvalidFile):
            out.refuse(outcome, as_json=True)
        else:
            out.write([_line(outcome[1])], outcome[1].model, {})


def _piped() -> Iterator[CandidateSet | InvalidFile]:
    return candidates_of.parse(Path("standard input"), enumerate(sys.stdin.buffer, 1))


def _line(answer: ScoreResult) -> str:
    return json.dumps(document(answer), ensure_ascii=False)


def _table(answer: ScoreResult) -> Table:
    counted = f"{'including' if answer.counted_eos else 'excluding'} the end-of-text token"
    table = Table("candidate", caption=f"{answer.model}, {counted}")
    add_numbers(table, "log-probability", "posterior", "words", "tokens")
    for candidate in answer.candidates:
        table.add_row(
            escape(candidate.text),
            f"{candidate.log_prob:.4f}",
            f"{candidate.posterior:.2%}",
            str(candidate.word_count),
            str(candidate.token_count),
        )
    return table
