"""Latency of a keystroke by session, by unary gRPC and by JSON over HTTP.

One typist presses the same keys in all three ways in turn, each in a text of its own, so that none
profits from the states that another one has cached.
"""

import asyncio
import json
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from http.client import HTTPConnection
from time import perf_counter
from typing import Any

from wordgate.bench.isolation.latency import percentile
from wordgate.bench.isolation.load import PREDICT
from wordgate.bench.local_server import LocalServer
from wordgate.client import AsyncClient
from wordgate.errors import WordgateError
from wordgate.protocol.address import split_address
from wordgate.server.event_loop import loop_factory

_TIMEOUT_SECONDS = 60.0

Press = Callable[[str], Awaitable[None]]
"""Sends a text after a key, and returns when its suggestions have arrived."""


def run(server: LocalServer, messages: Sequence[str], max_suggestions: int) -> dict[str, Any]:
    """Return the median and the 99th percentile per way in milliseconds."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        times = runner.run(_times(server, messages, max_suggestions))
    figures: dict[str, Any] = {
        way: {
            "p50_ms": round(statistics.median(seconds) * 1e3, 3),
            "p99_ms": round(percentile(seconds, 99) * 1e3, 3),
        }
        for way, seconds in times.items()
    }
    return figures | {"keys_in_each": len(next(iter(times.values())))}


async def _times(
    server: LocalServer, messages: Sequence[str], max_suggestions: int
) -> dict[str, list[float]]:
    """Type all messages in all ways, and return the seconds of each key by way."""
    async with _ways(server, max_suggestions) as ways:
        times: dict[str, list[float]] = {way: [] for way in ways}
        for number, message in enumerate(messages):
            for end in range(len(message) + 1):
                order = list(ways)[end % len(ways) :] + list(ways)[: end % len(ways)]
                for way in order:
                    text = f"{way} {number} {message[:end]}"
                    began = perf_counter()
                    await ways[way](text)
                    if end:  # the first key of a message reads the beginning of its text
                        times[way].append(perf_counter() - began)
        return times


@asynccontextmanager
async def _ways(server: LocalServer, max_suggestions: int) -> AsyncIterator[dict[str, Press]]:
    async with AsyncExitStack() as opened:
        client = await opened.enter_async_context(AsyncClient(server.address))
        session = await opened.enter_async_context(
            client.typing_session(max_suggestions=max_suggestions)
        )
        host, port = split_address(server.http)
        http = HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
        opened.callback(http.close)

        async def by_session(text: str) -> None:
            await session.suggest(text)

        async def by_grpc(text: str) -> None:
            history, prefix = _split(text)
            await client.predict(history, prefix, max_suggestions=max_suggestions)

        async def by_http(text: str) -> None:
            history, prefix = _split(text)
            options = {"maxSuggestions": max_suggestions}
            body = json.dumps({"history": history, "prefix": prefix, "options": options})
            http.request("POST", PREDICT, body, {"content-type": "application/json"})
            answer = http.getresponse()
            json.loads(answer.read())
            if answer.status != 200:
                raise WordgateError(f"{server.http} answered with status {answer.status}")

        yield {"session": by_session, "unary": by_grpc, "http": by_http}


def _split(text: str) -> tuple[str, str]:
    """Return the words before the last one, and the last word as far as it is typed."""
    history, _, prefix = text.rpartition(" ")
    return history, prefix
