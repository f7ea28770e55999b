"""Benchmark a server under several times its capacity, and the fairness between clients."""

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wordgate.bench.local_server import LocalServer
from wordgate.bench.overload_load import (
    LARGE_CANDIDATES,
    SMALL_CANDIDATES,
    Outcomes,
    one_by_one,
    open_loop,
    side_by_side,
    small_beside_large,
    small_requests,
)
from wordgate.bench.scoring_load import JOB_CANDIDATES
from wordgate.client import AsyncClient
from wordgate.server.event_loop import loop_factory

_UNDER_WAY = 16
_EQUAL_CALLERS = 3


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
    server: LocalServer, times: float, seconds: float, rounds: int, seed: int
) -> dict[str, Any]:
    """Return the metrics of the phases, as medians over the rounds."""

    async def all_rounds() -> list[Round]:
        async with (
            AsyncClient(server.address) as client,
            AsyncClient(server.address, batch=True) as batch,
        ):
            await one_by_one(client, 1.0)
            return [
                await _round(server, client, batch, times, seconds, seed + number)
                for number in range(rounds)
            ]

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        found = runner.run(all_rounds())
    return _figures(found) | {
        "times": times,
        "seconds": seconds,
        "rounds": rounds,
        "seed": seed,
        "candidates": JOB_CANDIDATES,
    }


@dataclass(frozen=True)
class FairRound:
    """Results of a small client alone, a small client beside large ones, and equal clients."""

    alone: Outcomes
    beside: Outcomes
    equal: Outcomes


def run_fairness(server: LocalServer, large: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Measure a small client beside `large` clients, and three equal clients; return medians."""

    async def all_rounds() -> list[FairRound]:
        async with AsyncClient(server.address) as client:
            await one_by_one(client, 1.0)
            return [
                FairRound(
                    await one_by_one(client, seconds, small_requests()),
                    await small_beside_large(client, large, seconds),
                    await side_by_side(client, _EQUAL_CALLERS, seconds),
                )
                for _ in range(rounds)
            ]

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        found = runner.run(all_rounds())
    return {
        "small_alone": _share([each.alone for each in found]),
        "small_beside_large": _share([each.beside for each in found]),
        "equal_callers": _share([each.equal for each in found]),
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
    refused = [len(each.refused) / each.offered for each in outcomes if each.offered]
    return {
        "refused_share": _median(refused or [0.0]),
        "requests": sum(each.offered for each in outcomes),
        **_milliseconds([each.accepted for each in outcomes]),
    }


async def _round(
    server: LocalServer,
    client: AsyncClient,
    batch: AsyncClient,
    times: float,
    seconds: float,
    seed: int,
) -> Round:
    unloaded = await one_by_one(client, seconds)
    full = await side_by_side(batch, _UNDER_WAY, seconds)
    before = server.metric("process_resident_memory_bytes")
    per_second = times * len(full.accepted) / full.elapsed_seconds
    over = await open_loop(client, per_second, seconds, seed)
    after = await one_by_one(client, seconds)
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
        "refused": _milliseconds([each.over.refused for each in rounds]),
        "p99_ratio": _median(
            [
                _percentile(each.over.accepted, 99) / _percentile(each.unloaded.accepted, 99)
                for each in rounds
            ]
        ),
        "afterwards": _milliseconds([each.after.accepted for each in rounds]),
        "first_afterwards_ms": _median([each.after.accepted[0] * 1e3 for each in rounds]),
        "refused_afterwards": sum(len(each.after.refused) for each in rounds),
        "resident_megabytes": [
            round(each / 1e6) for one in rounds for each in (one.bytes_before, one.bytes_after)
        ],
    }


def _milliseconds(samples: Sequence[list[float]]) -> dict[str, float]:
    """Return medians over the rounds of each round's percentiles."""
    whole = [sample for sample in samples if len(sample) > 1]
    return {
        f"p{percentile}_ms": _median([_percentile(each, percentile) * 1e3 for each in whole])
        for percentile in (50, 99)
        if whole
    }


def _percentile(sample: list[float], percentile: int) -> float:
    return statistics.quantiles(sample, n=100)[percentile - 1]


def _rate(outcomes: Sequence[Outcomes]) -> float:
    return _median([len(each.accepted) / each.elapsed_seconds for each in outcomes])


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 3)
