"""`wordgate bench train`: the training step against a plain PyTorch loop."""

from typing import TYPE_CHECKING

import click

from wordgate.cli.command import Command
from wordgate.cli.commands.benchmarks.options import COUNT, show, train_extra
from wordgate.cli.options.model import json_option
from wordgate.cli.terminal.progress import say
from wordgate.training.openmp import limit_openmp_spinning

if TYPE_CHECKING:
    from wordgate.training.recipe import Precision


@click.command(cls=Command)
@click.option("--batch", type=COUNT, default=40, show_default=True, help="Batch size.")
@click.option("--length", type=COUNT, default=35, show_default=True, help="Tokens per sequence.")
@click.option("--threads", type=COUNT, default=2, show_default=True, help="PyTorch threads.")
@click.option(
    "--repetitions", type=COUNT, default=7, show_default=True, help="Repetitions per loop."
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "bfloat16", "float32"]),
    default="auto",
    show_default=True,
    help="Precision of the matrix products, as in a recipe.",
)
@json_option
def train(
    batch: int,
    length: int,
    threads: int,
    repetitions: int,
    precision: "Precision",
    as_json: bool,
) -> None:
    """Compare the training step with a plain PyTorch loop with a full softmax."""
    say(f"timing {repetitions} repetitions of the training step and of a plain PyTorch loop")
    limit_openmp_spinning()
    with train_extra():
        from wordgate.bench.training import training_step as training_bench
    found = training_bench.run(
        batch, length, threads=threads, repetitions=repetitions, precision=precision
    )
    show(found, as_json)
