"""Metrics and probes over HTTP, with well-behaved and misbehaving clients."""

import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from tests.running import RunningServer, serving, until

from wordgate.protocol.address import split_address
from wordgate.server.telemetry import http
from wordgate.server.telemetry.http_connections import MAX_CONNECTIONS, OpenConnections

BEGUN = b"GET /metrics HTTP/1.1\r\nHost: here\r\nX-Long: "
WHOLE = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"
OPEN_METRICS = "application/openmetrics-text"


@pytest.fixture(scope="module", params=[1, 2])
def asked(bundle: Path, request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """A server of one process, or of two workers."""
    with serving(bundle, "--workers", str(request.param)) as running:
        yield running


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*;q=x", "text/plain; version=0.0.4"),
        (f"{OPEN_METRICS}; version=1.0.0; charset=utf-16", f"{OPEN_METRICS}; version=1.0.0"),
        (f"{OPEN_METRICS}; version=1.0.0; escaping=none-such", f"{OPEN_METRICS}; version=1.0.0"),
        (f"{OPEN_METRICS}; version=1.0.0; escaping=allow-utf-8", f"{OPEN_METRICS}; version=1.0.0"),
        (f"{OPEN_METRICS}; version=2.0.0", "text/plain; version=0.0.4"),
        (f"{OPEN_METRICS}; version=abc", "text/plain; version=0.0.4"),
        (f"{OPEN_METRICS}; version=", "text/plain; version=0.0.4"),
        (f"{OPEN_METRICS};version=..;version=1.0.0", "text/plain; version=0.0.4"),
        (f"{OPEN_METRICS};version={'9' * 5000}", "text/plain; version=0.0.4"),
        (f'{OPEN_METRICS};version="1.0.0"', "text/plain; version=0.0.4"),
        (f"{OPEN_METRICS};version=9.x, {OPEN_METRICS};version=1.0.0", OPEN_METRICS),
        ("text/plain; version=1.0.0; escaping=underscores", "text/plain; version=1.0.0"),
        ("text/plain; version=x.y", "text/plain; version=0.0.4"),
        ("text/plain; version=٣.٣.٣", "text/plain; version=0.0.4"),
        (",;,=;;", "text/plain; version=0.0.4"),
        ("\udcff\udcfe", "text/plain; version=0.0.4"),
        ("x" * 15_000, "text/plain; version=0.0.4"),
    ],
)
def test_metrics_formats_are_negotiated(asked: RunningServer, accept: str, expected: str) -> None:
    """A supported version gets its format; any other request gets the text format."""
    status, kind, page = _get(asked, accept.encode("utf-8", "surrogateescape"))
    assert status == 200
    assert kind.startswith(expected)
    assert "wordgate_model_info{" in page
    assert page.endswith("# EOF\n") == kind.startswith(OPEN_METRICS)
    assert '"level": "error"' not in asked.output


def test_invalid_http_requests_are_not_logged(asked: RunningServer) -> None:
    """Other methods and paths, random bytes and endless headers are rejected without log lines."""
    logged = len(asked.lines)
    for wrong in (b"POST /metrics", b"GET /none", b"\xff\xfe", b"GET", b"DELETE /livez"):
        with _connected(asked) as client:
            client.sendall(wrong + b" HTTP/1.1\r\nHost: here\r\nUpgrade: x\r\n\r\n")
            status = client.recv(1000).split(b" ")[1]
            assert status in (b"400", b"404", b"405")
    with _connected(asked) as client:
        client.sendall(BEGUN + b"x" * 20_000)
        assert client.recv(1000).startswith(b"HTTP/1.1 400")
    assert asked.lines[logged:] == []


def test_slow_http_clients_do_not_block_probes(bundle: Path) -> None:
    """Hundreds of connections are silent, incomplete or unread.

    A bounded number of them is open, probes are answered all the time, and in the end none is left.
    """
    with serving(bundle) as server:
        before = server.metric("process_open_fds")
        clients = [_connected(server) for _ in range(5 * MAX_CONNECTIONS)]
        for number, client in enumerate(clients):
            client.sendall((b"", BEGUN, WHOLE * 50)[number % 3])
            if number % 20 == 0:
                assert server.get("/livez")[0] == 200
                assert server.get("/readyz")[0] == 200
        assert server.metric("process_open_fds") <= before + MAX_CONNECTIONS
        until(lambda: server.metric("process_open_fds") <= before, "the connections to be closed")
        for client in clients:
            client.close()


def test_connections_without_a_request_are_closed_first() -> None:
    """The oldest connection without a request is closed, or else the oldest of all."""

    class Client:
        def __init__(self, name: str, is_answered: bool) -> None:
            self.name, self.is_answered = name, is_answered

        def abort(self) -> None:
            closed.append(self.name)
            open_connections.remove(self)  # type: ignore[arg-type]

    closed: list[str] = []
    open_connections = OpenConnections()
    add: Any = open_connections.add
    add(Client("first", is_answered=True))
    add(Client("silent", is_answered=False))
    for _ in range(MAX_CONNECTIONS - 2):
        add(Client("other", is_answered=True))
    assert closed == []
    add(Client("newcomer", is_answered=True))
    assert closed == ["silent"]
    add(Client("newcomer", is_answered=True))
    assert closed == ["silent", "first"]


def _get(server: RunningServer, accept: bytes) -> tuple[int, str, str]:
    host, port = split_address(server.metrics_address)
    client = HTTPConnection(host, port, timeout=60)
    client.putrequest("GET", "/metrics")
    client.putheader("Accept", accept)
    client.endheaders()
    answer = client.getresponse()
    page = answer.read().decode()
    client.close()
    return answer.status, answer.getheader("Content-Type", ""), page


def _connected(server: RunningServer) -> socket.socket:
    return socket.create_connection(split_address(server.metrics_address), timeout=60)


def test_metrics_pages_are_throttled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is followed by a pause of four times its duration, of at most 0.1 s."""
    now = 0.0
    monkeypatch.setattr(http, "perf_counter", lambda: now)
    rest = http._Rest()
    assert rest.left_seconds() == 0.0
    for took, expected in ((0.01, 0.04), (5.0, 0.1)):
        with rest.after():
            now += took
        assert rest.left_seconds() == pytest.approx(expected)
        now += expected
        assert rest.left_seconds() == pytest.approx(0.0)


def test_many_scrapers_are_served(asked: RunningServer) -> None:
    """All waiting clients get their pages in time despite the pauses."""
    clients = [socket.create_connection(split_address(asked.metrics_address)) for _ in range(8)]
    for client in clients:
        client.settimeout(10)
        client.sendall(WHOLE)
    for client in clients:
        with client, client.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
