"""Benchmark a server under several times its capacity, and the fairness between clients.

The overload is an open loop, in which a slow response does not delay the next request; this is how
servers become overloaded in practice.
"""

import asyncio
import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from time import perf_counter
from typing import Any

from wordgate.bench.isolation.latency import percentile
from wordgate.bench.local_server import LocalServer
from wordgate.bench.scoring.scoring_load import JOB_CANDIDATES, jobs
from wordgate.client import AsyncClient, Priority
from wordgate.errors import DeadlineExceeded, Overloaded
from wordgate.server.event_loop import loop_factory

_IN_FLIGHT = 16
_EQUAL_CALLERS = 3
SMALL_CANDIDATES = 5
LARGE_CANDIDATES = 1000
_JOINED = 5
"""Number of sample texts joined to one candidate of a large request."""

_HEAD_START_SECONDS = 1.0
_AGAIN_SECONDS = 0.01
"""Delay after a rejection before a closed-loop client sends its next request."""


@dataclass
class Outcomes:
    """Latencies of requests in seconds, from the time each was due to its response.

    `elapsed_seconds` is the duration of the load.
    """

    accepted: list[float] = field(default_factory=list)
    rejected: list[float] = field(default_factory=list)
    elapsed_seconds: float = 0.0

    @property
    def offered(self) -> int:
        """Number of requests, accepted or rejected."""
        return len(self.accepted) + len(self.rejected)


async def sequential(
    client: AsyncClient, seconds: float, requests: Iterable[list[str]] | None = None
) -> Outcomes:
    """Send requests one at a time (closed loop), to measure the unloaded server."""
    outcomes = Outcomes()
    began = perf_counter()
    for texts in requests or _requests():
        if perf_counter() - began >= seconds:
            break
        await _ask(client, texts, perf_counter(), outcomes, _AGAIN_SECONDS)
    outcomes.elapsed_seconds = perf_counter() - began
    return outcomes


async def concurrent(client: AsyncClient, in_flight: int, seconds: float) -> Outcomes:
    """Keep `in_flight` requests in flight, to measure the server's capacity."""
    outcomes = Outcomes()
    began = perf_counter()
    requests = _requests()

    async def ask_on() -> None:
        while perf_counter() - began < seconds:
            await _ask(client, next(requests), perf_counter(), outcomes, _AGAIN_SECONDS)

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(ask_on())
    outcomes.elapsed_seconds = perf_counter() - began
    return outcomes


def small_requests() -> Iterator[list[str]]:
    """Return requests of a few candidates."""
    return (texts[:SMALL_CANDIDATES] for texts in _requests())


async def small_beside_large(client: AsyncClient, callers: int, seconds: float) -> Outcomes:
    """Send small requests one at a time while `callers` clients send the largest requests."""
    large = [asyncio.create_task(_score_large(client, caller)) for caller in range(callers)]
    try:
        await asyncio.sleep(_HEAD_START_SECONDS)
        return await sequential(client, seconds, small_requests())
    finally:
        for task in large:
            task.cancel()
        await asyncio.gather(*large, return_exceptions=True)


async def _score_large(client: AsyncClient, caller: int) -> None:
    """Send requests of 1,000 long candidates until cancelled; many exceed their deadline."""
    texts = [text for job in jobs() for text in job]
    joined = [
        " ".join(texts[(caller + index + step) % len(texts)] for step in range(_JOINED))
        for index in range(LARGE_CANDIDATES)
    ]
    while True:
        with suppress(DeadlineExceeded):
            await _ask(client, joined, perf_counter(), Outcomes(), _AGAIN_SECONDS)


async def open_loop(client: AsyncClient, per_second: float, seconds: float, seed: int) -> Outcomes:
    """Send requests as a Poisson process, regardless of the number in flight (open loop).

    Returns after the last response; `elapsed_seconds` is the duration of the arrivals.
    """
    outcomes = Outcomes()
    random = Random(f"{seed} arrivals")
    began = perf_counter()
    due = began
    async with asyncio.TaskGroup() as group:
        for texts in _requests():
            due += random.expovariate(per_second)
            if due - began >= seconds:
                break
            await asyncio.sleep(max(0.0, due - perf_counter()))
            group.create_task(_ask(client, texts, due, outcomes))
        outcomes.elapsed_seconds = perf_counter() - began
    return outcomes


async def _ask(
    client: AsyncClient,
    texts: list[str],
    due: float,
    outcomes: Outcomes,
    pause_seconds: float = 0.0,
) -> None:
    """Send a request; sleep for `pause_seconds` after a rejection."""
    try:
        await client.score("", texts)
    except Overloaded:
        outcomes.rejected.append(perf_counter() - due)
        await asyncio.sleep(pause_seconds)
    else:
        outcomes.accepted.append(perf_counter() - due)


def _requests() -> Iterator[list[str]]:
    return cycle(jobs())


@dataclass(frozen=True)
class Round:
    """The phases of one round, in order, and the resident memory before and after the overload."""

    unloaded: Outcomes
    full: Outcomes
    over: Outcomes
    after: Outcomes
    bytes_before: float
    bytes_after: float


def run(
    server: LocalServer, load_factor: float, seconds: float, rounds: int, seed: int
) -> dict[str, Any]:
    """Return the metrics of the phases, as medians over the rounds."""

    async def all_rounds() -> list[Round]:
        async with (
            AsyncClient(server.address) as client,
            AsyncClient(server.address, priority=Priority.BATCH) as batch,
        ):
            await sequential(client, 1.0)
            return [
                await _round(server, client, batch, load_factor, seconds, seed + number)
                for number in range(rounds)
            ]

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        figures = runner.run(all_rounds())
    return _figures(figures) | {
        "load_factor": load_factor,
        "seconds": seconds,
        "rounds": rounds,
        "seed": seed,
        "candidates": JOB_CANDIDATES,
    }


@dataclass(frozen=True)
class FairRound:
    """Results of a small client alone, a small client alongside large ones, and equal clients."""

    alone: Outcomes
    beside: Outcomes
    equal: Outcomes


def run_fairness(server: LocalServer, large: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Measure a small client alongside `large` clients, and three equal clients; return medians."""

    async def all_rounds() -> list[FairRound]:
        async with AsyncClient(server.address) as client:
            await sequential(client, 1.0)
            return [
                FairRound(
                    await sequential(client, seconds, small_requests()),
                    await small_beside_large(client, large, seconds),
                    await concurrent(client, _EQUAL_CALLERS, seconds),
                )
                for _ in range(rounds)
            ]

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        figures = runner.run(all_rounds())
    return {
        "small_alone": _share([each.alone for each in figures]),
        "small_beside_large": _share([each.beside for each in figures]),
        "equal_callers": _share([each.equal for each in figures]),
        "large_callers": large,
        "large_candidates": LARGE_CANDIDATES,
        "small_candidates": SMALL_CANDIDATES,
        "callers_of_equal": _EQUAL_CALLERS,
        "candidates_of_equal": JOB_CANDIDATES,
        "seconds": seconds,
        "rounds": rounds,
    }


def _share(outcomes: Sequence[Outcomes]) -> dict[str, float]:
    """Return medians over the rounds: share of rejected requests and latency percentiles."""
    rejected = [len(each.rejected) / each.offered for each in outcomes if each.offered]
    return {
        "rejected_share": _median(rejected or [0.0]),
        "requests": sum(each.offered for each in outcomes),
        **_milliseconds([each.accepted for each in outcomes]),
    }


async def _round(
    server: LocalServer,
    client: AsyncClient,
    batch: AsyncClient,
    load_factor: float,
    seconds: float,
    seed: int,
) -> Round:
    unloaded = await sequential(client, seconds)
    full = await concurrent(batch, _IN_FLIGHT, seconds)
    before = server.metric("process_resident_memory_bytes")
    per_second = load_factor * len(full.accepted) / full.elapsed_seconds
    over = await open_loop(client, per_second, seconds, seed)
    after = await sequential(client, seconds)
    return Round(
        unloaded, full, over, after, before, server.metric("process_resident_memory_bytes")
    )


def _figures(rounds: Sequence[Round]) -> dict[str, Any]:
    return {
        "unloaded": _milliseconds([each.unloaded.accepted for each in rounds]),
        "carried_per_second": _rate([each.full for each in rounds]),
        "offered_per_second": _median(
            [each.over.offered / each.over.elapsed_seconds for each in rounds]
        ),
        "accepted_per_second": _rate([each.over for each in rounds]),
        "accepted": _milliseconds([each.over.accepted for each in rounds]),
        "rejected": _milliseconds([each.over.rejected for each in rounds]),
        "p99_ratio": _median(
            [
                percentile(each.over.accepted, 99) / percentile(each.unloaded.accepted, 99)
                for each in rounds
            ]
        ),
        "afterwards": _milliseconds([each.after.accepted for each in rounds]),
        "first_afterwards_ms": _median([each.after.accepted[0] * 1e3 for each in rounds]),
        "rejected_afterwards": sum(len(each.after.rejected) for each in rounds),
        "resident_megabytes": [
            round(each / 1e6) for one in rounds for each in (one.bytes_before, one.bytes_after)
        ],
    }


def _milliseconds(samples: Sequence[list[float]]) -> dict[str, float]:
    """Return medians over the rounds of each round's percentiles."""
    whole = [sample for sample in samples if sample]
    return {
        f"p{percent}_ms": _median([percentile(each, percent) * 1e3 for each in whole])
        for percent in (50, 99)
        if whole
    }


def _rate(outcomes: Sequence[Outcomes]) -> float:
    return _median([len(each.accepted) / each.elapsed_seconds for each in outcomes])


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 3)
