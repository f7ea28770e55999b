"""The cost of one connection's calls for a server and other clients, with figures (`pytest -s`)."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import sleep
from typing import Any

import grpc
import pytest
from tests.running import PATIENCE_SECONDS, RunningServer, serving
from tests.server import http2
from tests.server.http2 import PREDICT, STREAM_PREDICT, Connection

from wordgate.api.v1.prediction_pb2 import PredictRequest
from wordgate.bench.isolation.latency import Pings, paced, percentile

pytestmark = pytest.mark.long

WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
CONNECTION_CALLS = 4900
"""Slightly below the limit of streams per connection."""


@pytest.fixture
def attacked(bundle: Path) -> Iterator[RunningServer]:
    """A server of its own, so that the effects of an attack end with it."""
    with serving(bundle) as server:
        yield server


@pytest.fixture
def guarded(bundle: Path, tmp_path: Path) -> Iterator[RunningServer]:
    """A server that requires tokens; these clients have none."""
    tokens = tmp_path / "tokens"
    tokens.write_text("")
    with serving(bundle, "--tokens-file", str(tokens)) as server:
        yield server


@pytest.mark.parametrize("path", [PREDICT, STREAM_PREDICT])
def test_silent_calls_leave_room_for_others(attacked: RunningServer, path: str) -> None:
    """During 24,500 silent calls of one client, all requests of another are answered."""
    with ExitStack() as opened:
        before = _resident(attacked)
        count = _opened(opened, attacked, path, 24_500, b"")
        pings = _pinged(attacked, 5.0)
        _extend(f"{count} silent calls of {path}", before, attacked, count, pings)
    assert pings.failures == {}


@pytest.mark.parametrize("path", [WATCH, REFLECTION])
def test_streams_without_a_token_are_bounded(guarded: RunningServer, path: str) -> None:
    """Thousands of streams that need no token, or are rejected without one, are bounded."""
    with ExitStack() as opened:
        before = _resident(guarded)
        count = _opened(opened, guarded, path, 20_000, http2.message(b""))
        sleep(2)
        grown = _resident(guarded) - before
        pings = _pinged(guarded, 3.0, "/grpc.health.v1.Health/Check", b"")
        _extend(f"{count} streams of {path}", before, guarded, count, pings)
    assert pings.failures == {}
    assert grown < 400e6


def _opened(opened: ExitStack, server: RunningServer, path: str, count: int, data: bytes) -> int:
    """Open calls over as few connections as possible; a call may send a first message."""
    left = count
    while left > 0:
        connection = opened.enter_context(Connection(server.address))
        connection.settle()
        for number in range(min(left, CONNECTION_CALLS)):
            stream = 2 * number + 1
            frames = http2.opening(stream, path)
            if data:
                frames += http2.frame(http2.DATA, 0, stream, data)
            if not connection.send(frames):
                return count - left + number
        left -= CONNECTION_CALLS
    sleep(2)
    return count


def _pinged(
    server: RunningServer,
    seconds: float,
    path: str = PREDICT,
    message: bytes = PredictRequest(history="the clouds are in the").SerializeToString(),
) -> Pings:
    """Send 50 requests per second from another client, and return their latencies."""
    with grpc.insecure_channel(server.address) as channel:
        call: Any = channel.unary_unary(path)

        def ask() -> str:
            try:
                call(message, timeout=PATIENCE_SECONDS)
            except grpc.RpcError as error:
                return str(error.code().name)
            return ""

        ask()
        return paced(ask, 0.02, seconds)


def _resident(server: RunningServer) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text("utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return float(line.split()[1]) * 1024


def _extend(what: str, before: float, server: RunningServer, count: int, pings: Pings) -> None:
    grown = _resident(server) - before
    print(  # noqa: T201  figures for `pytest -s`
        f"\n{what}: {grown / 1e6:.0f} MB more, {grown / max(1, count) / 1e3:.1f} kB each; "
        f"another caller p50 {percentile(pings.seconds, 50) * 1e3:.1f} ms, "
        f"p99 {percentile(pings.seconds, 99) * 1e3:.1f} ms, failures {pings.failures}"
    )
