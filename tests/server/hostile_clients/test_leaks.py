"""What clients leave behind if they disconnect abruptly."""

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
_LONG_SESSIONS = 200
_LONG_TEXT = "the clouds are in the sky. " * 2400 + "\U0001f30a "
_MAX_BYTES_EACH = 180_000
"""Maximum memory per session with 64 KB of text, including heap fragmentation."""
_WARM_UP_STREAMS = 1200
_STREAMS = 2400
"""Per measurement. Collection of garbage lets the memory rise and fall by 10 MB every 2,000."""

_GROWTH_BYTES = 5 * 1024 * 1024
"""A leak of 2.2 KB per stream would exceed this."""


@pytest.mark.long
@pytest.mark.parametrize("kind", ["session", "generation"])
def test_thousands_of_cancelled_streams_leave_nothing(bundle: Path, kind: str) -> None:
    """The least memory stays as it was, no session is open, and no row is queued."""
    with serving(bundle, "--state-cache-bytes", "1000000") as server:
        _least_memory(server, kind, _WARM_UP_STREAMS)
        before = _least_memory(server, kind, _STREAMS)
        assert _least_memory(server, kind, _STREAMS) - before < _GROWTH_BYTES


@pytest.mark.long
def test_an_idle_session_takes_the_bytes_of_its_text(bundle: Path) -> None:
    """This holds with an emoji, too, for which Python takes four bytes per character."""
    with serving(bundle, "--state-cache-bytes", "1000000") as server:
        asyncio.run(_long_sessions_take_little(server))


async def _long_sessions_take_little(server: RunningServer) -> None:
    """Wait until many sessions with a long text take at most `_MAX_BYTES_EACH`."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = PredictionServiceStub(channel)
        calls = [await _resting(stub) for _ in range(_AT_ONCE // 10)]
        before = server.metric("process_resident_memory_bytes")
        calls += [await _resting(stub) for _ in range(_LONG_SESSIONS)]
        assert server.metric("wordgate_open_sessions") == len(calls)
        most = before + _MAX_BYTES_EACH * _LONG_SESSIONS
        until(lambda: _resident(server) < most, "memory to be returned")


def _resident(server: RunningServer) -> float:
    return server.metric("process_resident_memory_bytes")


async def _resting(stub: Any) -> Any:
    """Open a session that was answered twice."""
    call = stub.StreamPredict()
    await call.write(configured())
    for number in (1, 2):
        await call.write(text(number, f"{_LONG_TEXT}{number} "))
        await call.read()
    return call


def _is_at_rest(server: RunningServer) -> None:
    until(lambda: server.metric("wordgate_open_sessions") == 0, "the sessions to be gone")
    until(lambda: server.metric("wordgate_queued_rows") == 0, "the rows to be dropped")


def _least_memory(server: RunningServer, kind: str, streams: int) -> float:
    """Cancel this many streams, and return the least memory that was in use between them."""
    least = float("inf")
    for first in range(0, streams, _AT_ONCE):
        asyncio.run(_cancel_streams(server.address, kind, first))
        _is_at_rest(server)
        least = min(least, _resident(server))
    return least


async def _cancel_streams(address: str, kind: str, first: int) -> None:
    """Start streams concurrently, and cancel each during its answer."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = PredictionServiceStub(channel)
        begin = _session if kind == "session" else _generation
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
