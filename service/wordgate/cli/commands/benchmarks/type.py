"""`wordgate bench type`: the latency of keystrokes."""

from pathlib import Path

import click

from wordgate.cli.command import Command
from wordgate.cli.commands.benchmarks.options import (
    COUNT,
    engine_threads_option,
    max_suggestions_option,
    messages_option,
    model_label,
    model_option,
    show,
)
from wordgate.cli.options.model import json_option
from wordgate.cli.terminal.progress import say


@click.command(cls=Command, name="type")
@click.option(
    "--typists", type=COUNT, default=100, show_default=True, help="Concurrent typing sessions."
)
@messages_option
@click.option(
    "--inter-key-ms",
    type=click.FloatRange(min=0, min_open=True),
    default=200.0,
    show_default=True,
    help="Median time between keys (log-normal distribution).",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help="Duration of each of the three phases.",
)
@click.option(
    "--warm-up-seconds",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="Warm-up before each phase.",
)
@click.option(
    "--closed-loop-clients",
    type=COUNT,
    default=32,
    show_default=True,
    help="Typists that send the next key as soon as the previous one is answered.",
)
@click.option(
    "--scoring-jobs",
    type=COUNT,
    default=8,
    show_default=True,
    help="Concurrent Score requests, 100 candidates each, in the third phase.",
)
@max_suggestions_option
@click.option(
    "--workers",
    type=COUNT,
    default=1,
    show_default=True,
    help="Server processes; with more than one, typists use 16 connections.",
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Random seed of keys and gaps."
)
@model_option
@engine_threads_option
@json_option
def type_(
    typists: int,
    messages_file: Path | None,
    inter_key_ms: float,
    seconds: float,
    warm_up_seconds: float,
    closed_loop_clients: int,
    scoring_jobs: int,
    max_suggestions: int,
    workers: int,
    seed: int,
    path: Path | None,
    engine_threads: int,
    as_json: bool,
) -> None:
    """Measure the latency of keystrokes of many typists through a server.

    Typists, server and scoring jobs run in three processes on this machine. In the first phase all
    typists type at human speed, in the second some type at maximum speed, in the third all type at
    human speed during scoring.
    """
    say(f"three phases of typing, about {3 * (seconds + warm_up_seconds) + 5:,.0f} s in total")
    from wordgate.bench.local_server import local_server
    from wordgate.bench.typing import typing
    from wordgate.bench.typing.keys import typed_messages
    from wordgate.bench.typing.typing_load import Load
    from wordgate.bundle.bundled_model import resolve_bundle

    load = Load(
        typists=typists,
        messages=typed_messages(messages_file),
        seconds=seconds,
        gap_seconds=inter_key_ms / 1e3,
        warm_up_seconds=warm_up_seconds,
        max_suggestions=max_suggestions,
        seed=seed,
        connections=1 if workers == 1 else 16,
    )
    bundle = resolve_bundle(path)
    with local_server(bundle, engine_threads, workers) as server:
        figures = typing.run(server, load, closed_loop_clients, scoring_jobs)
    named = {"model": model_label(bundle), "engine_threads": engine_threads, "workers": workers}
    show(figures | named, as_json)
