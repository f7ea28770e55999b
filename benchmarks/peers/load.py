"""The load generator: a number of calls in flight."""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import grpc

from calls import Call

TIMEOUT_SECONDS = 120.0


async def in_flight(
    channel: grpc.aio.Channel, calls: Sequence[Call], limit: int
) -> tuple[float, list[float]]:
    """Return the seconds for all calls with `limit` in flight, and those of each, in order."""
    waiting = iter(enumerate(calls))
    seconds = [0.0] * len(calls)

    async def caller() -> None:
        for number, call in waiting:
            began = perf_counter()
            await ask(channel, call)
            seconds[number] = perf_counter() - began

    began = perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            group.create_task(caller())
    return perf_counter() - began, seconds


async def ask(channel: grpc.aio.Channel, call: Call) -> Any:
    """Make a call and return its response. Raises `grpc.aio.AioRpcError`."""
    method = channel.unary_unary(call.method, response_deserializer=call.parse)
    return await method(call.request, timeout=TIMEOUT_SECONDS)
