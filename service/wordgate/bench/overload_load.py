"""Open-loop and closed-loop scoring load.

In an open loop, a slow response does not delay the next request; this is how servers become
overloaded in practice.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from time import perf_counter

from wordgate.bench.scoring_load import jobs
from wordgate.client import AsyncClient
from wordgate.errors import DeadlineExceeded, Overloaded

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
    refused: list[float] = field(default_factory=list)
    elapsed_seconds: float = 0.0

    @property
    def offered(self) -> int:
        """Number of requests, accepted or rejected."""
        return len(self.accepted) + len(self.refused)


async def one_by_one(
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


async def side_by_side(client: AsyncClient, under_way: int, seconds: float) -> Outcomes:
    """Keep `under_way` requests in flight, to measure the server's capacity."""
    outcomes = Outcomes()
    began = perf_counter()
    requests = _requests()

    async def ask_on() -> None:
        while perf_counter() - began < seconds:
            await _ask(client, next(requests), perf_counter(), outcomes, _AGAIN_SECONDS)

    async with asyncio.TaskGroup() as group:
        for _ in range(under_way):
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
        return await one_by_one(client, seconds, small_requests())
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
        outcomes.refused.append(perf_counter() - due)
        await asyncio.sleep(pause_seconds)
    else:
        outcomes.accepted.append(perf_counter() - due)


def _requests() -> Iterator[list[str]]:
    return cycle(jobs())
