"""`wordgate export`: publish a checkpoint as the next version of its model."""

from collections.abc import Mapping
from pathlib import Path

import click

from wordgate.cli.command import Command
from wordgate.cli.options.paths import FOLDER, INPUT_FILE, INPUT_PATH
from wordgate.errors import InvalidConfiguration, WordgateError


@click.command(cls=Command)
@click.argument("checkpoint", type=INPUT_FILE)
@click.option(
    "--folder",
    type=FOLDER,
    help="Folder with the model's recipe, where versions are published.  [models/NAME]",
)
@click.option(
    "--precision",
    type=click.Choice(["int8", "float32"]),
    default="int8",
    show_default=True,
    help="Precision of the published graphs.",
)
@click.option("--with-weights", is_flag=True, help="Add bfloat16 weights for further training.")
@click.option(
    "--text-folder",
    type=FOLDER,
    envvar="WORDGATE_TEXT_FOLDER",
    help="Folder of the recipe's text files, if they are not where the recipe says.",
)
@click.option(
    "--cache-directory",
    type=FOLDER,
    envvar="WORDGATE_CACHE",
    default=Path.home() / ".cache" / "wordgate",
    show_default="~/.cache/wordgate",
    help="Cache of tokenized text.",
)
@click.option(
    "--evaluate",
    "evaluation_files",
    type=INPUT_PATH,
    multiple=True,
    help="Additional data for the model card: .txt (perplexity), .tsv or .jsonl (minimal pairs).",
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
    """Publish CHECKPOINT if it passes the publication checks.

    The float32 and int8 graphs are compared with PyTorch token by token on held-out text. The
    bundle is measured and written to models/NAME/VERSION with a generated model card.
    """
    from wordgate.evaluation.bundle_report import check_files, measure_bundle

    try:
        from wordgate.training import checkpoint as checkpoints
        from wordgate.training.export import export as exporting
    except ModuleNotFoundError as error:
        raise WordgateError(
            f"export requires {error.name}, which is not installed: pip install 'wordgate[train]'"
        ) from None
    check_files(evaluation_files)
    place = folder or Path("models") / checkpoints.load(checkpoint).recipe["name"]
    if not (place / "recipe.toml").is_file():
        raise InvalidConfiguration(
            "--folder", f"{place} does not contain recipe.toml; pass the folder of the model"
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
