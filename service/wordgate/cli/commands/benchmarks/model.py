"""`wordgate bench model`: the graphs by batch size, and predictions."""

from pathlib import Path

import click

from wordgate.cli.command import Command
from wordgate.cli.commands.benchmarks.options import COUNT, model_option, show
from wordgate.cli.options.model import json_option
from wordgate.cli.terminal.progress import say


@click.command(cls=Command)
@model_option
@click.option(
    "--intra-op-threads",
    "threads",
    type=COUNT,
    default=1,
    show_default=True,
    help="Threads inside one inference.",
)
@click.option(
    "--repetitions", type=COUNT, default=7, show_default=True, help="Repetitions per batch size."
)
@json_option
def model(path: Path | None, threads: int, repetitions: int, as_json: bool) -> None:
    """Time each graph by batch size, then predictions, in this process."""
    say("timing each graph by batch size, then predictions")
    from wordgate.bench import model
    from wordgate.bundle.bundled_model import resolve_bundle
    from wordgate.engine.local_model import LocalModel
    from wordgate.engine.onnx_model import Runtime

    bundle = resolve_bundle(path)
    opened = LocalModel.open(bundle, Runtime(threads=threads))
    try:
        head = {"model": str(opened.served.name), "threads": threads}
        show(head | model.measure(opened, repetitions), as_json)
    finally:
        opened.close()
