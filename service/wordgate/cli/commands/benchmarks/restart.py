"""`wordgate bench restart`: killed and restarted servers."""

from pathlib import Path

import click

from wordgate.cli.command import Command
from wordgate.cli.commands.benchmarks.options import (
    COUNT,
    engine_threads_option,
    model_option,
    show,
)
from wordgate.cli.options.model import json_option
from wordgate.cli.terminal.progress import say


@click.command(cls=Command)
@click.option("--kills", type=COUNT, default=10, show_default=True, help="Number of restarts.")
@click.option("--workers", type=COUNT, default=1, show_default=True, help="Server processes.")
@model_option
@engine_threads_option
@json_option
def restart(
    kills: int, workers: int, path: Path | None, engine_threads: int, as_json: bool
) -> None:
    """Measure how soon a killed and restarted server answers again.

    Measures the time from the kill, and from the start of the new process, to the first answer to a
    client that keeps sending predictions. Also times the phases of a start.
    """
    say(f"killing and restarting a server {kills} times, then timing {kills} starts by phase")
    from wordgate.bench import restart
    from wordgate.bundle.bundled_model import resolve_bundle

    show(restart.run(resolve_bundle(path), kills, engine_threads, workers), as_json)
