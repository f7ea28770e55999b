"""`wordgate bench`: measure speed on this machine, as JSON or for people."""

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
    """Measure speed here. What is compared is interleaved in one run; figures are medians."""


_COUNT = click.IntRange(min=1)

_input_option = click.option(
    "--input",
    "input_file",
    type=INPUT_FILE,
    help="Utterances with candidates, as `wordgate rescore` reads.  [a sample in the package]",
)
_model_option = click.option(
    "--model",
    "path",
    type=click.Path(path_type=Path),
    help="A bundle's folder, or one of versions.  [the shipped model]",
)
_calls_option = click.option(
    "--engine-threads",
    "calls",
    type=_COUNT,
    default=2,
    show_default=True,
    help="Model calls at once.",
)
_repetitions_option = click.option(
    "--repetitions", type=_COUNT, default=7, show_default=True, help="Of each way."
)


@bench.command()
@click.option("--batch", type=_COUNT, default=40, show_default=True, help="Columns side by side.")
@click.option("--length", type=_COUNT, default=35, show_default=True, help="Pieces of a column.")
@click.option("--threads", type=_COUNT, default=2, show_default=True, help="Of torch.")
@click.option("--repetitions", type=_COUNT, default=7, show_default=True, help="Of either loop.")
@json_option
def train(batch: int, length: int, threads: int, repetitions: int, as_json: bool) -> None:
    """Compare the training step with a plain PyTorch loop that has a full softmax."""
    say(f"timing {repetitions} repetitions of the training step and of a plain loop")
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
@click.option("--repetitions", type=_COUNT, default=7, show_default=True, help="Of each size.")
@json_option
def model(path: Path | None, threads: int, repetitions: int, as_json: bool) -> None:
    """Time each graph, by rows in a call, and predictions, in this process."""
    say("timing each graph by rows in a call, then predictions")
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
    from wordgate.client import Client

    with _train_extra():
        from wordgate.bench import scoring
    found = _utterances(input_file)
    texts = [[hypothesis.text for hypothesis in utterance.hypotheses] for utterance in found]
    chosen = evenly(texts, utterances)
    place = resolve_bundle(path)
    cores = os.cpu_count() or 1
    with (
        local_server(place, calls) as own,
        Client(own.address, timeout_seconds=None, batch=True) as client,
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
@click.option("--typists", type=_COUNT, default=100, show_default=True, help="At once.")
@click.option(
    "--input",
    "messages_file",
    type=INPUT_FILE,
    help="What they type, a message a line.  [questions in the package]",
)
@click.option(
    "--gap-ms",
    type=click.FloatRange(min=0, min_open=True),
    default=200.0,
    show_default=True,
    help="Median time between keys; log-normal.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help="Of each of the three phases.",
)
@click.option(
    "--warm-up-seconds",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="Before each of them.",
)
@click.option(
    "--flat-out-typists",
    type=_COUNT,
    default=32,
    show_default=True,
    help="Who press the next key as soon as the last one is answered.",
)
@click.option(
    "--scoring-jobs",
    type=_COUNT,
    default=8,
    show_default=True,
    help="Of 100 candidates, at once, in the third phase.",
)
@click.option("--max-suggestions", type=_COUNT, default=5, show_default=True, help="At each key.")
@click.option(
    "--workers",
    type=_COUNT,
    default=1,
    show_default=True,
    help="Server processes; with several, typists have 16 connections.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of keys and gaps.")
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
    """Time answers to keystrokes of many typists, through a server.

    Typists are in one process, the server in another, scoring jobs in a third, all on this machine.
    First all type at a person's speed, then some flat out, then all beside scoring jobs.
    """
    say(f"three phases of typing, about {3 * (seconds + warm_up_seconds) + 5:,.0f} s in all")
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
    help="What is sent: more than can be done, or small requests beside large ones.",
)
@click.option(
    "--large", type=_COUNT, default=2, show_default=True, help="Callers of large requests."
)
@click.option(
    "--times",
    type=click.FloatRange(min=0, min_open=True),
    default=4.0,
    show_default=True,
    help="As much as it can carry.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="Of each of the four phases.",
)
@click.option("--rounds", type=_COUNT, default=3, show_default=True, help="Of the four phases.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the arrivals.")
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
    """Send a server more requests than it can carry, to score 100 candidates each.

    First one request after the other, then as many as it carries, then several times as many, which
    come whether or not they are answered; then one after the other again. With `--mix fairness`
    instead: a caller of 5 candidates alone and beside callers of 1000 long ones, then three callers
    of 100 candidates each.
    """
    phases = 3 if mix == "fairness" else 4
    say(f"{rounds} rounds of {phases} phases, about {rounds * phases * seconds + 5:,.0f} s in all")
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
    help="Loads to run: outcomes, legal, refused, or one as legal/score_cjk; repeatable.  [all]",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Of both phases; 0: cost only.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    help="Length of a phase, alone or beside a load.",
)
@click.option(
    "--requests",
    type=_COUNT,
    default=3,
    show_default=True,
    help="Requests of each legal load, sent alone for their cost.",
)
@click.option(
    "--outcome-calls", type=_COUNT, default=1000, show_default=True, help="Calls of each outcome."
)
@click.option(
    "--in-flight",
    type=click.IntRange(min=0),
    default=0,
    help="Calls of the load in flight.  [outcomes 8, rescoring streams 3, others 1]",
)
@click.option(
    "--max-resident-megabytes",
    type=_COUNT,
    default=4000,
    show_default=True,
    help="Stop a load when the server has more resident memory.",
)
@click.option(
    "--max-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    help="Stop the calls of an outcome, or a single request, after this time.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the texts.")
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
    """Measure what one hostile or careless caller does to the others.

    Memory of a server before and after many calls of 1 MB by their outcome; latency of another
    caller alone and beside the most expensive legal requests, and beside refused ones, in turn.
    Each load has a server of its own. Of the legal ones also the cost of a single request:
    milliseconds alone, processor time, and rows asked of the model (steps and outputs).
    """
    say("one server for each load; a line follows for each load that has ended")
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
@click.option("--sessions", type=_COUNT, default=2000, show_default=True, help="Open at once.")
@_model_option
@json_option
def sessions(sessions: int, path: Path | None, as_json: bool) -> None:
    """Measure the memory of an idle typing session, beside an idle gRPC stream.

    Resident memory of a server before and after so many sessions were opened and typed in, the
    same text in all; and of a server of the same gRPC whose handler only reads.
    """
    say(f"opening {sessions:,} sessions on one server, {sessions:,} streams on another")
    from wordgate.bench import session_memory
    from wordgate.bundle.bundled_model import resolve_bundle

    show(session_memory.run(resolve_bundle(path), sessions), as_json)


@bench.command()
@click.option("--kills", type=_COUNT, default=10, show_default=True, help="One after the other.")
@click.option("--workers", type=_COUNT, default=1, show_default=True, help="Server processes.")
@_model_option
@_calls_option
@json_option
def restart(kills: int, workers: int, path: Path | None, calls: int, as_json: bool) -> None:
    """Time how soon a server that was killed and restarted answers again.

    From the kill, and from the start of the new process, to the first answer of a prediction that
    is asked for all the time; and what a start consists of, by a process that only starts.
    """
    say(f"killing and starting a server {kills} times, then timing {kills} starts by parts")
    from wordgate.bench import restart
    from wordgate.bundle.bundled_model import resolve_bundle

    show(restart.run(resolve_bundle(path), kills, calls, workers), as_json)


def _utterances(input_file: Path | None) -> "list[Utterance]":
    """What a file has, or the sample. Raises `InvalidFile`."""
    from wordgate.bench.sample import n_best_sample
    from wordgate.offline.formats import jsonl
    from wordgate.offline.records import raise_on_error

    found = list(n_best_sample() if input_file is None else raise_on_error(jsonl.read(input_file)))
    if not found:
        raise empty(input_file or Path("the sample"), "utterance")
    return found


@contextmanager
def _train_extra() -> Iterator[None]:
    """Say which extra is missing, where what is imported inside is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise WordgateError(
            f"this needs {error.name}, which is not installed: pip install 'wordgate[train]'"
        ) from None


def evenly(values: Sequence[T], count: int) -> list[T]:
    """At most so many values, at even distances."""
    if len(values) <= count:
        return list(values)
    return [values[place * len(values) // count] for place in range(count)]


def show(found: dict[str, Any], as_json: bool) -> None:
    """Print figures."""
    if as_json:
        click.echo(json.dumps(found))
        return
    print_table(figures_table(found))
