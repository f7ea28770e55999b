"""`wordgate train`: train a network by a recipe, or by one written for given text files."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wordgate.cli.command import Command
from wordgate.cli.options.paths import INPUT_FILE
from wordgate.cli.terminal.progress import say
from wordgate.errors import WordgateError
from wordgate.training.openmp import limit_openmp_spinning

if TYPE_CHECKING:
    from wordgate.training.loop import Outcome

_FOLDER = click.Path(file_okay=False, path_type=Path)
_EXTRA = ("torch", "pydantic", "safetensors", "matplotlib", "py3langid")


@click.command(cls=Command)
@click.argument("recipe", type=INPUT_FILE, required=False)
@click.option(
    "--text",
    "text_files",
    type=INPUT_FILE,
    multiple=True,
    help="A text file; writes models/NAME/recipe.toml. Several: --text A --text B, or --text A B.",
)
@click.option("--name", help="Name of the model, for --text.")
@click.option(
    "--language",
    metavar="TAG",
    help="Language of the files of --text: en, zh-Hans.  [found from the text]",
)
@click.option("--run-directory", type=_FOLDER, help="Of checkpoints and curves.  [runs/NAME]")
@click.option("--max-minutes", type=click.FloatRange(min=0), help="Stop and save after so long.")
@click.option(
    "--text-folder",
    type=_FOLDER,
    envvar="WORDGATE_TEXT_FOLDER",
    show_envvar=True,
    help="Where the recipe's text files lie, if not where it says.",
)
@click.option(
    "--resume/--fresh",
    default=True,
    help="Go on from the last checkpoint (as a rule), or begin again and drop it.",
)
@click.option(
    "--cache-directory",
    type=_FOLDER,
    envvar="WORDGATE_CACHE",
    default=Path.home() / ".cache" / "wordgate",
    show_default="~/.cache/wordgate",
    show_envvar=True,
    help="Where text is kept that has been cut into pieces.",
)
@click.argument("more_text_files", type=INPUT_FILE, nargs=-1)
def train(
    recipe: Path | None,
    text_files: tuple[Path, ...],
    more_text_files: tuple[Path, ...],
    name: str | None,
    language: str | None,
    run_directory: Path | None,
    max_minutes: float | None,
    text_folder: Path | None,
    resume: bool,
    cache_directory: Path,
) -> None:
    """Train by RECIPE, or by a recipe written for text files of your own.

    \b
    wordgate train models/en/recipe.toml
    wordgate train --text mails.txt chats.jsonl.gz --name mine

    Text is .txt (a line is a passage) or .jsonl (field "text"), plain, .gz or .xz. A run that was
    stopped or killed goes on from its last checkpoint and ends with the same weights.
    """
    _check(recipe, text_files, more_text_files, name, language)
    say(f"training {name or recipe}: loading PyTorch, then reading the text")
    limit_openmp_spinning()
    try:
        from wordgate.training import recipe as recipes
        from wordgate.training.run import Settings
        from wordgate.training.run import train as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in _EXTRA:
            raise
        raise WordgateError(
            f"training needs {error.name}, which is not installed: pip install 'wordgate[train]'"
        ) from None
    path = _recipe_path(recipe, text_files, more_text_files, name, language)
    folder = run_directory or Path("runs") / recipes.load(path).name
    # A recipe written for named files says itself where they are.
    text_folder = None if text_files else text_folder
    settings = Settings(folder, cache_directory, text_folder, max_minutes, fresh=not resume)
    outcome = run(path, settings)
    _tell(outcome, path, run_directory, text_folder)


def _recipe_path(
    recipe: Path | None,
    text_files: tuple[Path, ...],
    more: tuple[Path, ...],
    name: str | None,
    language: str | None,
) -> Path:
    """The recipe that was named, or a new one for text files that were."""
    if name is None and recipe is not None:
        return recipe
    from wordgate.training.recipe_template import draft

    path = Path("models") / str(name) / "recipe.toml"
    files = [*text_files, *([recipe] if recipe else []), *more]
    stated = draft(path, str(name), files, language)
    source = "" if language else "; --language TAG states another"
    click.echo(f"recipe: {path}, language: {stated}{source}", err=True)
    return path


def _check(
    recipe: Path | None,
    text_files: tuple[Path, ...],
    more: tuple[Path, ...],
    name: str | None,
    language: str | None,
) -> None:
    """Raise `UsageError` unless either a recipe or text and a name for its model are given."""
    if not text_files:
        if recipe is None or more:
            raise click.UsageError("RECIPE: name one, or text files with --text FILES… --name NAME")
        if name is not None:
            raise click.UsageError("--name: needs --text; a recipe has a name of its own")
        if language is not None:
            raise click.UsageError("--language: needs --text; a recipe states its own language")
        return
    if name is None:
        raise click.UsageError("--text: needs --name NAME, for models/NAME/recipe.toml")
    from wordgate.bundle.manifest import NAME_PATTERN
    from wordgate.training.recipe import LANGUAGE_PATTERN

    if not re.fullmatch(NAME_PATTERN, name):
        raise click.UsageError(
            f"--name {name!r}: use lower-case letters, digits, - and _; a letter or digit first"
        )
    if language is not None and not re.fullmatch(LANGUAGE_PATTERN, language):
        raise click.UsageError(f"--language {language!r}: is not a BCP 47 tag, as en or zh-Hans")


def _tell(
    outcome: "Outcome", path: Path, run_directory: Path | None, text_folder: Path | None
) -> None:
    """How it ended, and the command that comes next, with the folders that this one was told."""
    text = _option("--text-folder", text_folder)
    click.echo(f"{outcome.reason} after step {outcome.step}: {outcome.checkpoint}")
    if outcome.held_out:
        click.echo(f"held out: perplexity {outcome.held_out['word_perplexity']:.2f} a word")
    if outcome.reason == "finished":
        is_usual = path.parent.parent == Path("models")
        folder = _option("--folder", None if is_usual else path.parent)
        click.echo(f"next: {_command('export', outcome.checkpoint, *folder, *text)}")
    else:
        run = _option("--run-directory", run_directory)
        click.echo(f"go on with: {_command('train', path, *run, *text)}")


def _option(name: str, value: Path | None) -> list[str]:
    return [] if value is None else [name, str(value)]


def _command(name: str, *arguments: str | Path) -> str:
    return shlex.join(["wordgate", name, *map(str, arguments)])
