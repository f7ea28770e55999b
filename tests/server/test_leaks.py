"""What clients leave behind that go without a word."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tests.running import RunningServer, serving, until
from tests.server.requests import LONG_TO_READ, configured, text

from wordgate.api.v1 import prediction_pb2
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub

_AT_ONCE = 200
_GROWTH_BYTES = 16 * 1024 * 1024
"""A stream that leaves two kilobytes behind would show."""


@pytest.mark.long
@pytest.mark.parametrize("kind", ["session", "generation"])
def test_ten_thousand_cancelled_streams_leave_nothing(bundle: Path, kind: str) -> None:
    """Memory is what it was after the first two thousand, no session is open, no row waits."""
    with serving(bundle, "--cache-bytes", "1000000") as server:
        asyncio.run(_cancel_streams(server.address, kind, 2_000))
        _is_at_rest(server)
        before = server.metric("process_resident_memory_bytes")
        asyncio.run(_cancel_streams(server.address, kind, 10_000))
        _is_at_rest(server)
        assert server.metric("process_resident_memory_bytes") - before < _GROWTH_BYTES


def _is_at_rest(server: RunningServer) -> None:
    until(lambda: server.metric("wordgate_sessions") == 0, "the sessions to be gone")
    until(lambda: server.metric("wordgate_waiting_rows") == 0, "the rows to be dropped")


async def _cancel_streams(address: str, kind: str, count: int) -> None:
    """Begin so many streams, some at once, and cancel each while it is being answered."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = PredictionServiceStub(channel)
        begin = _session if kind == "session" else _generation
        for first in range(0, count, _AT_ONCE):
            await asyncio.gather(*(begin(stub, first + n) for n in range(_AT_ONCE)))


async def _session(stub: Any, number: int) -> None:
    call = stub.StreamPredict()
    await call.write(configured())
    await call.write(text(1, f"{number} the clouds are in the "))
    await call.read()
    await call.write(text(2, f"{number} {LONG_TO_READ[:2000]}"))
    call.cancel()


async def _generation(stub: Any, number: int) -> None:
    request = prediction_pb2.StreamGenerateRequest(history=f"{number} the", max_words=1000)
    call = stub.StreamGenerate(request)
    await call.read()
    call.cancel()
