"""Hostile HTTP traffic against a real server that keeps serving others."""

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest
from tests.running import RunningServer, serving, until
from tests.server.http.asking import (
    GENERATE,
    PREDICT,
    answered,
    ask,
    connected,
    frame,
    head,
    post,
    response,
)
from tests.server.http.conftest import HTTP

from wordgate.protocol.limits import Limits
from wordgate.server.http.connections import most_connections

MAX_MEMORY = 600_000_000
"""Maximum resident memory in bytes of a server under attack."""

LIMITS = Limits()
SCORE = "/wordgate.v1.ScoringService/Score"
FINE = {"history": "the cat"}
FINE_BYTES = json.dumps(FINE).encode()


@pytest.fixture(scope="module")
def attacked(bundle: Path) -> Iterator[RunningServer]:
    """A server that all attacks of this module hit."""
    with serving(bundle, *HTTP) as server:
        yield server


@pytest.fixture(autouse=True)
def survives(attacked: RunningServer) -> Iterator[None]:
    """After each attack the server answers, has bounded memory, and has logged no defect."""
    yield
    assert post(attacked, PREDICT, FINE).status == 200
    assert resident_bytes(attacked) < MAX_MEMORY
    assert "internal error" not in attacked.output
    assert "unhandled exception" not in attacked.output
    assert "Traceback" not in attacked.output


def resident_bytes(server: RunningServer) -> int:
    """Return the resident memory of a server."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def test_a_body_that_is_too_large_is_refused_before_it_has_arrived(attacked: RunningServer) -> None:
    """The server answers as soon as the limit is exceeded."""
    size = 1 << 40
    with connected(attacked, head(PREDICT, f"content-length: {size}")) as client:
        client.sendall(b" " * (LIMITS.max_message_bytes + 200_000))
        assert b"400" in client.recv(1000).splitlines()[0]


def test_an_endless_chunked_body_is_refused(attacked: RunningServer) -> None:
    """A body without a length counts as it arrives, and the connection is closed."""
    with connected(attacked, head(PREDICT, "transfer-encoding: chunked")) as client:
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"

        def send() -> None:
            try:
                while True:
                    client.sendall(chunk)
            except OSError:
                return  # the server has closed the connection

        sending = Thread(target=send)
        sending.start()
        assert b'"invalid_argument"' in answered(client)
        sending.join()


def test_bodies_in_progress_share_the_budget(attacked: RunningServer) -> None:
    """Many unfinished large bodies are refused for want of memory."""
    part = head(PREDICT, f"content-length: {LIMITS.max_message_bytes}")
    part += b" " * (LIMITS.max_message_bytes - 1)
    with ExitStack() as open_ones:
        clients = [open_ones.enter_context(connected(attacked, part)) for _ in range(12)]
        refused = 0
        for client in clients:
            client.settimeout(2)
            try:
                refused += b'"resource_exhausted"' in response(client)[1]
            except TimeoutError:
                continue
        assert refused >= 8


def test_a_slow_body_is_ended(attacked: RunningServer) -> None:
    """Calls without a body wait a minute; above the limit of silent calls, two seconds."""
    part = head(PREDICT, f"content-length: {len(FINE_BYTES)}") + FINE_BYTES[:1]
    with ExitStack() as open_ones:
        for _ in range(LIMITS.max_silent_calls):
            open_ones.enter_context(connected(attacked, part))
        waiting = [open_ones.enter_context(connected(attacked, part)) for _ in range(5)]
        ended = list(map(answered, waiting))
        assert all(b"504" in one and b"within 2 s" in one for one in ended)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"options":' * 90_000,
        b"[" + b"{}," * 300_000 + b"{}]",
        b'{"candidates":[' + b"{}," * 300_000 + b"{}]}",
        b'"' * 1_000_000,
        b"\\" * 1_000_000,
        b"9" * 1_000_000,
        b'{"history":"' + b"\\u0000" * 150_000 + b'"}',
        b"\x00" * 1_000_000,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_bad_json_is_refused(attacked: RunningServer, body: bytes) -> None:
    """Malformed, deep and very dense JSON is INVALID_ARGUMENT."""
    for path in (PREDICT, SCORE):
        answer = post(attacked, path, body)
        assert (answer.status, answer.code) == (400, "invalid_argument")
        assert len(answer.body) < 4000


def test_refused_json_frees_its_memory(attacked: RunningServer) -> None:
    """Once, the error's traceback kept each megabyte until a garbage collection."""
    body = b'{"history": "' + b"a" * 1_000_000
    for _ in range(20):
        post(attacked, PREDICT, body)
    before = resident_bytes(attacked)
    for _ in range(60):
        post(attacked, PREDICT, body)
    assert resident_bytes(attacked) < before + 20_000_000


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/grpc",
        "application/grpc-web-text",
        "application/connect+json",
        "a" * 5000,
    ],
)
def test_another_content_type_is_refused(attacked: RunningServer, kind: str | None) -> None:
    """Also the three that a browser sends to other sites without asking."""
    answer = post(attacked, PREDICT, FINE, kind)
    assert (answer.status, answer.code) == (415, "unimplemented")
    assert "application/json" in answer.headers["accept-post"]


def test_compressed_requests_are_refused(attacked: RunningServer) -> None:
    """A gzip bomb is never inflated."""
    bomb = gzip.compress(b" " * 500_000_000)
    before = resident_bytes(attacked)
    answer = post(attacked, PREDICT, bomb, content_encoding="gzip")
    assert (answer.status, answer.code) == (501, "unimplemented")
    answer = post(
        attacked,
        GENERATE,
        frame(bomb, flags=1),
        "application/connect+json",
        connect_content_encoding="gzip",
    )
    assert b"unimplemented" in answer.body
    assert resident_bytes(attacked) < before + 50_000_000


@pytest.mark.parametrize(
    "body",
    [
        b"\x00",
        frame(b"{}")[:-1],
        frame(b"{}", flags=124),
        frame(b"{}", flags=1),
        b"\x00\xff\xff\xff\xff{}",
        b"",
        frame(b"{}") * 2,
    ],
)
def test_malformed_frames_are_refused(attacked: RunningServer, body: bytes) -> None:
    """A stream's message that is not framed as declared is an error in the last frame.

    Its code is neither that of a defect nor one upon which clients retry.
    """
    answer = post(attacked, GENERATE, body, "application/connect+json")
    error = json.loads(answer.frames[-1][1])["error"]
    assert error["code"] in {"invalid_argument", "unimplemented"}


def test_very_many_idle_connections_leave_room_for_others(attacked: RunningServer) -> None:
    """Above the limit, the longest idle connections are closed; callers are answered meanwhile."""
    with ExitStack() as open_ones:
        clients = [open_ones.enter_context(connected(attacked)) for _ in range(500)]
        assert post(attacked, PREDICT, FINE).status == 200
        assert attacked.get("/livez")[0] == 200
        most = min(500, most_connections())

        def closed() -> int:
            return sum(map(is_closed, clients))

        until(lambda: closed() >= 500 - most, "idle connections to be closed")


def is_closed(client: socket.socket) -> bool:
    """Return whether the server has closed a connection."""
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "sent",
    [
        head(PREDICT, "content-length: 20", "transfer-encoding: chunked") + b"0\r\n\r\n",
        head(PREDICT, "content-length: 20", "content-length: 21") + FINE_BYTES,
        head(PREDICT, "content-length: +20") + FINE_BYTES,
        head(PREDICT, "transfer-encoding: identity") + FINE_BYTES,
        head(PREDICT, "transfer-encoding: chunked, chunked") + b"0\r\n\r\n",
        head(PREDICT, "transfer-encoding : chunked") + b"0\r\n\r\n",
        head(PREDICT, "transfer-encoding: chunked") + b"-1\r\n\r\n",
        head(PREDICT, "transfer-encoding: chunked").replace(b"1.1", b"1.0") + b"0\r\n\r\n",
        head(PREDICT, "bad header: x"),
        head(PREDICT, "x: \x00"),
        head(PREDICT, "x: \xff"),
        b"POST / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00" + b"\x00" * 512,
    ],
    ids=range(14),
)
def test_an_ambiguous_request_is_refused_and_its_connection_closed(
    attacked: RunningServer, sent: bytes
) -> None:
    """Whatever two servers could read differently ends the connection."""
    with connected(attacked, sent) as client:
        lines = answered(client).split(b"\r\n")
        assert lines[0].startswith((b"HTTP/1.1 400", b"HTTP/1.1 505"))
        assert sum(line.startswith(b"HTTP/1.1") for line in lines) <= 1


def test_a_malformed_rest_of_a_refused_request_ends_the_connection(attacked: RunningServer) -> None:
    """It gets no second response, and is not a defect in the log."""
    with connected(attacked, head("/nothing", "transfer-encoding: chunked")) as client:
        assert response(client)[0] == 404
        client.sendall(b"malformed\r\n")
        assert answered(client) == b""


@pytest.mark.parametrize("lines", [["x: " + "y" * 40_000], ["x: y"] * 5000], ids=["long", "many"])
def test_large_headers_are_refused(attacked: RunningServer, lines: list[str]) -> None:
    """Headers have the limit that gRPC has."""
    with connected(attacked, head(PREDICT, *lines, "connection: close")) as client:
        assert b"HTTP/1.1 400" in answered(client)


def test_pipelined_requests_are_answered_in_order(attacked: RunningServer) -> None:
    """A second request in the same packet gets its own answer."""
    one = head(PREDICT, f"content-length: {len(FINE_BYTES)}") + FINE_BYTES
    other = head("/nothing", "connection: close", "content-length: 0")
    with connected(attacked, one + other) as client:
        received = answered(client)
    assert [part[:4] for part in received.split(b"HTTP/1.1 ")[1:]] == [b"200 ", b"404 "]


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/%2e%2e/",
        "/index.html",
        "/static/../../x",
        "/wordgate.v1.PredictionService/../x",
        "/" + "a" * 10000,
        "/\\..\\x",
        "/metrics",
        "/grpc.health.v1.Health/Check",
        PREDICT + "/",
        PREDICT.lower(),
        PREDICT.replace("Predict", "%50redict"),
    ],
)
def test_other_paths_are_not_found(attacked: RunningServer, path: str) -> None:
    """No path leads to a file: only the methods and the page exist."""
    for method in ("GET", "POST"):
        assert ask(attacked, method, path).status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "TRACE", "X"])
def test_methods_take_post_only(attacked: RunningServer, method: str) -> None:
    """A text never stands in an address, which proxies log."""
    answer = ask(attacked, method, f"{PREDICT}?message=%7B%7D&encoding=json&connect=v1")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_an_upgrade_is_ignored(attacked: RunningServer) -> None:
    """A request for WebSockets or HTTP/2 is answered as HTTP/1.1."""
    for other in ("websocket", "h2c"):
        answer = post(attacked, PREDICT, FINE, connection="upgrade", upgrade=other)
        assert answer.status == 200


def test_texts_are_not_logged(attacked: RunningServer) -> None:
    """Neither a request nor an error writes its text to the log."""
    secret = "xyzzysecret"
    post(attacked, PREDICT, {"history": secret})
    post(attacked, PREDICT, {secret: 1})
    post(attacked, PREDICT, {"model": secret})
    ask(attacked, "GET", f"/{secret}?{secret}")
    post(attacked, PREDICT, f'"{secret}'.encode(), origin=f"https://{secret}.example")
    assert secret not in attacked.output
    assert secret not in attacked.get("/metrics")[1]
