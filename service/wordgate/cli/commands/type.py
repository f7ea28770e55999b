"""`wordgate type`: type in the terminal with suggestions below the line."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wordgate.cli.command import Command
from wordgate.cli.options.model import connected_model, model_options
from wordgate.cli.options.server import ServerConnection
from wordgate.decoding.options import MAX_SUGGESTIONS, MAX_WORDS, LetterCase, Options
from wordgate.errors import WordgateError
from wordgate.offline.reading_report import counting

if TYPE_CHECKING:
    from wordgate.cli.terminal.typing_prompt import TypedLine


@click.command(cls=Command)
@click.option(
    "--max-suggestions",
    type=click.IntRange(1, MAX_SUGGESTIONS),
    default=3,
    show_default=True,
    help="Suggestions below the line.",
)
@click.option(
    "--max-phrase-words",
    type=click.IntRange(1, MAX_WORDS),
    default=1,
    show_default=True,
    help="Maximum words per suggestion.",
)
@click.option(
    "--corrections/--no-corrections",
    default=True,
    show_default=True,
    help="Suggest typo corrections.",
)
@click.option(
    "--hide-rejected",
    is_flag=True,
    help="Hide words already suggested for a shorter prefix.",
)
@click.option(
    "--letter-case",
    type=click.Choice([case.value for case in LetterCase]),
    default=LetterCase.TRUECASE.value,
    show_default=True,
    help="truecase writes words in their usual case; as-typed keeps the case of the prefix.",
)
@model_options
def type(
    max_suggestions: int,
    max_phrase_words: int,
    corrections: bool,
    hide_rejected: bool,
    letter_case: str,
    model: Path | None,
    server: ServerConnection | None,
) -> None:
    """Type text with suggestions below the line.

    Tab accepts the selected suggestion, Up and Down select another, Enter starts a new line, Ctrl-D
    exits. After each line it prints the keystroke savings. Requires the extra `terminal`.
    """
    try:
        from wordgate.cli.terminal.typing_prompt import TypingPrompt
    except ModuleNotFoundError:
        problem = "type requires prompt_toolkit; run pip install 'wordgate[terminal]'"
        raise WordgateError(problem) from None
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WordgateError("not a terminal: for scripts use `wordgate predict`")
    options = Options(
        max_suggestions=max_suggestions,
        max_phrase_words=max_phrase_words,
        max_corrections=1 if corrections else 0,
        letter_case=LetterCase(letter_case),
        hide_rejected=hide_rejected,
    )
    with connected_model(model, server) as language_model, suppress(EOFError):
        click.echo("Tab accepts a suggestion, Enter starts a new line, Ctrl-D exits.")
        prompt = TypingPrompt(language_model, options)
        while True:
            _print_savings(prompt.read_line())


def _print_savings(line: "TypedLine") -> None:
    written = line.text.rstrip()
    if written:
        saved = 1 - line.keys / len(written)
        keys = counting(line.keys, "key")
        click.echo(f"{keys} for {len(written)} characters: {saved:.0%} saved")
