"""What typists get from a server: one phase at a person's speed, one flat out, one beside scoring.

Knows processes and phases; what is typed and how it is timed is the evaluation's. Server, typists
and scoring jobs are processes of their own on this machine.
"""

import asyncio
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter, process_time
from typing import Any

from wordgate.bench.local_server import LocalServer
from wordgate.bench.scoring_load import JOB_CANDIDATES
from wordgate.bench.typing_load import Load, Typed, type_at
from wordgate.errors import WordgateError
from wordgate.server.event_loop import loop_factory

_STARTING_SECONDS = 60.0


@dataclass(frozen=True)
class Phase:
    """What was typed, and what it took of both processes; `elapsed` and processor seconds."""

    typed: Typed
    elapsed: float
    steps: float
    jobs: float
    server_seconds: float
    client_seconds: float

    def milliseconds(self, percentile: int) -> float:
        """From pressing a key to its answer."""
        return round(statistics.quantiles(self.typed.seconds, n=100)[percentile - 1] * 1e3, 3)


def run(
    server: LocalServer, load: Load, flat_out_typists: int, scoring_jobs: int
) -> dict[str, Any]:
    """Figures of the three phases."""
    human = phase(server, load)
    hurry = phase(server, replace(load, typists=flat_out_typists, gap_seconds=None))
    with _scoring(server, load, scoring_jobs):
        beside = phase(server, load)
    return {
        "typists": load.typists,
        "p50_ms": human.milliseconds(50),
        "p99_ms": human.milliseconds(99),
        "keys_per_second": round(len(hurry.typed.seconds) / load.seconds, 1),
        "p99_ms_under_scoring": beside.milliseconds(99),
        "steps_per_key": round(human.steps / human.typed.answered, 3),
        "keys": _counts(human.typed),
        "keys_under_scoring": _counts(beside.typed),
        "p50_ms_under_scoring": beside.milliseconds(50),
        "candidates_per_second_under_scoring": round(
            beside.jobs * JOB_CANDIDATES / beside.elapsed, 1
        ),
        "flat_out_typists": flat_out_typists,
        "flat_out_p50_ms": hurry.milliseconds(50),
        "flat_out_server_ms_per_key": round(hurry.server_seconds / hurry.typed.answered * 1e3, 3),
        "flat_out_client_ms_per_key": round(hurry.client_seconds / hurry.typed.answered * 1e3, 3),
        "scoring_jobs": scoring_jobs,
        "gap_ms": round((load.gap_seconds or 0) * 1e3, 3),
        "seconds": load.seconds,
        "max_suggestions": load.max_suggestions,
        "seed": load.seed,
    }


def phase(server: LocalServer, load: Load) -> Phase:
    """Have a load typed, and ask the server before and after what it has done."""
    steps, jobs, server_seconds = _done(server)
    began, began_processor = perf_counter(), process_time()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        typed = runner.run(type_at(server.address, load))
    elapsed, client_seconds = perf_counter() - began, process_time() - began_processor
    steps_after, jobs_after, server_seconds_after = _done(server)
    return Phase(
        typed,
        elapsed,
        steps_after - steps,
        jobs_after - jobs,
        server_seconds_after - server_seconds,
        client_seconds,
    )


def _done(server: LocalServer) -> tuple[float, float, float]:
    """Steps for typists, scoring jobs, seconds of the processor."""
    return (
        server.metric("wordgate_model_rows_total", kind="step", urgency="interactive"),
        server.metric("grpc_server_handled_total", grpc_method="Score", grpc_code="OK"),
        server.metric("process_cpu_seconds_total"),
    )


def _counts(typed: Typed) -> dict[str, int]:
    return {
        "pressed": typed.pressed,
        "answered": typed.answered,
        "superseded": typed.superseded,
        "timed": len(typed.seconds),
    }


@contextmanager
def _scoring(server: LocalServer, load: Load, under_way: int) -> Iterator[None]:
    """Scoring jobs meanwhile, in a process that would end by itself."""
    seconds = load.warm_up_seconds + load.seconds + _STARTING_SECONDS
    command = [sys.executable, "-m", "wordgate.bench.scoring_load"]
    process = subprocess.Popen(
        [*command, server.address, str(under_way), str(seconds), str(load.connections)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if not process.stdout or not process.stdout.readline():
            raise WordgateError("the scoring jobs did not start")
        yield
    finally:
        process.kill()
        process.communicate()
