"""What one connection's calls cost a server and other callers, with figures (`pytest -s`)."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import grpc
import pytest
from tests.running import PATIENCE_SECONDS, RunningServer, serving
from tests.server import http2
from tests.server.http2 import PREDICT, STREAM_PREDICT, Connection

from wordgate.api.v1.prediction_pb2 import PredictRequest
from wordgate.evaluation.isolation import Pings, paced, percentile

pytestmark = pytest.mark.long

WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
CONNECTION_CALLS = 4900
"""A little less than a connection may have."""

MOST_P99_SECONDS = 0.5
"""Ten times what is wanted on a quiet machine."""


@pytest.fixture
def attacked(bundle: Path) -> Iterator[RunningServer]:
    """A server of its own: what an attack leaves behind ends with it."""
    with serving(bundle) as server:
        yield server


@pytest.fixture
def guarded(bundle: Path, tmp_path: Path) -> Iterator[RunningServer]:
    """A server that asks for tokens; these callers have none."""
    tokens = tmp_path / "tokens"
    tokens.write_text("")
    with serving(bundle, "--tokens-file", str(tokens)) as server:
        yield server


@pytest.mark.parametrize("path", [PREDICT, STREAM_PREDICT])
def test_silent_calls_leave_room_for_others(attacked: RunningServer, path: str) -> None:
    """24,500 calls of one caller that send no message: all requests of another are answered."""
    with ExitStack() as opened:
        before = _resident(attacked)
        count = _opened(opened, attacked, path, 24_500, b"")
        pings = _pinged(attacked, 5.0)
        _say(f"{count} silent calls of {path}", before, attacked, count, pings)
    assert pings.failures == {}
    assert percentile(pings.seconds, 99) < MOST_P99_SECONDS


@pytest.mark.parametrize("path", [WATCH, REFLECTION])
def test_streams_without_a_token_are_bounded(guarded: RunningServer, path: str) -> None:
    """Thousands of streams that need no token, or are refused for the lack of one."""
    with ExitStack() as opened:
        before = _resident(guarded)
        count = _opened(opened, guarded, path, 20_000, http2.message(b""))
        sleep(2)
        grown = _resident(guarded) - before
        pings = _pinged(guarded, 3.0, "/grpc.health.v1.Health/Check", b"")
        _say(f"{count} streams of {path}", before, guarded, count, pings)
    assert pings.failures == {}
    assert percentile(pings.seconds, 99) < MOST_P99_SECONDS
    assert grown < 150e6


@pytest.mark.parametrize("data", [b"", http2.message(b"")], ids=["headers", "messages"])
@pytest.mark.parametrize("per_second", [1000, 10_000, 100_000])
def test_rapid_resets_of_one_connection(
    attacked: RunningServer, per_second: int, data: bytes
) -> None:
    """Calls that are opened and reset at once, thousands per second: others are answered."""
    alone = _pinged(attacked, 3.0)
    before = _resident(attacked)
    stop = threading.Event()
    sent = [0]
    thread = threading.Thread(target=_reset_rapidly, args=(attacked, per_second, data, stop, sent))
    thread.start()
    try:
        sleep(0.5)
        began = perf_counter()
        pings = _pinged(attacked, 5.0)
    finally:
        stop.set()
        thread.join()
    rate = sent[0] / (perf_counter() - began + 0.5)
    _say(f"{sent[0]} resets, {rate:.0f} per second", before, attacked, sent[0], pings)
    assert pings.failures == {}
    assert percentile(pings.seconds, 50) < 10 * percentile(alone.seconds, 50) + 0.02


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


def _reset_rapidly(
    server: RunningServer, per_second: int, data: bytes, stop: threading.Event, sent: list[int]
) -> None:
    began = perf_counter()
    stream = 2**31
    connection: Connection | None = None
    with ExitStack() as opened:
        while not stop.is_set():
            if connection is None or stream > 2**30:
                connection = opened.enter_context(Connection(server.address))
                stream = 1
            frames = b""
            for _ in range(100):
                frames += http2.opening(stream, PREDICT)
                frames += http2.frame(http2.DATA, 0, stream, data) if data else b""
                frames += http2.frame(http2.RST_STREAM, 0, stream, b"\x00\x00\x00\x08")
                stream += 2
            if not connection.send(frames):
                connection = None
                continue
            sent[0] += 100
            sleep(max(0.0, sent[0] / per_second - (perf_counter() - began)))


def _pinged(
    server: RunningServer,
    seconds: float,
    path: str = PREDICT,
    message: bytes = PredictRequest(history="the clouds are in the").SerializeToString(),
) -> Pings:
    """Requests of another caller, 50 per second, for some seconds."""
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


def _say(what: str, before: float, server: RunningServer, count: int, pings: Pings) -> None:
    grown = _resident(server) - before
    print(  # noqa: T201  figures for whoever runs it with -s
        f"\n{what}: {grown / 1e6:.0f} MB more, {grown / max(1, count) / 1e3:.1f} kB each; "
        f"another caller p50 {percentile(pings.seconds, 50) * 1e3:.1f} ms, "
        f"p99 {percentile(pings.seconds, 99) * 1e3:.1f} ms, failures {pings.failures}"
    )
