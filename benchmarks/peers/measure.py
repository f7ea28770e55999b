"""Compare servers of the same network: `measure.py --help`.

In each round each server is started, checked, warmed up, measured and stopped, so all are measured
alone and with empty caches. Run it in Wordgate's environment with the extra `dev`.
"""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

import click
import grpc

from calls import Call, Tokens
from figures import Answers, Measured
from load import ask, in_flight
from servers import (
    ADDRESS,
    FLOAT32_TOLERANCE,
    INT8_TOLERANCE,
    Cores,
    Server,
    Tuning,
    mlserver,
    mlserver_kenlm,
    mlserver_transformer,
    running,
    triton,
    wordgate,
)
from texts import Texts, read_texts

ROOT = Path(__file__).parents[2]
IN_FLIGHT = 16
CORES = (Cores(copies=1, threads=2), Cores(copies=2, threads=1))
START_SECONDS = 120.0
CHECKED = 8
"""Number of utterances and of histories for which answers are compared."""


Path_ = click.Path(path_type=Path, exists=True)


@click.command()
@click.option("--network", type=Path_, required=True, help="Folder of export_network.py.")
@click.option("--mlserver", "mlserver_python", type=Path_, help="Python with MLServer.")
@click.option("--triton", "triton_python", type=Path_, help="Python with nvidia-pytriton.")
@click.option("--kenlm", type=Path_, help="KenLM model, served by MLServer.")
@click.option("--transformer", type=Path_, help="GGUF file, served by MLServer.")
@click.option("--model", type=Path_, default=ROOT / "models/en/3", help="The int8 bundle.")
@click.option("--input", "nbest", type=Path_, help="JSON lines of n-best lists.  [the sample]")
@click.option("--utterances", type=int, default=32, show_default=True)
@click.option("--messages", type=int, default=8, show_default=True)
@click.option("--rounds", type=int, default=3, show_default=True)
@click.option("--only", multiple=True, help="Beginning of the names of servers to measure.")
@click.option("--library", type=click.Choice(["torch", "onnxruntime"]), default=Tuning.library)
@click.option("--batch", type=int, default=Tuning.batch, help="Requests that MLServer joins.")
@click.option("--batch-seconds", type=float, default=Tuning.batch_seconds)
def main(
    network: Path,
    mlserver_python: Path | None,
    triton_python: Path | None,
    kenlm: Path | None,
    transformer: Path | None,
    model: Path,
    nbest: Path | None,
    utterances: int,
    messages: int,
    rounds: int,
    only: Sequence[str],
    **tuning: Any,
) -> None:
    """Print the figures of all servers as JSON; progress goes to standard error."""
    [float32] = (network / "float32").glob("*/*")
    tokens, tuned = Tokens(float32), Tuning(**tuning)
    texts, warm_up = read_texts(nbest, utterances, messages)
    with tempfile.TemporaryDirectory() as name:
        folder, plain = Path(name), (network / "plain").resolve()
        servers = [
            wordgate("wordgate float32", float32, tokens, FLOAT32_TOLERANCE),
            wordgate("wordgate int8", model, tokens, INT8_TOLERANCE),
        ]
        for cores in CORES:
            if mlserver_python:
                place = folder / str(cores)
                servers.append(mlserver(mlserver_python, place, plain, tokens, tuned, cores))
            if triton_python:
                servers.append(triton(triton_python, plain, tokens, tuned, cores))
        if mlserver_python and kenlm:
            servers.append(mlserver_kenlm(mlserver_python, folder / "kenlm", kenlm))
        if mlserver_python and transformer:
            place = folder / "transformer"
            servers.append(mlserver_transformer(mlserver_python, place, transformer, threads=2))
        chosen = [each for each in servers if not only or each.name.startswith(tuple(only))]
        measured = asyncio.run(measure_all(chosen, texts, warm_up, rounds))
    summary = {name: figures.summary() for name, figures in measured.items()}
    conditions = {
        "candidates": texts.candidates,
        "utterances": len(texts.utterances),
        "in_flight": IN_FLIGHT,
        "histories": len(texts.histories),
        "rounds": rounds,
        "tuning": asdict(tuned),
    }
    click.echo(json.dumps({"conditions": conditions, "servers": summary}))


async def measure_all(
    servers: Sequence[Server], texts: Texts, warm_up: Texts, rounds: int
) -> dict[str, Measured]:
    """Measure all servers in each round; the first one's answers are those the others must give.

    Raises `RuntimeError` if a server of the float32 network answers otherwise.
    """
    measured = {server.name: Measured() for server in servers}
    reference: Answers | None = None
    for number in range(rounds):
        for server in servers:
            click.echo(f"round {number + 1}: {server.name}", err=True)
            figures = measured[server.name]
            with running(server):
                async with grpc.aio.insecure_channel(ADDRESS) as channel:
                    answers = await answers_of(channel, server, warm_up)
                    if server.tolerance is not None:
                        reference = reference or answers
                        figures.compare(server, answers, reference)
                    await time_scoring(channel, server, warm_up)
                    figures.add_scoring(*await time_scoring(channel, server, texts), texts)
                    if server.predicts:
                        await time_predictions(channel, server, warm_up)
                        figures.add_predictions(
                            await time_predictions(channel, server, texts), texts
                        )
    return measured


async def answers_of(channel: grpc.aio.Channel, server: Server, texts: Texts) -> Answers:
    """Wait until the server answers; return its answers to some of the texts."""
    calls = server.calls
    scoring = [calls.score(each) for each in texts.utterances[:CHECKED]]
    await first_answer(channel, scoring[0])
    log_probs = [calls.log_probs(await ask(channel, call)) for call in scoring]
    if not server.predicts:
        return Answers(log_probs, [])
    predicting = [calls.next_word(each) for each in texts.histories[:CHECKED]]
    await first_answer(channel, predicting[0])
    return Answers(log_probs, [calls.likeliest(await ask(channel, call)) for call in predicting])


async def first_answer(channel: grpc.aio.Channel, call: Call) -> None:
    """Repeat a call until it is answered. Raises its last error after `START_SECONDS`."""
    until = monotonic() + START_SECONDS
    while True:
        try:
            await ask(channel, call)
        except grpc.aio.AioRpcError:
            if monotonic() > until:
                raise
            await asyncio.sleep(0.2)
        else:
            return


async def time_scoring(
    channel: grpc.aio.Channel, server: Server, texts: Texts
) -> tuple[float, list[float]]:
    """Score all utterances, several in flight; return the seconds of all and of each."""
    calls = [server.calls.score(each) for each in texts.utterances]
    return await in_flight(channel, calls, IN_FLIGHT)


async def time_predictions(channel: grpc.aio.Channel, server: Server, texts: Texts) -> list[float]:
    """Predict after all histories, one at a time; return the seconds of each."""
    calls = [server.calls.next_word(each) for each in texts.histories]
    _, seconds = await in_flight(channel, calls, 1)
    return seconds


if __name__ == "__main__":
    main()
