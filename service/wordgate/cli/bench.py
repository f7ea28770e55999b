"""`wordgate bench`: measure speed on this machine, as JSON or for people."""

import json
import os
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from wordgate.cli.asking import json_option
from wordgate.errors import WordgateError


@click.group()
def bench() -> None:
    """Measure speed here. What is compared is interleaved in one run; figures are medians."""


_COUNT = click.IntRange(min=1)


@bench.command()
@click.option("--batch", type=_COUNT, default=32, show_default=True, help="Columns side by side.")
@click.option("--length", type=_COUNT, default=35, show_default=True, help="Pieces of a column.")
@click.option("--threads", type=_COUNT, default=2, show_default=True)
@click.option("--repetitions", type=_COUNT, default=7, show_default=True)
@json_option
def train(batch: int, length: int, threads: int, repetitions: int, as_json: bool) -> None:
    """The training step against a plain PyTorch loop with a full softmax, pieces a second."""
    # Threads that spin while they wait make a step slower beside any other load.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        from wordgate.training import bench as training_bench
    except ModuleNotFoundError as error:
        raise WordgateError(
            f"this needs {error.name}, which is not installed: pip install 'wordgate[train]'"
        ) from None
    show(training_bench.run(batch, length, threads=threads, repetitions=repetitions), as_json)


def show(found: dict[str, Any], as_json: bool) -> None:
    """Print figures."""
    if as_json:
        click.echo(json.dumps(found))
        return
    table = Table("figure")
    table.add_column("value", justify="right")
    for name, value in found.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int | float) else str(value))
    Console().print(table)
