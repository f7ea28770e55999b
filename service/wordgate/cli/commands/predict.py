"""`wordgate predict`: the likeliest next words."""

import json
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from wordgate.cli.command import Command
from wordgate.cli.options.model import connected_model, json_option, model_document, model_options
from wordgate.cli.options.server import ServerConnection
from wordgate.cli.options.weights import parse_assignment
from wordgate.cli.terminal.tables import add_numbers, print_table
from wordgate.decoding.options import (
    MAX_SUGGESTIONS,
    MAX_WORDS,
    BoostedWord,
    ContinuousCache,
    LetterCase,
    Options,
)
from wordgate.decoding.prediction import Query
from wordgate.engine.results import PredictionResult

_BOOST = "WORD=NUMBER", "Wordgate=4.6"


@click.command(cls=Command)
@click.option("--history", default="", help="What was written before.")
@click.option("--prefix", default="", help="The typed beginning of the next word.")
@click.option(
    "--max-suggestions",
    default=Options.max_suggestions,
    show_default=True,
    help=f"Words wanted, 1 to {MAX_SUGGESTIONS}.",
)
@click.option("--allow-punctuation", is_flag=True, help="Suggest marks and symbols too.")
@click.option("--min-probability", default=0.0, help="Leave less likely words out; 0 to 1.")
@click.option(
    "--letter-case",
    type=click.Choice([case.value for case in LetterCase]),
    default=LetterCase.TRUECASE.value,
    show_default=True,
    help="As people write words, or what was typed as it is.",
)
@click.option(
    "--hide-rejected",
    is_flag=True,
    help="Leave out words that were suggested for a shorter beginning.",
)
@click.option(
    "--block", "blocked", multiple=True, help="A word or phrase not to suggest; may be repeated."
)
@click.option(
    "--boost",
    "boosted",
    multiple=True,
    metavar=_BOOST[0],
    help=f"Rank a word higher, as {_BOOST[1]}; may be repeated.",
)
@click.option(
    "--max-phrase-words", default=1, show_default=True, help=f"Words of a phrase, 1 to {MAX_WORDS}."
)
@click.option(
    "--min-phrase-probability",
    default=Options.min_phrase_probability,
    show_default=True,
    help="Least joint probability of a phrase's words after its first.",
)
@click.option("--max-corrections", default=0, help="Words wanted where a finger slipped.")
@click.option("--correct-last-word", is_flag=True, help="Ask about the last word, finished.")
@click.option(
    "--allow-unseen-words",
    is_flag=True,
    help="Suggest words that the training text does not have, too.",
)
@click.option("--continuous-cache", default=0.0, help="Weight of a cache of the history itself.")
@click.option(
    "--max-expansions",
    default=Options.max_expansions,
    show_default=True,
    help="Rows of the output layer that the search may ask for; more where it was not exact.",
)
@model_options
@json_option
def predict(
    history: str,
    prefix: str,
    letter_case: str,
    blocked: tuple[str, ...],
    boosted: tuple[str, ...],
    correct_last_word: bool,
    continuous_cache: float,
    model: Path | None,
    server: ServerConnection | None,
    as_json: bool,
    **others: Any,
) -> None:
    """Print the likeliest next words after a history.

    \b
    wordgate predict --history "the clouds are in the"
    wordgate predict --history "See you" --prefix to
    wordgate predict --history "Thank you" --max-words 5
    wordgate predict --history "I live in Lodnon" --correct-last-word
    """
    options = Options(
        letter_case=LetterCase(letter_case),
        blocked_words=blocked,
        boosted_words=tuple(
            BoostedWord(*parse_assignment("--boost", each, *_BOOST)) for each in boosted
        ),
        continuous_cache=ContinuousCache(continuous_cache) if continuous_cache else None,
        **others,
    )
    with connected_model(model, server) as asked:
        answer = asked.submit_predict(Query(history, prefix, options, correct_last_word)).result()
    if as_json:
        click.echo(json.dumps(document(answer), ensure_ascii=False))
    elif answer.suggestions:
        print_table(_table(answer))
    else:
        click.echo(f"{'no suggestion' if answer.exact else _NONE_FOUND} ({answer.model})")


_NONE_FOUND = "no suggestion found before a bound was hit; raise --max-expansions"


def document(answer: PredictionResult) -> dict[str, object]:
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


def _table(answer: PredictionResult) -> Table:
    certainty = "exact" if answer.exact else "a bound was hit: perhaps not the likeliest"
    table = Table("next word", caption=f"{answer.model}, {certainty}")
    add_numbers(table, "probability", "log-probability")
    for suggestion in answer.suggestions:
        table.add_row(
            escape(suggestion.text),
            f"{suggestion.probability:.2%}",
            f"{suggestion.log_prob:.4f}",
        )
    return table
