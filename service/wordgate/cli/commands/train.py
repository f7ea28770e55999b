"""`wordgate train`: train a model from a recipe or from text files."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wordgate.cli.command import Command
from wordgate.cli.options.model import BUNDLE
from wordgate.cli.options.paths import FOLDER, INPUT_FILE
from wordgate.cli.terminal.progress import say
from wordgate.errors import WordgateError
from wordgate.training.hardware.torchrun import find_place
from wordgate.training.openmp import limit_openmp_spinning

if TYPE_CHECKING:
    from wordgate.training.loop import Outcome

_TORCHRUN = "torchrun --nproc-per-node {} -m wordgate.cli.main"
_EXTRA = ("torch", "pydantic", "safetensors", "matplotlib", "py3langid")


@click.command(cls=Command)
@click.argument("recipe", type=INPUT_FILE, required=False)
@click.option(
    "--text",
    "text_files",
    type=INPUT_FILE,
    multiple=True,
    help="Text file; writes models/NAME/recipe.toml. Repeatable: --text A --text B or --text A B.",
)
@click.option("--name", help="With --text: name of the model.")
@click.option(
    "--language",
    metavar="TAG",
    help="With --text: language of the text, such as en or zh-Hans.  [detected]",
)
@click.option(
    "--continue",
    "continued",
    type=BUNDLE,
    help="With --text: continue this published model, a bundle's folder or name with weights.",
)
@click.option(
    "--run-directory", type=FOLDER, help="Folder for checkpoints and curves.  [runs/NAME]"
)
@click.option(
    "--evaluate",
    "evaluation_file",
    type=INPUT_FILE,
    help="Measure the run's last checkpoint on this file and stop: perplexity of running text, for "
    'recipes with tokenizer.kind = "words", which are not exported.',
)
@click.option(
    "--max-minutes", type=click.FloatRange(min=0), help="Save a checkpoint and stop after this."
)
@click.option(
    "--text-folder",
    type=FOLDER,
    envvar="WORDGATE_TEXT_FOLDER",
    show_envvar=True,
    help="Folder of the recipe's text files, if they are not where the recipe says.",
)
@click.option(
    "--resume/--fresh",
    default=True,
    help="Resume from the last checkpoint (default), or delete it and start again.",
)
@click.option(
    "--cache-directory",
    type=FOLDER,
    envvar="WORDGATE_CACHE",
    default=Path.home() / ".cache" / "wordgate",
    show_default="~/.cache/wordgate",
    show_envvar=True,
    help="Cache of tokenized text.",
)
@click.argument("more_text_files", type=INPUT_FILE, nargs=-1)
def train(
    recipe: Path | None,
    text_files: tuple[Path, ...],
    more_text_files: tuple[Path, ...],
    name: str | None,
    language: str | None,
    continued: Path | None,
    run_directory: Path | None,
    evaluation_file: Path | None,
    max_minutes: float | None,
    text_folder: Path | None,
    resume: bool,
    cache_directory: Path,
) -> None:
    """Train a model from RECIPE, or from your own text files.

    \b
    wordgate train models/en/recipe.toml
    torchrun --nproc-per-node 2 -m wordgate.cli.main train models/en/recipe.toml
    wordgate train --text mails.txt chats.jsonl.gz --name mine
    wordgate train --continue en --text mails.txt --name mine

    Text files are .txt (one passage per line) or .jsonl (field "text"), plain, .gz or .xz. Rerun
    the command to resume an interrupted run from its last checkpoint; the final weights are the
    same as without the interruption.
    """
    _check(recipe, text_files, more_text_files, name, language)
    if continued and not text_files:
        raise click.UsageError("--continue: requires --text; a recipe has init_from")
    if evaluation_file and text_files:
        raise click.UsageError("--evaluate: requires RECIPE; remove --text")
    place = find_place()
    if text_files and place.size > 1:
        raise click.UsageError(
            "--text: cannot be used under torchrun; write the recipe first, with one process and "
            "--max-minutes 0"
        )
    if place.rank == 0:
        doing = (
            f"evaluating on {evaluation_file}" if evaluation_file else f"training {name or recipe}"
        )
        say(f"{doing}: loading PyTorch, then reading the text")
    limit_openmp_spinning()
    try:
        from wordgate.training import recipe as recipes
        from wordgate.training.run import Settings, measure
        from wordgate.training.run import train as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in _EXTRA:
            raise
        raise WordgateError(
            f"training requires {error.name}, which is not installed: pip install 'wordgate[train]'"
        ) from None
    path = _recipe_path(recipe, text_files, more_text_files, name, language, continued)
    loaded = recipes.load(path)
    folder = run_directory or Path("runs") / loaded.name
    if evaluation_file:
        checkpoint, figures = measure(path, folder, evaluation_file)
        click.echo(
            f"{evaluation_file}: perplexity {figures.token_perplexity:.2f} per token, "
            f"{figures.tokens:,} tokens including <eos>, {checkpoint}"
        )
        return
    # A recipe written for --text contains the files' paths.
    text_folder = None if text_files else text_folder
    settings = Settings(folder, cache_directory, text_folder, max_minutes, fresh=not resume)
    outcome = run(path, settings)
    can_export = not loaded.obstacle_to_serving
    if place.rank == 0:
        _tell(outcome, path, run_directory, text_folder, can_export, place.size)


def _recipe_path(
    recipe: Path | None,
    text_files: tuple[Path, ...],
    more: tuple[Path, ...],
    name: str | None,
    language: str | None,
    continued: Path | None,
) -> Path:
    """Return the path of the given recipe, or write a new one for the text files."""
    if name is None and recipe is not None:
        return recipe
    from wordgate.training.recipe_template import draft

    path = Path("models") / str(name) / "recipe.toml"
    files = [*text_files, *([recipe] if recipe else []), *more]
    stated = draft(path, str(name), files, language, continued)
    found = f"of {continued}" if continued else "detected"
    source = "" if language else f" ({found}); use --language TAG to change it"
    click.echo(f"recipe: {path}, language: {stated}{source}", err=True)
    return path


def _check(
    recipe: Path | None,
    text_files: tuple[Path, ...],
    more: tuple[Path, ...],
    name: str | None,
    language: str | None,
) -> None:
    """Raise `UsageError` unless the arguments are a recipe, or text files and a model name."""
    if not text_files:
        if recipe is None or more:
            raise click.UsageError("RECIPE: pass one recipe, or use --text FILES… --name NAME")
        if name is not None:
            raise click.UsageError("--name: requires --text; a recipe contains the name")
        if language is not None:
            raise click.UsageError("--language: requires --text; a recipe contains the language")
        return
    if name is None:
        raise click.UsageError("--text: requires --name NAME, for models/NAME/recipe.toml")
    from wordgate.bundle.manifest import NAME_PATTERN
    from wordgate.training.recipe import LANGUAGE_PATTERN

    if not re.fullmatch(NAME_PATTERN, name):
        raise click.UsageError(
            f"--name {name!r}: must be lower-case letters, digits, - and _, and start with a "
            "letter or digit"
        )
    if language is not None and not re.fullmatch(LANGUAGE_PATTERN, language):
        raise click.UsageError(
            f"--language {language!r}: is not a BCP 47 tag; use one such as en or zh-Hans"
        )


def _tell(
    outcome: "Outcome",
    path: Path,
    run_directory: Path | None,
    text_folder: Path | None,
    can_export: bool,
    processes: int,
) -> None:
    """Print how the run ended, and the next command with the same folder options."""
    text = _option("--text-folder", text_folder)
    click.echo(f"{outcome.reason} after step {outcome.step}: {outcome.checkpoint}")
    if outcome.held_out:
        click.echo(f"held-out perplexity: {outcome.held_out['word_perplexity']:.2f} per word")
    if outcome.reason == "finished" and can_export:
        is_usual = path.parent.parent == Path("models")
        folder = _option("--folder", None if is_usual else path.parent)
        click.echo(f"next: {_command('export', outcome.checkpoint, *folder, *text)}")
    elif outcome.reason != "finished":
        run = _option("--run-directory", run_directory)
        launcher = _TORCHRUN.format(processes) if processes > 1 else "wordgate"
        click.echo(f"to resume: {_command('train', path, *run, *text, launcher=launcher)}")


def _option(name: str, value: Path | None) -> list[str]:
    return [] if value is None else [name, str(value)]


def _command(name: str, *arguments: str | Path, launcher: str = "wordgate") -> str:
    return f"{launcher} {shlex.join([name, *map(str, arguments)])}"
