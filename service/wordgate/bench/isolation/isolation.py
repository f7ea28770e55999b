"""Benchmark performance isolation: the effect of one client on server memory and on other clients.

Each load runs against a new server. Servers and load generators are separate processes on this
machine; the requests of the other client (pings) are sent by this process.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from time import monotonic, sleep
from typing import Any

import click
import grpc

from wordgate.api.v1.prediction_pb2 import PredictRequest
from wordgate.bench.isolation.caller import CHANNEL_OPTIONS, calling
from wordgate.bench.isolation.cost import cost, most_expensive
from wordgate.bench.isolation.latency import Pings, paced, percentile
from wordgate.bench.isolation.load import PREDICT, Load
from wordgate.bench.isolation.loads import GROUPS
from wordgate.bench.local_server import LocalServer, local_server
from wordgate.bench.session_memory import resident_bytes
from wordgate.errors import WordgateError

PINGS = {
    "health": ("/grpc.health.v1.Health/Check", b""),
    "predict": (PREDICT, PredictRequest(history="the clouds are in the").SerializeToString()),
}
"""The other client's requests: one needs only the event loop, one needs the model."""

_INTERVAL_SECONDS = 0.01
_PING_TIMEOUT_SECONDS = 30.0
_SETTLING_SECONDS = 5.0
_BUILDING_UP_SECONDS = 0.3
_OUTCOMES_IN_FLIGHT = 8
_WATCH_SECONDS = 0.02


@dataclass(frozen=True)
class Plan:
    """Durations and repetitions of the benchmark, and limits at which a load is stopped."""

    rounds: int = 3
    seconds: float = 2.0
    requests: int = 3
    outcome_calls: int = 1000
    in_flight: int = 0
    max_resident_megabytes: int = 4000
    max_seconds: float = 600.0
    seed: int = 1


@dataclass
class Watched:
    """Resident memory of a server in bytes. `over` is set at the limit and when the server ends."""

    process_id: int
    most_bytes: float
    peak_bytes: float = 0.0
    has_ended: bool = False
    over: threading.Event = field(default_factory=threading.Event)

    def look(self) -> float:
        """Return the current resident memory; 0 if the server has ended."""
        size = resident_bytes(self.process_id)
        self.has_ended |= not size
        self.peak_bytes = max(self.peak_bytes, size)
        if self.has_ended or size > self.most_bytes:
            self.over.set()
        return size


def names() -> list[str]:
    """Return the names of all loads, as GROUP/NAME."""
    return [f"{group}/{name}" for group, loads in GROUPS.items() for name in loads]


def chosen(only: Sequence[str]) -> list[str]:
    """Expand groups and names of loads. Raises `WordgateError` for unknown ones."""
    known = names()
    for wanted in only:
        if wanted not in known and wanted not in GROUPS:
            raise WordgateError(f"unknown load: {wanted}; available: {', '.join(known)}")
    return [name for name in known if not only or {name, name.split("/")[0]} & set(only)]


def run(model: Path, engine_threads: int, only: Sequence[str], plan: Plan) -> dict[str, Any]:
    """Run the loads; return the metrics by group and name, and the worst of each group.

    `costs` has the most expensive legal request of each method.
    """
    report: dict[str, Any] = {"worst": {}} | {group: {} for group in GROUPS}
    loads: dict[str, Load] = {}
    for each in chosen(only):
        group, name = each.split("/")
        load = GROUPS[group][name](Random(f"{plan.seed} {name}"))
        with (
            local_server(model, engine_threads, more=load.server_options) as server,
            _watched(server, plan) as memory,
        ):
            figures = report[group][name] = {}
            if group == "legal":
                loads[name] = load
                figures["cost"] = cost(server, load, plan.requests, plan.max_seconds)
            if group == "outcomes":
                figures.update(_outcome(server, memory, group, name, plan))
            elif plan.rounds:
                figures.update(_neighbour(server, memory, group, name, plan))
        click.echo(f"{each}: {json.dumps(figures)}", err=True)
    report["worst"] = _worst(report)
    report["costs"] = most_expensive(
        (name, load, report["legal"][name]["cost"]) for name, load in loads.items()
    )
    return {group: figures for group, figures in report.items() if figures}


def _outcome(
    server: LocalServer, memory: Watched, group: str, name: str, plan: Plan
) -> dict[str, Any]:
    """Measure resident memory before and after many calls with the same outcome."""
    with _pinger(server) as pinger:
        for kind in PINGS:
            pinger.ask(kind)
        before = memory.look()
        with calling(
            server.address,
            group,
            name,
            in_flight=plan.in_flight or _OUTCOMES_IN_FLIGHT,
            calls=plan.outcome_calls,
            seed=plan.seed,
        ) as caller:
            latest = monotonic() + plan.max_seconds
            while not (caller.wait(_WATCH_SECONDS) or memory.over.is_set()):
                if monotonic() > latest:
                    break
        sleep(0 if memory.over.is_set() else _SETTLING_SECONDS)
        after = memory.look()
    codes = caller.counts.get("codes", {})
    return {
        "calls": sum(codes.values()),
        "codes": codes,
        "seconds": caller.counts.get("seconds"),
        "growth_megabytes": _megabytes(after - before),
        **_memory_figures(memory, before, after),
    }


def _neighbour(
    server: LocalServer, memory: Watched, group: str, name: str, plan: Plan
) -> dict[str, Any]:
    """Measure the latency of another client, alternately alone and under the load."""
    alone: dict[str, list[Pings]] = {kind: [] for kind in PINGS}
    beside: dict[str, list[Pings]] = {kind: [] for kind in PINGS}
    codes: dict[str, int] = {}
    answers = 0
    with _pinger(server) as pinger:
        before = memory.look()
        for _ in range(plan.rounds):
            pinger.round(alone, plan.seconds)
            with calling(
                server.address, group, name, in_flight=plan.in_flight, seed=plan.seed
            ) as caller:
                sleep(_BUILDING_UP_SECONDS)
                pinger.round(beside, plan.seconds, memory.over)
            for code, number in caller.counts.get("codes", {}).items():
                codes[code] = codes.get(code, 0) + number
            answers += caller.counts.get("answers", 0)
            if memory.over.is_set():
                break
        after = memory.look()
    return {
        "calls": sum(codes.values()),
        "codes": codes,
        "answers": answers,
        "alone": {kind: _latency(samples) for kind, samples in alone.items()},
        "beside": {kind: _latency(samples) for kind, samples in beside.items()},
        **_memory_figures(memory, before, after),
    }


class _Pinger:
    """The other client, whose latency is measured."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._asks: dict[str, Any] = {
            kind: channel.unary_unary(path) for kind, (path, _) in PINGS.items()
        }

    def ask(self, kind: str, over: threading.Event | None = None) -> str:
        """Send one request; return the status code's name, or an empty string for OK."""
        if over is not None and over.is_set():
            return "STOPPED"
        try:
            self._asks[kind](PINGS[kind][1], timeout=_PING_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return str(error.code().name)
        return ""

    def round(
        self,
        noted: dict[str, list[Pings]],
        seconds: float,
        over: threading.Event | None = None,
    ) -> None:
        """Send paced requests of all kinds concurrently and append their latencies to `noted`."""

        def note(kind: str) -> None:
            self.ask(kind, over)
            noted[kind].append(paced(lambda: self.ask(kind, over), _INTERVAL_SECONDS, seconds))

        threads = [threading.Thread(target=note, args=(kind,)) for kind in PINGS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@contextmanager
def _pinger(server: LocalServer) -> Iterator[_Pinger]:
    with grpc.insecure_channel(server.address, options=CHANNEL_OPTIONS) as channel:
        yield _Pinger(channel)


@contextmanager
def _watched(server: LocalServer, plan: Plan) -> Iterator[Watched]:
    """Sample a server's memory in a thread during the block."""
    memory = Watched(server.process_id, plan.max_resident_megabytes * 1e6)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_WATCH_SECONDS):
            memory.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


def _memory_figures(memory: Watched, before: float, after: float) -> dict[str, Any]:
    return {
        "resident_megabytes": {
            "before": _megabytes(before),
            "after": _megabytes(after),
            "peak": _megabytes(memory.peak_bytes),
        },
        "stopped_early": memory.over.is_set(),
        "server_ended": memory.has_ended,
    }


def _latency(rounds: Sequence[Pings]) -> dict[str, Any]:
    """Return medians over the rounds of each round's percentiles, and the overall maximum."""
    failures: dict[str, int] = {}
    for each in rounds:
        for name, number in each.failures.items():
            failures[name] = failures.get(name, 0) + number
    samples = [each.seconds for each in rounds if each.seconds]
    if not samples:
        return {"failures": failures}
    return {
        "p50_ms": _milliseconds(median(percentile(each, 50) for each in samples)),
        "p99_ms": _milliseconds(median(percentile(each, 99) for each in samples)),
        "max_ms": _milliseconds(max(map(max, samples))),
        "pings": sum(map(len, samples)),
        "failures": failures,
    }


def _worst(report: dict[str, Any]) -> dict[str, Any]:
    """Return the largest memory growth and the highest latency under a load."""
    worst: dict[str, Any] = {}
    if report["outcomes"]:
        worst["growth_megabytes"] = max(
            each["growth_megabytes"] for each in report["outcomes"].values()
        )
    for group in ("legal", "rejected"):
        beside = [each["beside"] for each in report[group].values() if "beside" in each]
        figures = [each[kind] for each in beside for kind in PINGS]
        times = [each["p99_ms"] for each in figures if "p99_ms" in each]
        if times:
            worst[f"{group}_p99_ms"] = max(times)
    return worst


def _megabytes(number: float) -> int:
    return round(number / 1e6)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1e3, 2)
