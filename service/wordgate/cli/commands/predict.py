"""`wordgate predict`: next-word prediction."""

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
from wordgate.decoding.prediction_result import PredictionResult

_BOOST = "WORD=NUMBER", "Wordgate=4.6"


@click.command(cls=Command)
@click.option("--history", default="", help="Text before the next word.")
@click.option("--prefix", default="", help="Typed prefix of the next word.")
@click.option(
    "--max-suggestions",
    default=Options.max_suggestions,
    show_default=True,
    help=f"Maximum number of suggestions, 1 to {MAX_SUGGESTIONS}.",
)
@click.option("--allow-punctuation", is_flag=True, help="Also suggest punctuation and symbols.")
@click.option("--min-probability", default=0.0, help="Hide words with a lower probability; 0 to 1.")
@click.option(
    "--letter-case",
    type=click.Choice([case.value for case in LetterCase]),
    default=LetterCase.TRUECASE.value,
    show_default=True,
    help="truecase writes words in their usual case; as-typed keeps the case of the prefix.",
)
@click.option(
    "--hide-rejected",
    is_flag=True,
    help="Hide words already suggested for a shorter prefix.",
)
@click.option(
    "--block", "blocked", multiple=True, help="Word or phrase not to suggest. Repeatable."
)
@click.option(
    "--boost",
    "boosted",
    multiple=True,
    metavar=_BOOST[0],
    help=f"Rank a word or phrase higher, as in {_BOOST[1]}. Repeatable.",
)
@click.option(
    "--max-phrase-words",
    default=1,
    show_default=True,
    help=f"Maximum words per suggestion, 1 to {MAX_WORDS}.",
)
@click.option(
    "--min-phrase-probability",
    default=Options.min_phrase_probability,
    show_default=True,
    help="Minimum joint probability of the words of a phrase after the first.",
)
@click.option("--max-corrections", default=0, help="Maximum number of typo corrections.")
@click.option(
    "--correct-last-word",
    is_flag=True,
    help="Suggest corrections for the last complete word.",
)
@click.option(
    "--allow-unseen-words",
    is_flag=True,
    help="Also suggest words that are not in the training text.",
)
@click.option(
    "--continuous-cache", default=0.0, help="Weight of a continuous cache over the history."
)
@click.option(
    "--max-expansions",
    default=Options.max_expansions,
    show_default=True,
    help="Maximum output-layer rows per search; raise it if results are not exact.",
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
    """Print the most likely next words after a history.

    \b
    wordgate predict --history "the clouds are in the"
    wordgate predict --history "See you" --prefix to
    wordgate predict --history "Thank you" --max-phrase-words 3
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
    with connected_model(model, server) as language_model:
        answer = language_model.submit_predict(
            Query(history, prefix, options, correct_last_word)
        ).result()
    if as_json:
        click.echo(json.dumps(document(answer), ensure_ascii=False))
    elif answer.suggestions:
        print_table(_table(answer))
    else:
        click.echo(f"{'no suggestion' if answer.exact else _NONE_FOUND} ({answer.model})")


_NONE_FOUND = "no suggestion found within the search limit; raise --max-expansions"


def document(answer: PredictionResult) -> dict[str, object]:
    """Return the answer as a JSON document."""
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
    certainty = "exact" if answer.exact else "search limit reached: may not be the most likely"
    table = Table("next word", caption=f"{answer.model}, {certainty}")
    add_numbers(table, "probability", "log-probability")
    for suggestion in answer.suggestions:
        table.add_row(
            escape(suggestion.text),
            f"{suggestion.probability:.2%}",
            f"{suggestion.log_prob:.4f}",
        )
    return table
