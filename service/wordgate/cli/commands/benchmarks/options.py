"""Options and output shared by the benchmarks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from wordgate.cli.options.paths import INPUT_FILE
from wordgate.cli.terminal.tables import figures_table, print_table
from wordgate.errors import WordgateError

COUNT = click.IntRange(min=1)

model_option = click.option(
    "--model",
    "path",
    type=click.Path(path_type=Path),
    help="Name of a bundled model, or folder of a bundle or of versions.  [en]",
)
engine_threads_option = click.option(
    "--engine-threads",
    type=COUNT,
    default=2,
    show_default=True,
    help="Concurrent inferences.",
)
repetitions_option = click.option(
    "--repetitions", type=COUNT, default=7, show_default=True, help="Repetitions per variant."
)
messages_option = click.option(
    "--input",
    "messages_file",
    type=INPUT_FILE,
    help="Text to type, one message per line.  [questions in the package]",
)
max_suggestions_option = click.option(
    "--max-suggestions", type=COUNT, default=5, show_default=True, help="Suggestions per key."
)


def model_label(path: Path) -> str:
    """Return NAME@VERSION of a bundle."""
    return f"{path.parent.name}@{path.name}"


def show(figures: dict[str, Any], as_json: bool) -> None:
    """Print figures as a table or JSON."""
    if as_json:
        click.echo(json.dumps(figures))
        return
    print_table(figures_table(figures))


@contextmanager
def train_extra() -> Iterator[None]:
    """Raise an error that names the missing extra if an import inside fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise WordgateError(
            f"bench requires {error.name}, which is not installed: pip install 'wordgate[train]'"
        ) from None
