"""`wordgate type`: type in the terminal with suggestions below the line."""

import shutil
import sys
from pathlib import Path

import click

from wordgate.cli.command import Command
from wordgate.cli.options.model import connected_model, model_options
from wordgate.cli.options.server import ServerConnection
from wordgate.cli.terminal.keyboard import KeyReader, keyboard
from wordgate.cli.terminal.line_editor import LineEditor
from wordgate.decoding.options import MAX_SUGGESTIONS, MAX_WORDS, LetterCase, Options
from wordgate.decoding.prediction import Query, split_typed
from wordgate.engine.results import LanguageModel
from wordgate.errors import WordgateError
from wordgate.offline.reading_report import counting

_ENTER = ("\r", "\n")
_LEAVE = ("\x04", "\x1b", "")


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
    exits. After each line it prints the keystroke savings.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WordgateError("not a terminal: for scripts use `wordgate predict`")
    options = Options(
        max_suggestions=max_suggestions,
        max_phrase_words=max_phrase_words,
        max_corrections=1 if corrections else 0,
        letter_case=LetterCase(letter_case),
        hide_rejected=hide_rejected,
    )
    with keyboard() as keys, connected_model(model, server) as asked:
        click.echo("Tab accepts a suggestion, Enter starts a new line, Ctrl-D exits.")
        while _type_line(keys, asked, options):
            pass


def _type_line(keys: KeyReader, asked: LanguageModel, options: Options) -> bool:
    """Let the user type one line; return whether another follows."""
    typewriter = LineEditor()
    _answer(asked, options, typewriter)
    while True:
        if not keys.is_waiting:
            click.echo(typewriter.screen(shutil.get_terminal_size().columns), nl=False)
        key = keys.key()
        if key in _ENTER or key in _LEAVE:
            break
        if typewriter.press(key):
            _answer(asked, options, typewriter)
    typewriter.answer = None
    typewriter.line = typewriter.line.move(len(typewriter.line.text))
    click.echo(typewriter.screen(shutil.get_terminal_size().columns))
    written = typewriter.line.text.rstrip()
    if written:
        saved = 1 - typewriter.keys / len(written)
        keys_text = counting(typewriter.keys, "key")
        click.echo(f"{keys_text} for {len(written)} characters: {saved:.0%} saved")
    return key in _ENTER


def _answer(asked: LanguageModel, options: Options, typewriter: LineEditor) -> None:
    history, prefix = split_typed(typewriter.line.before)
    typewriter.answer = asked.submit_predict(Query(history, prefix, options)).result()
