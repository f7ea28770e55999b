"""`wordgate export`: publish a checkpoint as the next version of its model."""

from collections.abc import Mapping
from pathlib import Path

import click

from wordgate.cli.command import Command
from wordgate.cli.options.paths import INPUT_FILE, INPUT_PATH
from wordgate.errors import InvalidConfiguration, WordgateError

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(cls=Command)
@click.argument("checkpoint", type=INPUT_FILE)
@click.option("--folder", type=_FOLDER, help="Of the model's recipe and versions.  [models/NAME]")
@click.option("--precision", type=click.Choice(["int8", "float32"]), default="int8")
@click.option("--with-weights", is_flag=True, help="Add bfloat16 weights, to continue from.")
@click.option(
    "--text-folder",
    type=_FOLDER,
    envvar="WORDGATE_TEXT_FOLDER",
    help="Where the recipe's text files lie, if not where it says.",
)
@click.option(
    "--cache-directory",
    type=_FOLDER,
    envvar="WORDGATE_CACHE",
    default=Path.home() / ".cache" / "wordgate",
    show_default="~/.cache/wordgate",
    help="Where text cut into pieces is kept.",
)
@click.option(
    "--evaluate",
    "evaluation_files",
    type=INPUT_PATH,
    multiple=True,
    help="Measure on this too: a .txt (perplexity), or pairs (.tsv, .jsonl); for the card.",
)
def export(
    checkpoint: Path,
    folder: Path | None,
    precision: str,
    with_weights: bool,
    text_folder: Path | None,
    cache_directory: Path,
    evaluation_files: tuple[Path, ...],
) -> None:
    """Publish CHECKPOINT, unless its figures forbid it.

    It is compared with PyTorch piece by piece on held-out text, as float32 and as int8, measured,
    and written to models/NAME/VERSION with a generated card.
    """
    from wordgate.evaluation.bundle_report import check_files, measure_bundle

    try:
        from wordgate.training import checkpoint as checkpoints
        from wordgate.training.export import export as exporting
    except ModuleNotFoundError as error:
        raise WordgateError(
            f"exporting needs {error.name}, which is not installed: pip install 'wordgate[train]'"
        ) from None
    check_files(evaluation_files)
    place = folder or Path("models") / checkpoints.load(checkpoint).recipe["name"]
    if not (place / "recipe.toml").is_file():
        raise InvalidConfiguration(
            "--folder", f"{place} has no recipe.toml; name the folder that has the model's"
        )
    settings = exporting.Settings(
        checkpoint=checkpoint,
        folder=place,
        cache=cache_directory,
        text_folder=text_folder,
        precision="float32" if precision == "float32" else "int8",
        with_weights=with_weights,
    )

    def measure(bundle: Path) -> Mapping[str, float]:
        return measure_bundle(bundle, evaluation_files)

    published = exporting.publish(settings, measure, lambda line: click.echo(line, err=True))
    click.echo(f"published {published}")
