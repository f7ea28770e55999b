"""Benchmark the restart time of a killed server, and the phases of its start."""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from wordgate.bench.local_server import local_server
from wordgate.client import Client
from wordgate.errors import Unavailable, WordgateError
from wordgate.protocol.address import split_address

_ASKED = "see you"
_LOOK_SECONDS = 0.005
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Restart:
    """Times of one restart, in seconds."""

    kill_to_answer: float
    start_to_answer: float
    start_to_ready: float


def run(model: Path, kills: int, engine_threads: int, workers: int) -> dict[str, Any]:
    """Kill and restart a serving process `kills` times; return quartiles and the start's phases."""
    restarts = _restarts(model, kills, engine_threads, workers)
    parts = [_parts(model) for _ in range(kills)]
    return {
        "kill_to_answer_seconds": _quartiles([each.kill_to_answer for each in restarts]),
        "start_to_answer_seconds": _quartiles([each.start_to_answer for each in restarts]),
        "start_to_ready_seconds": _quartiles([each.start_to_ready for each in restarts]),
        "parts_seconds": {
            name: round(statistics.median(each[name] for each in parts), 3) for name in parts[0]
        },
        "kills": kills,
        "workers": workers,
    }


def _restarts(model: Path, kills: int, engine_threads: int, workers: int) -> list[Restart]:
    restarts = []
    with ExitStack() as running, ThreadPoolExecutor(1) as asking:
        server = running.enter_context(local_server(model, engine_threads, workers))
        for _ in range(kills):
            answered = _answered(server.address)
            killed = monotonic()
            os.kill(server.process_id, signal.SIGKILL)
            running.close()
            started = monotonic()
            answered_again = asking.submit(_answered, server.address)
            server = running.enter_context(
                local_server(model, engine_threads, workers, server.address)
            )
            ready = monotonic()
            answered = answered_again.result()
            restarts.append(Restart(answered - killed, answered - started, ready - started))
    return restarts


def _answered(address: str) -> float:
    """Return the time of the first response. Raises `Unavailable` after a minute without one."""
    latest = monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(split_address(address)).close()
            with Client(address) as client:
                client.predict(_ASKED)
            return monotonic()
        except (OSError, Unavailable):
            if monotonic() > latest:
                raise Unavailable(f"no response from {address}") from None
            sleep(_LOOK_SECONDS)


def _parts(model: Path) -> dict[str, float]:
    """Return the seconds per phase of a start, measured in a separate process."""
    command = [sys.executable, "-m", "wordgate.bench.startup", str(model), str(monotonic())]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode:
        raise WordgateError(f"benchmark start failed: {ended.stderr.strip()}")
    seconds: dict[str, float] = json.loads(ended.stdout)
    return seconds


def _quartiles(seconds: Sequence[float]) -> dict[str, float]:
    if len(seconds) == 1:
        lower = median = upper = seconds[0]
    else:
        lower, median, upper = statistics.quantiles(seconds, n=4, method="inclusive")
    return {"lower": round(lower, 3), "median": round(median, 3), "upper": round(upper, 3)}
