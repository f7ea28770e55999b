"""Benchmark typing latency: at human speed, at full speed, and alongside scoring jobs.

Server, typists and scoring jobs are separate processes on this machine.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter, process_time
from typing import Any

from wordgate.bench.isolation.latency import percentile
from wordgate.bench.local_server import LocalServer
from wordgate.bench.scoring.scoring_load import JOB_CANDIDATES
from wordgate.bench.typing.typing_load import Load, Typed, type_at
from wordgate.errors import WordgateError
from wordgate.server.event_loop import loop_factory

_STARTING_SECONDS = 60.0


@dataclass(frozen=True)
class Phase:
    """Results of one phase: keys, model steps, scoring jobs, and wall-clock and CPU seconds."""

    typed: Typed
    elapsed: float
    steps: float
    jobs: float
    server_seconds: float
    client_seconds: float

    def milliseconds(self, percent: int) -> float:
        """Return a percentile of the time from a key press to its response."""
        return round(percentile(self.typed.seconds, percent) * 1e3, 3)


def run(
    server: LocalServer, load: Load, closed_loop_clients: int, scoring_jobs: int
) -> dict[str, Any]:
    """Run the three phases and return their metrics."""
    human = phase(server, load)
    hurry = phase(server, replace(load, typists=closed_loop_clients, gap_seconds=None))
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
        "closed_loop_clients": closed_loop_clients,
        "closed_loop_p50_ms": hurry.milliseconds(50),
        "closed_loop_server_ms_per_key": round(
            hurry.server_seconds / hurry.typed.answered * 1e3, 3
        ),
        "closed_loop_client_ms_per_key": round(
            hurry.client_seconds / hurry.typed.answered * 1e3, 3
        ),
        "scoring_jobs": scoring_jobs,
        "inter_key_ms": round((load.gap_seconds or 0) * 1e3, 3),
        "seconds": load.seconds,
        "max_suggestions": load.max_suggestions,
        "seed": load.seed,
    }


def phase(server: LocalServer, load: Load) -> Phase:
    """Run a typing load, reading the server's metrics before and after it."""
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
    """Return the server's interactive model steps, scoring jobs and CPU seconds so far."""
    return (
        server.metric("wordgate_model_rows_total", kind="step", priority="interactive"),
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
def _scoring(server: LocalServer, load: Load, in_flight: int) -> Iterator[None]:
    """Run scoring jobs in another process during the block."""
    seconds = load.warm_up_seconds + load.seconds + _STARTING_SECONDS
    command = [sys.executable, "-m", "wordgate.bench.scoring.scoring_load"]
    process = subprocess.Popen(
        [*command, server.address, str(in_flight), str(seconds), str(load.connections)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if not process.stdout or not process.stdout.readline():
            raise WordgateError("scoring load did not start")
        yield
    finally:
        process.kill()
        process.communicate()
