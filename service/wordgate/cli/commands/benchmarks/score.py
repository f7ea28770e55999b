"""`wordgate bench score`: scoring against a padded batch and a limit."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from wordgate.cli.command import Command
from wordgate.cli.commands.benchmarks.options import (
    COUNT,
    engine_threads_option,
    model_option,
    repetitions_option,
    show,
    train_extra,
)
from wordgate.cli.options.model import json_option
from wordgate.cli.options.paths import INPUT_FILE
from wordgate.cli.terminal.progress import say
from wordgate.errors import empty

if TYPE_CHECKING:
    from wordgate.offline.utterances import Utterance

T = TypeVar("T")


@click.command(cls=Command)
@click.option(
    "--input",
    "input_file",
    type=INPUT_FILE,
    help="Utterances in the format of `wordgate rescore`.  [a sample in the package]",
)
@click.option("--utterances", type=COUNT, default=50, show_default=True, help="Taken evenly.")
@model_option
@engine_threads_option
@repetitions_option
@json_option
def score(
    input_file: Path | None,
    utterances: int,
    path: Path | None,
    engine_threads: int,
    repetitions: int,
    as_json: bool,
) -> None:
    """Time scoring, here and through a server, against a padded batch and a limit.

    The usual call pattern is one padded float32 batch of whole sequences per utterance, through
    onnxruntime's LSTM operator; the limit is the integer matrix products alone.
    """
    say(f"timing {repetitions} repetitions of each way to score {utterances} utterances")
    from wordgate.bench.local_server import local_server
    from wordgate.bundle.bundled_model import resolve_bundle
    from wordgate.client import Client, Priority

    with train_extra():
        from wordgate.bench.scoring import scoring
    texts = [[each.text for each in utterance.hypotheses] for utterance in _utterances(input_file)]
    chosen = evenly(texts, utterances)
    bundle = resolve_bundle(path)
    cores = os.cpu_count() or 1
    with (
        local_server(bundle, engine_threads) as local,
        Client(local.address, timeout_seconds=None, priority=Priority.BATCH) as client,
    ):
        figures = scoring.run(
            bundle,
            chosen,
            server=client,
            engine_threads=engine_threads,
            baseline_threads=sorted({1, cores}),
            repetitions=repetitions,
        )
    show(figures, as_json)


def _utterances(input_file: Path | None) -> "list[Utterance]":
    """Read the utterances of a file, or of the sample. Raises `InvalidFile`."""
    from wordgate.bench.scoring.sample import n_best_sample
    from wordgate.offline.formats import jsonl
    from wordgate.offline.records import raise_on_error

    utterances = list(
        n_best_sample() if input_file is None else raise_on_error(jsonl.read(input_file))
    )
    if not utterances:
        raise empty(input_file or Path("the sample"), "utterance")
    return utterances


def evenly(values: Sequence[T], count: int) -> list[T]:
    """Return at most `count` values, evenly spaced."""
    if len(values) <= count:
        return list(values)
    return [values[index * len(values) // count] for index in range(count)]
