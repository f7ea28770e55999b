"""`wordgate generate`: continue a text word by word."""

import json
from contextlib import closing
from pathlib import Path

import click

from wordgate.cli.command import Command
from wordgate.cli.options.model import connected_model, json_option, model_document, model_options
from wordgate.cli.options.server import ServerConnection
from wordgate.decoding.generation import (
    DEFAULT_MAX_WORDS,
    DEFAULT_TOP_K,
    MAX_GENERATED_WORDS,
    MAX_TEMPERATURE,
    GenerationQuery,
)
from wordgate.decoding.options import MAX_SUGGESTIONS
from wordgate.decoding.search import DEFAULT_MAX_EXPANSIONS
from wordgate.engine.results import GenerationResult


@click.command(cls=Command)
@click.option("--history", default="", help="Text to continue.")
@click.option("--prefix", default="", help="Typed prefix of the first word.")
@click.option(
    "--max-words",
    default=DEFAULT_MAX_WORDS,
    show_default=True,
    help=f"Maximum number of words and punctuation marks, 1 to {MAX_GENERATED_WORDS}.",
)
@click.option(
    "--temperature",
    default=1.0,
    show_default=True,
    help=f"Sampling temperature, 0 to {MAX_TEMPERATURE}; 0 always takes the most likely word.",
)
@click.option(
    "--top-k",
    default=DEFAULT_TOP_K,
    show_default=True,
    help=f"Sample from this many of the most likely words, 1 to {MAX_SUGGESTIONS}.",
)
@click.option(
    "--top-p",
    default=1.0,
    show_default=True,
    help="Nucleus sampling: keep the most likely words up to this total probability.",
)
@click.option("--seed", type=int, help="Random seed; the same seed gives the same text.  [random]")
@click.option(
    "--stop-word",
    "stop_words",
    multiple=True,
    help="Stop after this word, punctuation mark or phrase. Repeatable.",
)
@click.option(
    "--max-expansions",
    default=DEFAULT_MAX_EXPANSIONS,
    show_default=True,
    help="Maximum output-layer rows per word.",
)
@model_options
@json_option
def generate(
    history: str,
    prefix: str,
    max_words: int,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int | None,
    stop_words: tuple[str, ...],
    max_expansions: int,
    model: Path | None,
    server: ServerConnection | None,
    as_json: bool,
) -> None:
    """Continue a text word by word.

    Prints the text, and on standard error the seed that reproduces it. With --json prints one line
    per word.

    \b
    wordgate generate --history "I was hoping that" --stop-word .
    wordgate generate --history "Dear" --temperature 0.7 --top-p 0.9 --seed 7
    """
    query = GenerationQuery(
        history,
        prefix,
        max_words,
        temperature,
        top_k,
        top_p,
        seed,
        stop_words,
        max_expansions,
    )
    with (
        connected_model(model, server) as language_model,
        closing(language_model.submit_generate(query)) as answers,
    ):
        for number, answer in enumerate(answers):
            if as_json:
                click.echo(json.dumps(document(answer), ensure_ascii=False))
            else:
                _print_text(answer, is_first=not number)


def document(answer: GenerationResult) -> dict[str, object]:
    """Return one word as a JSON document."""
    word = answer.word
    return {
        "word": word.word,
        "text": word.text,
        "prefix": word.prefix,
        "log_prob": word.log_prob,
        "exact": word.exact,
        "finish": word.finish.value if word.finish else None,
        "seed": answer.seed,
        "model": model_document(answer.model),
    }


def _print_text(answer: GenerationResult, *, is_first: bool) -> None:
    """Print a word; after the last one print the finish reason and the seed."""
    word = answer.word
    click.echo(word.text.lstrip(" ") if is_first else word.text, nl=False)
    if word.finish is not None:
        click.echo()
        reason = word.finish.value.replace("_", " ")
        click.echo(f"{answer.model}, {reason}, seed {answer.seed}", err=True)
