"""`wordgate bench overload`: more requests than a server can answer."""

from pathlib import Path

import click

from wordgate.cli.command import Command
from wordgate.cli.commands.benchmarks.options import (
    COUNT,
    engine_threads_option,
    model_label,
    model_option,
    show,
)
from wordgate.cli.options.model import json_option
from wordgate.cli.terminal.progress import say


@click.command(cls=Command)
@click.option(
    "--mix",
    type=click.Choice(["flood", "fairness"]),
    default="flood",
    show_default=True,
    help="Workload: more requests than the server can answer, or small requests alongside large.",
)
@click.option(
    "--large", type=COUNT, default=2, show_default=True, help="Clients with large requests."
)
@click.option(
    "--load-factor",
    type=click.FloatRange(min=0, min_open=True),
    default=4.0,
    show_default=True,
    help="Offered load as a multiple of capacity.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="Duration of each phase.",
)
@click.option(
    "--rounds", type=COUNT, default=3, show_default=True, help="Repetitions of all phases."
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Random seed of arrival times."
)
@model_option
@engine_threads_option
@json_option
def overload(
    mix: str,
    large: int,
    load_factor: float,
    seconds: float,
    rounds: int,
    seed: int,
    path: Path | None,
    engine_threads: int,
    as_json: bool,
) -> None:
    """Overload a server with requests to score 100 candidates each.

    The phases: one request at a time; full load; several times the full load, sent at a fixed rate
    whether or not the server answers; one request at a time again. With `--mix fairness` instead: a
    client with 5 candidates per request alone, then alongside clients with 1000 long candidates per
    request, then three clients with 100 candidates each.
    """
    phases = 3 if mix == "fairness" else 4
    total = rounds * phases * seconds + 5
    say(f"{rounds} rounds of {phases} phases, about {total:,.0f} s in total")
    from wordgate.bench import overload
    from wordgate.bench.local_server import local_server
    from wordgate.bundle.bundled_model import resolve_bundle

    bundle = resolve_bundle(path)
    with local_server(bundle, engine_threads) as server:
        if mix == "fairness":
            figures = overload.run_fairness(server, large, seconds, rounds)
        else:
            figures = overload.run(server, load_factor, seconds, rounds, seed)
    show(figures | {"model": model_label(bundle), "engine_threads": engine_threads}, as_json)
