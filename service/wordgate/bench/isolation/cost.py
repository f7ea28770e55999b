"""Cost of single requests on an idle server: latency, CPU time and model rows."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import grpc

from wordgate.bench.isolation.caller import CHANNEL_OPTIONS
from wordgate.bench.isolation.load import Load
from wordgate.bench.local_server import LocalServer

_ROWS = "wordgate_model_rows_total"
_FIRST_NUMBER = 10**6
"""First message number; differs from the load generators' numbers, so caches do not answer."""


@dataclass(frozen=True)
class Cost:
    """Cost of one request. `steps` and `outputs` are model rows.

    `processor_milliseconds` is the server's CPU time over all processors. It depends less on other
    load of the machine than the latency does.
    """

    code: str
    milliseconds: float
    processor_milliseconds: float
    steps: int
    outputs: int


def cost(server: LocalServer, load: Load, requests: int, max_seconds: float) -> dict[str, Any]:
    """Return the medians over several requests, sent one after the other.

    In a typing session or a rescoring stream, a request is one text or utterance.
    """
    with grpc.insecure_channel(server.address, options=CHANNEL_OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(max_seconds)
        costs = [
            _one(server, channel, load, _FIRST_NUMBER + number, max_seconds)
            for number in range(requests)
        ]
    return {
        "ms": round(median(each.milliseconds for each in costs), 1),
        "processor_ms": round(median(each.processor_milliseconds for each in costs)),
        "steps": round(median(each.steps for each in costs)),
        "outputs": round(median(each.outputs for each in costs)),
        "codes": sorted({each.code for each in costs}),
    }


def most_expensive(loads: Iterable[tuple[str, Load, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the load with the highest CPU time per method, with its cost.

    `loads` are names and loads with the results of `cost`.
    """
    worst: dict[str, Any] = {}
    for name, load, figures in loads:
        method = load.path.rpartition("/")[2]
        if method not in worst or _order(figures) > _order(worst[method]):
            worst[method] = {"load": name, **figures}
    return worst


def _order(figures: Mapping[str, Any]) -> tuple[float, float]:
    return figures["processor_ms"], figures["ms"]


def _one(
    server: LocalServer, channel: grpc.Channel, load: Load, number: int, max_seconds: float
) -> Cost:
    seconds = min(max_seconds, load.timeout_seconds or max_seconds)
    steps, outputs = server.metric(_ROWS, kind="step"), server.metric(_ROWS, kind="output")
    processor_seconds = _processor_seconds(server.process_id)
    began = perf_counter()
    code = _code(_call(channel, load, number, seconds))
    milliseconds = (perf_counter() - began) * 1e3
    processor_seconds = _processor_seconds(server.process_id) - processor_seconds
    return Cost(
        code,
        milliseconds,
        processor_seconds * 1e3,
        round(server.metric(_ROWS, kind="step") - steps),
        round(server.metric(_ROWS, kind="output") - outputs),
    )


def _call(channel: grpc.Channel, load: Load, number: int, seconds: float) -> Any:
    message = load.message(number)
    ask: Any
    if not load.is_stream:
        ask = channel.unary_stream(load.path)
        return ask(message, timeout=seconds)

    def messages() -> Iterator[bytes]:
        yield load.first
        yield message

    ask = channel.stream_stream(load.path)
    return ask(messages(), timeout=seconds)


def _code(call: Any) -> str:
    """Read all responses of a call and return the name of its status code."""
    try:
        for _ in call:
            pass
    except grpc.RpcError:
        pass
    code: grpc.StatusCode = call.code()
    return code.name


def _processor_seconds(process_id: int) -> float:
    """Return the CPU time (user and system) of a process; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
