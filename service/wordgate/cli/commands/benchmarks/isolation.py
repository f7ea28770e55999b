"""`wordgate bench isolation`: the latency of other clients under hostile load."""

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
    "--only",
    multiple=True,
    help="Loads to run: outcomes, legal, rejected, or one load such as legal/score_cjk. "
    "Repeatable.  [all]",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Repetitions of both phases; 0 measures the cost only.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    help="Duration of each phase.",
)
@click.option(
    "--requests",
    type=COUNT,
    default=3,
    show_default=True,
    help="Requests per valid load, sent alone to measure their cost.",
)
@click.option(
    "--outcome-calls", type=COUNT, default=1000, show_default=True, help="Calls per outcome."
)
@click.option(
    "--in-flight",
    type=click.IntRange(min=0),
    default=0,
    help="Concurrent calls of the load.  [outcomes 8, rescoring streams 3, others 1]",
)
@click.option(
    "--max-resident-megabytes",
    type=COUNT,
    default=4000,
    show_default=True,
    help="Stop a load when the server's resident memory exceeds this.",
)
@click.option(
    "--max-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    help="Time limit for the calls of an outcome, and for a single request.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Random seed of the texts.")
@model_option
@engine_threads_option
@json_option
def isolation(
    only: tuple[str, ...],
    rounds: int,
    seconds: float,
    requests: int,
    outcome_calls: int,
    in_flight: int,
    max_resident_megabytes: int,
    max_seconds: float,
    seed: int,
    path: Path | None,
    engine_threads: int,
    as_json: bool,
) -> None:
    """Measure how a hostile or careless client affects other clients.

    Measures the server's memory before and after many calls of 1 MB, by outcome, and the latency of
    another client alone, alongside the most expensive valid requests, and alongside rejected ones.
    Each load runs on its own server. For each valid load it also measures the cost of a single
    request: time in ms, CPU time, and model rows (steps and outputs).
    """
    say("starting one server per load; prints a line when a load has finished")
    from wordgate.bench.isolation import isolation
    from wordgate.bundle.bundled_model import resolve_bundle

    plan = isolation.Plan(
        rounds=rounds,
        seconds=seconds,
        requests=requests,
        outcome_calls=outcome_calls,
        in_flight=in_flight,
        max_resident_megabytes=max_resident_megabytes,
        max_seconds=max_seconds,
        seed=seed,
    )
    bundle = resolve_bundle(path)
    figures = isolation.run(bundle, engine_threads, only, plan)
    named = {"model": model_label(bundle), "engine_threads": engine_threads}
    settings = {"rounds": rounds, "seconds": seconds, "outcome_calls": outcome_calls, "seed": seed}
    show(figures | named | settings, as_json)
