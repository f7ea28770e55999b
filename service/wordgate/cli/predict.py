"""`wordgate predict`: the likeliest next words."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wordgate.cli.asking import asked_model, json_option, model_document, model_options
from wordgate.core.prediction import DEFAULT_MAX_SUGGESTIONS, MAX_SUGGESTIONS, Query
from wordgate.core.search import DEFAULT_MAX_EXPANSIONS
from wordgate.engine.answers import PredictionAnswer


@click.command()
@click.option("--history", default="", help="What was written before.")
@click.option("--prefix", default="", help="The typed beginning of the next word.")
@click.option(
    "--max-suggestions",
    default=DEFAULT_MAX_SUGGESTIONS,
    show_default=True,
    help=f"Words wanted, 1 to {MAX_SUGGESTIONS}.",
)
@click.option("--allow-punctuation", is_flag=True, help="Suggest marks and symbols too.")
@click.option("--min-probability", default=0.0, help="Leave less likely words out; 0 to 1.")
@click.option(
    "--max-expansions",
    default=DEFAULT_MAX_EXPANSIONS,
    show_default=True,
    help="Rows of the output layer that the search may ask for; more where it was not exact.",
)
@model_options
@json_option
def predict(
    history: str,
    prefix: str,
    max_suggestions: int,
    allow_punctuation: bool,
    min_probability: float,
    max_expansions: int,
    model: Path | None,
    server: str | None,
    as_json: bool,
) -> None:
    """Print the likeliest next words after a history.

    \b
    wordgate predict --history "the clouds are in the"
    wordgate predict --history "See you" --prefix to
    """
    query = Query(
        history, prefix, max_suggestions, allow_punctuation, min_probability, max_expansions
    )
    with asked_model(model, server) as asked:
        answer = asked.ask_predict(query).result()
    if as_json:
        click.echo(json.dumps(document(answer), ensure_ascii=False))
    else:
        Console().print(_table(answer))


def document(answer: PredictionAnswer) -> dict[str, object]:
    """The answer as programs read it."""
    return {
        "suggestions": [
            {
                "text": suggestion.text,
                "log_prob": suggestion.log_prob,
                "probability": suggestion.probability,
                "kind": suggestion.kind.value,
            }
            for suggestion in answer.suggestions
        ],
        "exact": answer.exact,
        "model": model_document(answer.model),
    }


def _table(answer: PredictionAnswer) -> Table:
    certainty = "exact" if answer.exact else "a bound was hit: perhaps not the likeliest"
    table = Table("next word", caption=f"{answer.model}, {certainty}")
    table.add_column("probability", justify="right")
    table.add_column("log-probability", justify="right")
    for suggestion in answer.suggestions:
        table.add_row(
            escape(suggestion.text),
            f"{suggestion.probability:.2%}",
            f"{suggestion.log_prob:.4f}",
        )
    return table
