"""`wordgate type`: type at a terminal, with suggestions under the line."""

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

_ENTER = ("\r", "\n")
_LEAVE = ("\x04", "\x1b", "")


@click.command(cls=Command)
@click.option(
    "--max-suggestions",
    type=click.IntRange(1, MAX_SUGGESTIONS),
    default=3,
    show_default=True,
    help="Words under the line.",
)
@click.option(
    "--max-phrase-words",
    type=click.IntRange(1, MAX_WORDS),
    default=1,
    show_default=True,
    help="Words of a phrase.",
)
@click.option("--corrections/--no-corrections", default=True, help="Put slips of the finger right.")
@click.option(
    "--hide-rejected",
    is_flag=True,
    help="Leave out words that were suggested for a shorter beginning.",
)
@click.option(
    "--letter-case",
    type=click.Choice([case.value for case in LetterCase]),
    default=LetterCase.TRUECASE.value,
    show_default=True,
    help="As people write words, or what was typed as it is.",
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
    """Type a text; suggestions follow under the line.

    Tab takes the one that is marked, up and down mark another, Enter begins a new line, Ctrl-D
    ends. At the end of a line it says how many keys were saved.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WordgateError("this needs a terminal; `wordgate predict` answers to programs")
    options = Options(
        max_suggestions=max_suggestions,
        max_phrase_words=max_phrase_words,
        max_corrections=1 if corrections else 0,
        letter_case=LetterCase(letter_case),
        hide_rejected=hide_rejected,
    )
    with keyboard() as keys, connected_model(model, server) as asked:
        click.echo("Tab takes a suggestion, Enter begins a new line, Ctrl-D ends.")
        while _type_line(keys, asked, options):
            pass


def _type_line(keys: KeyReader, asked: LanguageModel, options: Options) -> bool:
    """Have one line typed; whether another is to follow."""
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
        click.echo(f"{typewriter.keys} keys for {len(written)} characters: {saved:.0%} saved")
    return key in _ENTER


def _answer(asked: LanguageModel, options: Options, typewriter: LineEditor) -> None:
    history, prefix = split_typed(typewriter.line.before)
    typewriter.answer = asked.submit_predict(Query(history, prefix, options)).result()
