"""`wordgate bench`: benchmarks on this machine, as a table or JSON."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wordgate.cli.command import Group
from wordgate.cli.options.model import json_option
from wordgate.cli.options.paths import INPUT_FILE
from wordgate.cli.terminal.progress import say
from wordgate.cli.terminal.tables import figures_table, print_table
from wordgate.errors import WordgateError, empty
from wordgate.training.openmp import limit_openmp_spinning

if TYPE_CHECKING:
    from wordgate.offline.utterances import Utterance

T = TypeVar("T")


@click.group(cls=Group)
def bench() -> None:
    """Run benchmarks. Variants are interleaved in one run; figures are medians."""


_COUNT = click.IntRange(min=1)

_input_option = click.option(
    "--input",
    "input_file",
    type=INPUT_FILE,
    help="Utterances in the format of `wordgate rescore`.  [a sample in the package]",
)
_model_option = click.option(
    "--model",
    "path",
    type=click.Path(path_type=Path),
    help="Folder of a bundle, or of versions (uses the newest).  [the bundled model]",
)
_calls_option = click.option(
    "--engine-threads",
    "calls",
    type=_COUNT,
    default=2,
    show_default=True,
    help="Concurrent inferences.",
)
_repetitions_option = click.option(
    "--repetitions", type=_COUNT, default=7, show_default=True, help="Repetitions per variant."
)


@bench.command()
@click.option("--batch", type=_COUNT, default=40, show_default=True, help="Batch size.")
@click.option("--length", type=_COUNT, default=35, show_default=True, help="Tokens per sequence.")
@click.option("--threads", type=_COUNT, default=2, show_default=True, help="PyTorch threads.")
@click.option(
    "--repetitions", type=_COUNT, default=7, show_default=True, help="Repetitions per loop."
)
@json_option
def train(batch: int, length: int, threads: int, repetitions: int, as_json: bool) -> None:
    """Compare the training step with a plain PyTorch loop with a full softmax."""
    say(f"timing {repetitions} repetitions of the training step and of a plain PyTorch loop")
    limit_openmp_spinning()
    with _train_extra():
        from wordgate.bench import training_step as training_bench
    show(training_bench.run(batch, length, threads=threads, repetitions=repetitions), as_json)


@bench.command()
@_model_option
@click.option(
    "--intra-op-threads",
    "threads",
    type=_COUNT,
    default=1,
    show_default=True,
    help="Threads inside one inference.",
)
@click.option(
    "--repetitions", type=_COUNT, default=7, show_default=True, help="Repetitions per batch size."
)
@json_option
def model(path: Path | None, threads: int, repetitions: int, as_json: bool) -> None:
    """Time each graph by batch size, then predictions, in this process."""
    say("timing each graph by batch size, then predictions")
    from wordgate.bench import model
    from wordgate.bundle.bundled_model import resolve_bundle
    from wordgate.engine.local_model import LocalModel
    from wordgate.engine.onnx_model import Runtime

    place = resolve_bundle(path)
    asked = LocalModel.open(place, Runtime(threads=threads))
    try:
        found = {"model": str(asked.served.name), "threads": threads}
        show(found | model.measure(asked, repetitions), as_json)
    finally:
        asked.close()


@bench.command()
@_input_option
@click.option("--utterances", type=_COUNT, default=50, show_default=True, help="Taken evenly.")
@_model_option
@_calls_option
@_repetitions_option
@json_option
def score(
    input_file: Path | None,
    utterances: int,
    path: Path | None,
    calls: int,
    repetitions: int,
    as_json: bool,
) -> None:
    """Time scoring, here and through a server, beside a padded batch and a limit.

    The usual call pattern is one padded float32 batch of whole sequences an utterance, through
    onnxruntime's LSTM operator; the limit is the integer matrix products alone.
    """
    say(f"timing {repetitions} repetitions of each way to score {utterances} utterances")
    from wordgate.bench.local_server import local_server
    from wordgate.bundle.bundled_model import resolve_bundle
    from wordgate.client import Client, Priority

    with _train_extra():
        from wordgate.bench import scoring
    found = _utterances(input_file)
    texts = [[hypothesis.text for hypothesis in utterance.hypotheses] for utterance in found]
    chosen = evenly(texts, utterances)
    place = resolve_bundle(path)
    cores = os.cpu_count() or 1
    with (
        local_server(place, calls) as own,
        Client(own.address, timeout_seconds=None, priority=Priority.BATCH) as client,
    ):
        figures = scoring.run(
            place,
            chosen,
            server=client,
            calls=calls,
            baseline_threads=sorted({1, cores}),
            repetitions=repetitions,
        )
    show(figures, as_json)


@bench.command(name="type")
@click.option(
    "--typists", type=_COUNT, default=100, show_default=True, help="Concurrent typing sessions."
)
@click.option(
    "--input",
    "messages_file",
    type=INPUT_FILE,
    help="Text to type, one message per line.  [questions in the package]",
)
@click.option(
    "--inter-key-ms",
    "gap_ms",
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
    "flat_out_typists",
    type=_COUNT,
    default=32,
    show_default=True,
    help="Typists that send the next key as soon as the previous one is answered.",
)
@click.option(
    "--scoring-jobs",
    type=_COUNT,
    default=8,
    show_default=True,
    help="Concurrent Score requests, 100 candidates each, in the third phase.",
)
@click.option(
    "--max-suggestions", type=_COUNT, default=5, show_default=True, help="Suggestions per key."
)
@click.option(
    "--workers",
    type=_COUNT,
    default=1,
    show_default=True,
    help="Server processes; with more than one, typists use 16 connections.",
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Random seed of keys and gaps."
)
@_model_option
@_calls_option
@json_option
def type_(
    typists: int,
    messages_file: Path | None,
    gap_ms: float,
    seconds: float,
    warm_up_seconds: float,
    flat_out_typists: int,
    scoring_jobs: int,
    max_suggestions: int,
    workers: int,
    seed: int,
    path: Path | None,
    calls: int,
    as_json: bool,
) -> None:
    """Measure the latency of keystrokes of many typists through a server.

    Typists, server and scoring jobs run in three processes on this machine. In the first phase all
    typists type at human speed, in the second some type at maximum speed, in the third all type at
    human speed during scoring.
    """
    say(f"three phases of typing, about {3 * (seconds + warm_up_seconds) + 5:,.0f} s in total")
    from wordgate.bench import typing
    from wordgate.bench.keys import typed_messages
    from wordgate.bench.local_server import local_server
    from wordgate.bench.typing_load import Load
    from wordgate.bundle.bundled_model import resolve_bundle

    load = Load(
        typists=typists,
        messages=typed_messages(messages_file),
        seconds=seconds,
        gap_seconds=gap_ms / 1e3,
        warm_up_seconds=warm_up_seconds,
        max_suggestions=max_suggestions,
        seed=seed,
        connections=1 if workers == 1 else 16,
    )
    place = resolve_bundle(path)
    with local_server(place, calls, workers) as own:
        found = typing.run(own, load, flat_out_typists, scoring_jobs)
    named = {"model": f"{place.parent.name}@{place.name}", "calls": calls, "workers": workers}
    show(found | named, as_json)


@bench.command()
@click.option(
    "--mix",
    type=click.Choice(["flood", "fairness"]),
    default="flood",
    show_default=True,
    help="Workload: more requests than the server can answer, or small requests alongside large.",
)
@click.option(
    "--large", type=_COUNT, default=2, show_default=True, help="Clients with large requests."
)
@click.option(
    "--load-factor",
    "times",
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
    "--rounds", type=_COUNT, default=3, show_default=True, help="Repetitions of all phases."
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Random seed of arrival times."
)
@_model_option
@_calls_option
@json_option
def overload(
    mix: str,
    large: int,
    times: float,
    seconds: float,
    rounds: int,
    seed: int,
    path: Path | None,
    calls: int,
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

    place = resolve_bundle(path)
    with local_server(place, calls) as own:
        if mix == "fairness":
            found = overload.run_fairness(own, large, seconds, rounds)
        else:
            found = overload.run(own, times, seconds, rounds, seed)
    show(found | {"model": f"{place.parent.name}@{place.name}", "calls": calls}, as_json)


@bench.command()
@click.option(
    "--only",
    multiple=True,
    help="Loads to run: outcomes, legal, refused, or one load such as legal/score_cjk. "
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
    type=_COUNT,
    default=3,
    show_default=True,
    help="Requests per valid load, sent alone to measure their cost.",
)
@click.option(
    "--outcome-calls", type=_COUNT, default=1000, show_default=True, help="Calls per outcome."
)
@click.option(
    "--in-flight",
    type=click.IntRange(min=0),
    default=0,
    help="Concurrent calls of the load.  [outcomes 8, rescoring streams 3, others 1]",
)
@click.option(
    "--max-resident-megabytes",
    type=_COUNT,
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
@_model_option
@_calls_option
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
    calls: int,
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
    place = resolve_bundle(path)
    found = isolation.run(place, calls, only, plan)
    named = {"model": f"{place.parent.name}@{place.name}", "calls": calls}
    settings = {"rounds": rounds, "seconds": seconds, "outcome_calls": outcome_calls, "seed": seed}
    show(found | named | settings, as_json)


@bench.command()
@click.option(
    "--sessions", type=_COUNT, default=2000, show_default=True, help="Concurrent sessions."
)
@_model_option
@json_option
def sessions(sessions: int, path: Path | None, as_json: bool) -> None:
    """Compare the memory of an idle typing session with that of an idle gRPC stream.

    Measures a server's resident memory before and after the sessions are opened and the same text
    is typed in each. The baseline is a gRPC server whose handler only reads.
    """
    say(f"opening {sessions:,} sessions on one server, {sessions:,} streams on another")
    from wordgate.bench import session_memory
    from wordgate.bundle.bundled_model import resolve_bundle

    show(session_memory.run(resolve_bundle(path), sessions), as_json)


@bench.command()
@click.option("--kills", type=_COUNT, default=10, show_default=True, help="Number of restarts.")
@click.option("--workers", type=_COUNT, default=1, show_default=True, help="Server processes.")
@_model_option
@_calls_option
@json_option
def restart(kills: int, workers: int, path: Path | None, calls: int, as_json: bool) -> None:
    """Measure how soon a killed and restarted server answers again.

    Measures the time from the kill, and from the start of the new process, to the first answer to a
    client that keeps sending predictions. Also times the phases of a start.
    """
    say(f"killing and restarting a server {kills} times, then timing {kills} starts by phase")
    from wordgate.bench import restart
    from wordgate.bundle.bundled_model import resolve_bundle

    show(restart.run(resolve_bundle(path), kills, calls, workers), as_json)


def _utterances(input_file: Path | None) -> "list[Utterance]":
    """Read the utterances of a file, or of the sample. Raises `InvalidFile`."""
    from wordgate.bench.sample import n_best_sample
    from wordgate.offline.formats import jsonl
    from wordgate.offline.records import raise_on_error

    found = list(n_best_sample() if input_file is None else raise_on_error(jsonl.read(input_file)))
    if not found:
        raise empty(input_file or Path("the sample"), "utterance")
    return found


@contextmanager
def _train_extra() -> Iterator[None]:
    """Raise an error that names the missing extra if an import inside fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise WordgateError(
            f"bench requires {error.name}, which is not installed: pip install 'wordgate[train]'"
        ) from None


def evenly(values: Sequence[T], count: int) -> list[T]:
    """Return at most `count` values, evenly spaced."""
    if len(values) <= count:
        return list(values)
    return [values[index * len(values) // count] for index in range(count)]


def show(found: dict[str, Any], as_json: bool) -> None:
    """Print figures as a table or JSON."""
    if as_json:
        click.echo(json.dumps(found))
        return
    print_table(figures_table(found))
