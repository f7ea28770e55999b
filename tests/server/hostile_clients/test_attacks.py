"""Malformed and hostile traffic against a real server that keeps serving others."""

import gzip
import itertools
import random
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import (  # type: ignore[attr-defined]
    HealthCheckResponse,
    HealthListRequest,
)
from grpc_health.v1.health_pb2_grpc import HealthStub
from tests.protocol_methods import methods
from tests.running import MetricsPage, RunningServer, serving, until
from tests.server import http2
from tests.server.http2 import PREDICT, STREAM_PREDICT, Connection
from tests.server.requests import refusal

from wordgate.api.v1.prediction_pb2 import (
    SessionConfiguration,
    SessionText,
    StreamGenerateRequest,
    StreamPredictRequest,
    SuggestionOptions,
)
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.scoring_pb2 import Candidate, ScoreRequest
from wordgate.client import Client
from wordgate.protocol.limits import Limits

MAX_MEMORY = 1_500_000_000
"""Maximum memory of a server under attack."""

MAX_HEADERS_MEMORY = 200_000_000
"""Maximum growth in bytes by calls with inflated headers; 300 retained ones take twice that."""

WATCH = "/grpc.health.v1.Health/Watch"
CHECK = "/grpc.health.v1.Health/Check"
SCORE = "/wordgate.v1.ScoringService/Score"
ACCEPT_ENCODING = b"\x90"
"""A header of 15 + 13 letters from HPACK's static table."""

EXPECTED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
}
UNGUARDED = """
import sys
from wordgate.cli.main import main
from wordgate.server.rpc import unknown_methods
unknown_methods._HOOKS = ("a future version of grpcio has none of these",)
sys.argv[0] = "wordgate"
main(["serve", *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def attacked(bundle: Path) -> Iterator[RunningServer]:
    """One server for all attacks of this file; each attack finds what earlier ones left."""
    with serving(bundle) as server:
        yield server


@pytest.fixture(autouse=True)
def unharmed(attacked: RunningServer) -> Iterator[None]:
    """After each attack others are answered, memory is bounded, and no call or log line is left."""
    logged = len(attacked.lines)
    with Client(attacked.address) as other:
        expected = other.predict("the clouds")
        yield
        assert other.predict("the clouds") == expected
    with Client(attacked.address) as newcomer:
        assert newcomer.predict("the clouds") == expected
    page = until(lambda: _page_without_calls(attacked), "all calls to end")
    assert page.sum("wordgate_open_sessions") == 0
    assert page.sum("process_resident_memory_bytes") < MAX_MEMORY
    assert attacked.lines[logged:] == []


@pytest.mark.parametrize(
    "path",
    ["/\xff\xfe", "/wordgate.v1.PredictionService/Pr\xe9dict", "/\x80/\xff", "//", "/a\x00b"],
)
def test_method_names_that_are_not_utf8(attacked: RunningServer, path: str) -> None:
    """A path that is not UTF-8 is an unknown method and does not end the server."""
    with Connection(attacked.address) as connection:
        connection.send(http2.opening(1, path) + http2.sent(1, http2.message(b"")))
        assert connection.status_of_first_call() == grpc.StatusCode.UNIMPLEMENTED.value[0]


@pytest.mark.parametrize("rounds", [30, pytest.param(3000, marks=pytest.mark.long)])
def test_random_bytes_and_frames(attacked: RunningServer, rounds: int) -> None:
    """Random bytes with and without a preface, and random frames, do no harm."""
    noise = random.Random(rounds)
    for _ in range(rounds):
        with Connection(attacked.address, begins=False) as connection:
            connection.send(noise.randbytes(noise.randint(1, 3000)))
        with Connection(attacked.address) as connection:
            connection.send(noise.randbytes(noise.randint(1, 3000)))
        with Connection(attacked.address) as connection:
            connection.send(b"".join(_random_frame(noise) for _ in range(20)))


@pytest.mark.parametrize("rounds", [20, pytest.param(2000, marks=pytest.mark.long)])
def test_random_messages_for_every_method(attacked: RunningServer, rounds: int) -> None:
    """Malformed messages and messages of random fields get a status that says so."""
    noise = random.Random(rounds)
    with grpc.insecure_channel(attacked.address) as channel:
        for path, method in methods():
            fields = [field.number for field in method.input_type.fields] or [1]
            for _ in range(rounds):
                body = noise.choice((noise.randbytes, _random_fields(noise, fields)))
                assert _code_of(channel, path, body(noise.randint(0, 300))) in EXPECTED, path


@pytest.mark.parametrize("field", [1, 2, 3, 4, 5])
def test_messages_of_half_a_million_fields(attacked: RunningServer, field: int) -> None:
    """Many empty fields and one invalid field are rejected, with little work per megabyte."""
    many = bytes([field << 3 | 2, 0]) * 500_000
    with grpc.insecure_channel(attacked.address) as channel:
        for method in (
            "ScoringService/Score",
            "ScoringService/Rescore",
            "PredictionService/Predict",
        ):
            for wrong in (b"", bytes([field << 3 | 2, 1, 0xFF])):
                code = _code_of(channel, f"/wordgate.v1.{method}", many + wrong)
                assert code in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OK}


def test_a_compression_bomb_is_rejected(attacked: RunningServer) -> None:
    """A message that is small compressed and large decompressed exceeds the size limit."""
    options = [("grpc.max_send_message_length", -1)]
    compression = grpc.Compression.Gzip
    with grpc.insecure_channel(attacked.address, options, compression) as channel:
        ask = partial(_ask(channel, PREDICT), bytes(200_000_000))
        assert refusal(ask).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    packed = http2.message(gzip.compress(bytes(50_000_000)), compressed=True)
    with Connection(attacked.address) as connection:
        encoding = (b"grpc-encoding", b"gzip")
        connection.send(http2.opening(1, PREDICT, encoding) + http2.sent(1, packed))
        exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        assert connection.status_of_first_call() == exhausted


def test_large_headers_are_rejected(attacked: RunningServer) -> None:
    """Headers of megabytes are rejected."""
    with grpc.insecure_channel(attacked.address) as channel:
        large = [[("x", "y" * size)] for size in (20_000, 1_000_000)]
        many = [(f"x-{number}", "y" * 100) for number in range(1000)]
        for headers in (*large, many):
            ask = partial(_ask(channel, PREDICT), b"", metadata=headers)
            assert refusal(ask).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_headers_up_to_the_limit_are_accepted(attacked: RunningServer) -> None:
    """They are always accepted; gRPC's default would randomly reject some of half that size."""
    headers = [("x", "y" * (Limits().max_header_bytes - 1000))]
    with grpc.insecure_channel(attacked.address) as channel:
        for _ in range(20):
            assert _ask(channel, PREDICT)(b"", metadata=headers)


def test_an_hpack_bomb_is_bounded(attacked: RunningServer) -> None:
    """One large header is repeated by thousands of bytes, in many calls."""
    large = b"\x40" + http2.string(b"x") + http2.string(b"y" * 4000)
    with Connection(attacked.address) as connection:
        for number in range(50):
            headers = http2.packed(http2.call(PREDICT)) + large * (number == 0) + b"\xbe" * 8000
            connection.send(http2.frame(http2.HEADERS, http2.END_HEADERS, 1 + 2 * number, headers))


@pytest.mark.parametrize("settled", [True, False])
def test_thousands_of_headers_are_rejected(attacked: RunningServer, settled: bool) -> None:
    """Calls with one byte per header are rejected at once and kept nowhere.

    gRPC's own limit does not apply to clients that never acknowledge it.
    """
    before = attacked.metric("process_resident_memory_bytes")
    with Connection(attacked.address) as connection, Client(attacked.address) as other:
        if settled:
            connection.settle()
        for number in range(300):
            headers = http2.packed(http2.call(PREDICT)) + ACCEPT_ENCODING * 8000
            connection.send(http2.frame(http2.HEADERS, http2.END_HEADERS, 1 + 2 * number, headers))
            if number % 10 == 9:
                assert other.predict("the").suggestions
                until(lambda: _calls_under_way(attacked) == 0, "the calls to be refused")
        grown = attacked.metric("process_resident_memory_bytes") - before
        assert grown < MAX_HEADERS_MEMORY


def test_too_large_headers_are_named(attacked: RunningServer) -> None:
    """If gRPC does not enforce the limit yet, the server's error names the problem."""
    headers = http2.packed(http2.call(PREDICT, (b"x", b"y" * 12_000), (b"z", b"y" * 5000)))
    parts = headers[:16_000], headers[16_000:]
    with Connection(attacked.address) as connection:
        connection.send(
            http2.frame(http2.HEADERS, 0, 1, parts[0])
            + http2.frame(http2.CONTINUATION, http2.END_HEADERS, 1, parts[1])
        )
        invalid = grpc.StatusCode.INVALID_ARGUMENT.value[0]
        assert connection.status_of_first_call() == invalid


def test_floods_of_frames(attacked: RunningServer) -> None:
    """Floods of pings, settings, window updates and endless headers do no harm."""
    header = http2.packed([(b"x", b"y" * 1000)])
    floods = {
        "ping": http2.frame(http2.PING, payload=b"12345678"),
        "settings": http2.frame(http2.SETTINGS),
        "priority": http2.frame(http2.PRIORITY, 0, 1, bytes(5)),
        "window": http2.frame(http2.WINDOW, 0, 0, bytes([0, 0, 0, 1])),
        "empty headers": http2.frame(http2.CONTINUATION, 0, 1),
        "headers": http2.frame(http2.CONTINUATION, 0, 1, header),
    }
    for name, frame in floods.items():
        with Connection(attacked.address) as connection:
            if "headers" in name:
                beginning = http2.packed(http2.call(PREDICT))
                connection.send(http2.frame(http2.HEADERS, 0, 1, beginning))
            for _ in range(100):
                connection.send(frame * 100)


def test_pings_do_not_close_a_connection(attacked: RunningServer) -> None:
    """Any number of pings on an idle connection is accepted, and the next call is answered."""
    with Connection(attacked.address) as connection:
        connection.settle()
        connection.send(http2.frame(http2.PING, payload=b"12345678") * 300)
        connection.send(http2.opening(1) + http2.sent(1, http2.message(b"")))
        assert connection.status_of_first_call() == grpc.StatusCode.OK.value[0]


def test_rapid_resets_do_no_harm(attacked: RunningServer) -> None:
    """A flood of reset calls affects no other calls, on old and new connections."""
    with Connection(attacked.address) as connection, Client(attacked.address) as other:
        for stream in range(1, 40_000, 2):
            taken_back = http2.frame(http2.RST_STREAM, 0, stream, bytes(4))
            connection.send(http2.opening(stream) + taken_back)
            if stream % 4000 == 1:
                assert other.predict("the").suggestions
                with Client(attacked.address) as newcomer:
                    assert newcomer.predict("the").suggestions


@pytest.mark.parametrize("calls", [500, pytest.param(5000, marks=pytest.mark.long)])
def test_silent_calls_do_not_block_others(attacked: RunningServer, calls: int) -> None:
    """Streams and calls without a message leave with their connection.

    Above their own limit they time out after a second.
    """
    with Connection(attacked.address) as connection:
        for number in range(calls):
            path = PREDICT if number % 2 else STREAM_PREDICT
            connection.send(http2.opening(1 + 2 * number, path))
        patient = min(calls, Limits().max_silent_calls)
        until(lambda: _calls_under_way(attacked) == patient, "the calls")
        with Client(attacked.address) as other:
            assert other.predict("the").suggestions


def test_silent_calls_do_not_count_as_in_progress(bundle: Path) -> None:
    """Ten times as many as the limit of calls in progress block no other call."""
    with (
        serving(bundle, "--max-concurrent-rpcs", "50") as server,
        Connection(server.address) as connection,
    ):
        for number in range(500):
            connection.send(http2.opening(1 + 2 * number))
        until(lambda: _calls_under_way(server) == 500, "the calls")
        with Client(server.address) as other:
            assert other.predict("the").suggestions


def test_health_watch_streams_are_limited(attacked: RunningServer) -> None:
    """Streams above the limit get UNIMPLEMENTED, so gRPC clients go on without watching."""
    most = Limits().max_watch_streams
    with Connection(attacked.address) as first, Connection(attacked.address) as second:
        for number in range(most):
            stream = 1 + 2 * number
            first.send(http2.opening(stream, WATCH) + http2.sent(stream, http2.message(b"")))
        until(lambda: _open_watches(attacked) == most, "the streams")
        second.send(http2.opening(1, WATCH) + http2.sent(1, http2.message(b"")))
        assert second.status_of_first_call() == grpc.StatusCode.UNIMPLEMENTED.value[0]
        with grpc.insecure_channel(attacked.address) as channel:
            assert _code_of(channel, CHECK, b"") is grpc.StatusCode.OK
    until(lambda: _open_watches(attacked) == 0, "the streams to end")


def test_health_service_names_are_limited(attacked: RunningServer) -> None:
    """The health check of a service with a name of a megabyte is rejected."""
    with grpc.insecure_channel(attacked.address) as channel:
        for path in (WATCH, CHECK):
            name = _field(1, 2, b"x" * 100) * 100
            assert _code_of(channel, path, name) is grpc.StatusCode.INVALID_ARGUMENT


def test_health_watch_streams_have_a_lifetime(bundle: Path) -> None:
    """They end after the lifetime of a session, so that clients reopen them on another replica."""
    with (
        serving(bundle, "--max-session-seconds", "1") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        assert _code_of(channel, WATCH, b"") is grpc.StatusCode.UNAVAILABLE


def test_the_health_of_all_services(attacked: RunningServer) -> None:
    """`List` is answered and logs nothing."""
    with grpc.insecure_channel(attacked.address) as channel:
        stub: Any = HealthStub(channel)
        listed = stub.List(HealthListRequest())
    assert {found.status for found in listed.statuses.values()} == {HealthCheckResponse.SERVING}
    assert "wordgate.v1.ScoringService" in listed.statuses


def test_more_streams_per_connection_than_allowed(attacked: RunningServer) -> None:
    """HTTP/2 itself rejects the streams above a connection's limit."""
    with Connection(attacked.address) as connection:
        for number in range(21_000):
            connection.send(http2.opening(1 + 2 * number, "/none/such"))


def test_an_incomplete_message_leaves_nothing(attacked: RunningServer) -> None:
    """A client that disconnects within a message leaves nothing behind."""
    for part in (b"", b"\x00\x00", http2.message(bytes(100_000))[:20]):
        with Connection(attacked.address) as connection:
            connection.send(http2.opening(1) + http2.frame(http2.DATA, 0, 1, part))
            until(lambda: _calls_under_way(attacked) == 1, "the call")


def test_flow_control_bounds_data_sent_ahead(attacked: RunningServer) -> None:
    """A stream has a window of 64 KB beyond the message being read, even for a fast client."""
    with Connection(attacked.address) as connection:
        assert connection.settle()[http2.INITIAL_WINDOW_SIZE] < 65_536


def test_a_call_without_a_message_is_invalid(attacked: RunningServer) -> None:
    """A request stream that ends without a message gets INVALID_ARGUMENT."""
    with Connection(attacked.address) as connection:
        connection.send(http2.opening(1, ends=True))
        invalid = grpc.StatusCode.INVALID_ARGUMENT.value[0]
        assert connection.status_of_first_call() == invalid


def test_unread_answers_pause_the_work(attacked: RunningServer) -> None:
    """While there is no room for an answer, nothing more is computed for its client."""
    request = StreamGenerateRequest(history="the", max_words=1000, seed=1).SerializeToString()
    path = "/wordgate.v1.PredictionService/StreamGenerate"
    no_room = http2.frame(http2.SETTINGS, payload=b"\x00\x04\x00\x00\x00\x00")
    with Connection(attacked.address, begins=False) as connection:
        connection.send(http2.PREFACE + no_room)
        for stream in range(1, 200, 2):
            connection.send(
                http2.opening(stream, path) + http2.sent(stream, http2.message(request))
            )
        until(lambda: _calls_under_way(attacked) == 100, "the calls")
        until(lambda: attacked.metric("wordgate_queued_rows") == 0, "the work to stop")


def test_large_unread_answers_time_out(attacked: RunningServer) -> None:
    """A score of a megabyte of blanks is sent back in full.

    A client without a window for it holds no memory, and blocks other large requests only briefly.
    """
    blanks = ScoreRequest(candidates=[Candidate(text=" " * 60_000 + "a")] * 17)
    body = blanks.SerializeToString()
    no_room = http2.frame(http2.SETTINGS, payload=b"\x00\x04\x00\x00\x00\x00")
    before = attacked.metric("process_resident_memory_bytes")
    with Connection(attacked.address, begins=False) as connection:
        connection.send(http2.PREFACE + no_room)
        with grpc.insecure_channel(attacked.address) as channel:
            _begin(attacked, connection, 2, SCORE, body)
            assert _code_of(channel, PREDICT, b"") is grpc.StatusCode.OK
            until(lambda: _calls_under_way(attacked) == 0, "the answers to be given up")
            assert _code_of(channel, SCORE, body) is grpc.StatusCode.OK
    assert attacked.metric("process_resident_memory_bytes") - before < 100_000_000


def test_unread_streams_hold_no_message_memory(attacked: RunningServer) -> None:
    """Streams whose requests were padded to a megabyte keep none of it."""
    request = StreamGenerateRequest(history="the", max_words=1000, seed=1).SerializeToString()
    padded = request + _field(15, 2, b"x" * 127) * 7900
    no_room = http2.frame(http2.SETTINGS, payload=b"\x00\x04\x00\x00\x00\x00")
    large = ScoreRequest(candidates=[Candidate(text="the " * 1000)] * 200).SerializeToString()
    with Connection(attacked.address, begins=False) as connection:
        connection.send(http2.PREFACE + no_room)
        _begin(attacked, connection, 6, "/wordgate.v1.PredictionService/StreamGenerate", padded)
        with grpc.insecure_channel(attacked.address) as channel:
            until(lambda: _code_of(channel, SCORE, large) is grpc.StatusCode.OK, "room")


def test_sessions_with_many_long_words_are_bounded(bundle: Path) -> None:
    """Their words take megabytes each.

    At some point such sessions are rejected, and plain sessions are not.
    """
    words = [f"{number:03}" + "\U0001d51e" * 60 for number in range(1000)]
    configuration = SessionConfiguration(options=SuggestionOptions(blocked_words=words))
    listed = StreamPredictRequest(configuration=configuration)
    with serving(bundle) as server, grpc.insecure_channel(server.address) as channel:
        before = server.metric("process_resident_memory_bytes")
        stub: Any = PredictionServiceStub(channel)
        held = threading.Event()

        def opened(first: StreamPredictRequest) -> Any:
            def messages() -> Iterator[StreamPredictRequest]:
                yield first
                yield StreamPredictRequest(sequence=1, text=SessionText(text="the "))
                held.wait()

            return stub.StreamPredict(messages())

        sessions = [opened(listed) for _ in range(150)]
        answered = list(map(_answered, sessions))
        assert any(answered)
        assert not all(answered)
        assert _answered(opened(StreamPredictRequest(configuration=SessionConfiguration())))
        assert server.metric("process_resident_memory_bytes") - before < 600_000_000
        held.set()


@pytest.mark.parametrize("turns", [300, pytest.param(10_000, marks=pytest.mark.long)])
def test_sequential_connections_leak_no_descriptors(attacked: RunningServer, turns: int) -> None:
    """Thousands of connections, one after another, leave no descriptor open."""
    before = attacked.metric("process_open_fds")
    for number in range(turns):
        with Connection(attacked.address, begins=bool(number % 2)) as connection:
            if number % 3 == 0:
                connection.send(http2.opening(1))
    until(lambda: attacked.metric("process_open_fds") <= before + 5, "the connections to close")


def test_more_connections_than_files(bundle: Path) -> None:
    """A server at its limit of open files continues to serve its connections, and HTTP."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    try:
        started = serving(bundle)
        server = started.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with Client(server.address) as client:
        client.predict("the")
        connections = [Connection(server.address) for _ in range(400)]
        assert client.predict("the").suggestions
        assert server.get("/livez")[0] == 200
        for connection in connections:
            connection.close()
    until(lambda: server.metric("process_open_fds") < 100, "the connections to close")
    with Client(server.address) as newcomer:
        assert newcomer.predict("the").suggestions
    started.__exit__(None, None, None)


@pytest.mark.long
def test_the_process_exits_if_grpc_terminates(bundle: Path) -> None:
    """If gRPC terminates unexpectedly, the process logs a line and exits, to be restarted."""
    options = ["--model", str(bundle), "--listen", "127.0.0.1:0", "--log-format", "json"]
    command = [sys.executable, "-c", UNGUARDED, *options, "--metrics-listen", ""]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    address = line.split('"grpc": "')[1].split('"')[0]
    with Connection(address) as connection:
        connection.send(http2.opening(1, "/\xffsecret") + http2.sent(1, http2.message(b"")))
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "gRPC terminated unexpectedly" in said
    assert "secret" not in said


def _calls_under_way(server: RunningServer) -> float:
    return server.metrics_page().calls_in_progress


def _page_without_calls(server: RunningServer) -> MetricsPage | None:
    """Return the metrics if no call is in progress."""
    page = server.metrics_page()
    return None if page.calls_in_progress else page


def _begin(
    server: RunningServer, connection: Connection, calls: int, path: str, body: bytes
) -> None:
    """Send a large message until `calls` calls that send it are in progress.

    A message is rejected while the memory of earlier ones is in use.
    """
    streams = itertools.count(1, 2)

    def are_enough() -> bool:
        enough = _calls_under_way(server) >= calls
        if not enough:
            connection.send_message(next(streams), path, body)
        return enough

    until(are_enough, "the calls to be under way")


def _answered(call: Any) -> bool:
    """Return True if a session's first text is answered, False if it is rejected for its memory."""
    try:
        next(call)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # noqa: PT017
        return False
    return True


def _open_watches(server: RunningServer) -> float:
    page, labels = server.metrics_page(), {"grpc_method": "Watch"}
    started = page.sum("grpc_server_started_total", **labels)
    return started - page.sum("grpc_server_handled_total", **labels)


def _ask(channel: grpc.Channel, path: str) -> Any:
    return channel.unary_unary(path)


def _code_of(channel: grpc.Channel, path: str, body: bytes) -> grpc.StatusCode:
    """Return the status code of a call that sends this one message."""
    method: Any = channel.stream_stream(path)
    call = method(iter([body]), timeout=60)
    with suppress(grpc.RpcError):
        list(call)
    code: grpc.StatusCode = call.code()
    return code


def _random_frame(noise: random.Random) -> bytes:
    kind, flags, stream = noise.randint(0, 12), noise.randint(0, 255), noise.randint(0, 9)
    return http2.frame(kind, flags, stream, noise.randbytes(noise.randint(0, 60)))


def _random_fields(noise: random.Random, numbers: list[int]) -> Any:
    """Return messages with the right fields and random contents."""

    def made(size: int) -> bytes:
        fields = b""
        while len(fields) < size:
            content = noise.choice((noise.randbytes(noise.randint(0, 30)), b"the clouds"))
            fields += _field(noise.choice(numbers), noise.choice((0, 1, 2, 5)), content)
        return fields

    return made


def _field(number: int, kind: int, content: bytes) -> bytes:
    low = number << 3 & 0x7F | kind
    tag = bytes([low]) if number < 16 else bytes([low | 0x80, number >> 4])
    sizes = {0: bytes([len(content)]), 1: content.ljust(8)[:8], 5: content.ljust(4)[:4]}
    return tag + sizes.get(kind, bytes([len(content)]) + content)
