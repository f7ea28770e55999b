"""`wordgate evaluate`: perplexity of a text, small questions, minimal pairs."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wordgate.cli.asking import asked_model, json_option, model_options
from wordgate.engine.answers import Asked
from wordgate.evaluation import minimal_pairs, perplexity, questions

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--text", type=_FILE, help="Perplexity of a file, a text a line.")
@click.option(
    "--no-punctuation", is_flag=True, help="With --text: strip marks, as speech has none."
)
@click.option(
    "--questions", "question_file", type=_FILE, help="Lines of context, good, bad; with tabs."
)
@click.option("--own-questions", is_flag=True, help="The fifty questions in the package.")
@click.option("--pairs", type=_FILE, help="Minimal pairs: .jsonl as BLiMP's, or .tsv.")
@model_options
@json_option
def evaluate(
    text: Path | None,
    no_punctuation: bool,
    question_file: Path | None,
    own_questions: bool,
    pairs: Path | None,
    model: Path | None,
    server: str | None,
    as_json: bool,
) -> None:
    """Measure a model on a file, plain, .gz or .xz.

    Each line of a text is read as a text of its own. Perplexities are of words and of pieces, the
    end of each text counted; top1 and top3 are shares of the words that were suggested.

    \b
    wordgate evaluate --text mails.txt
    wordgate evaluate --own-questions
    """
    if sum(map(bool, (text, question_file, own_questions, pairs))) != 1:
        raise click.UsageError("name one of --text, --questions, --own-questions and --pairs")
    if no_punctuation and not text:
        raise click.UsageError("--no-punctuation goes with --text")
    with asked_model(model, server) as asked:
        if text:
            found = asdict(perplexity.evaluate_file(asked, text, not no_punctuation))
        elif pairs:
            found = asdict(minimal_pairs.evaluate(asked, minimal_pairs.read(pairs)))
        else:
            found = _questions(asked, question_file)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        Console().print(_table(found))


def _questions(asked: Asked, path: Path | None) -> dict[str, object]:
    asked_questions = questions.read(path) if path else questions.own_questions()
    answered = questions.ask(asked, asked_questions)
    wrong = [f"{a.question.context} … {a.question.good}" for a in answered if not a.is_right]
    return {
        "questions": len(answered),
        "right": sum(a.is_right for a in answered),
        "top1": sum(a.rank == 0 for a in answered),
        "top3": sum(a.in_top for a in answered),
        "wrong": wrong,
    }


def _table(found: dict[str, object]) -> Table:
    table = Table("figure")
    table.add_column("value", justify="right")
    for name, value in found.items():
        if isinstance(value, dict):
            for key, part in value.items():
                table.add_row(escape(f"  {key}"), _shown(part))
        elif isinstance(value, list):
            for part in value:
                table.add_row(f"  {name}", escape(str(part)))
        else:
            table.add_row(name, _shown(value))
    return table


def _shown(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
