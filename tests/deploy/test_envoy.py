"""Replicas behind Envoy with the project's configuration."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tests.deploy.load import WARM_CALLS, load
from tests.deploy.programs import document
from tests.deploy.proxy import CONFIGURATION, Proxy, connection_manager, envoy, proxying
from tests.protocol_methods import methods
from tests.running import RunningServer, serving, until
from tests.server import http2
from tests.server.http2 import Connection
from tests.server.requests import HISTORIES, Conversation, configured, refusal, text

from wordgate.api.v1.prediction_pb2 import PredictRequest
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.client import AsyncClient, Client
from wordgate.client.retry_policy import SERVICE_CONFIG
from wordgate.errors import Unavailable

IDLE_SECONDS = 620
"""More than ten minutes: by default Envoy ends idle streams after five, and many networks drop idle
connections after ten."""

MAX_CONNECTIONS = 5
ATTACKS = 10

Replicas = tuple[RunningServer, RunningServer]


@pytest.fixture
def replicas(bundle: Path) -> Iterator[Replicas]:
    """Two servers with the same model, which tests may kill."""
    envoy()
    with serving(bundle) as one, serving(bundle) as other:
        yield one, other


@pytest.fixture
def proxy(replicas: Replicas, tmp_path: Path) -> Iterator[Proxy]:
    """Envoy in front of both replicas."""
    with proxying([replica.address for replica in replicas], tmp_path / "envoy") as running:
        yield running


@pytest.fixture(scope="module")
def shared_replicas(bundle: Path) -> Iterator[Replicas]:
    """Two servers with the same model, which no test kills."""
    envoy()
    with serving(bundle) as one, serving(bundle) as other:
        yield one, other


@pytest.fixture(scope="module")
def shared_proxy(
    shared_replicas: Replicas, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """Envoy in front of the shared replicas."""
    addresses = [replica.address for replica in shared_replicas]
    with proxying(addresses, tmp_path_factory.mktemp("envoy")) as running:
        yield running


def predictions(server: RunningServer) -> float:
    """Return the number of predictions of a server."""
    return server.metric("grpc_server_started_total", grpc_method="Predict")


def counted(replicas: Replicas) -> list[float]:
    """Return the number of predictions of each replica."""
    return [predictions(replica) for replica in replicas]


def test_envoy_takes_the_configuration() -> None:
    """Envoy validates the project's configuration."""
    command = [envoy(), "--mode", "validate", "-c", str(CONFIGURATION)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-2000:]


def test_calls_of_one_connection_are_spread(shared_replicas: Replicas, shared_proxy: Proxy) -> None:
    """Calls over a single client connection reach both replicas."""
    before = counted(shared_replicas)
    with Client(shared_proxy.address) as client:
        for history in HISTORIES * 8:
            client.predict(history)
    one, other = np.subtract(counted(shared_replicas), before)
    assert min(one, other) > 5
    assert one + other == 8 * len(HISTORIES)


def test_a_request_keeps_one_id_on_its_way(shared_proxy: Proxy) -> None:
    """Envoy sets a request id unless the client did; the server returns it with errors."""
    with grpc.insecure_channel(shared_proxy.address) as channel:
        stub, request = PredictionServiceStub(channel), PredictRequest(model="none-such")
        for headers, expected in (((), "[0-9a-f-]{36}"), ((("x-request-id", "mine"),), "mine")):
            ended = refusal(lambda sent=headers: stub.Predict(request, metadata=sent))  # type: ignore[misc]
            assert re.fullmatch(expected, dict(ended.trailing_metadata())["x-request-id"])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("way", ["proxy", "direct"])
def test_no_call_fails_when_a_replica_goes(
    replicas: Replicas, request: pytest.FixtureRequest, way: str, number: int
) -> None:
    """A replica killed or drained under load causes no failed calls, with and without Envoy."""
    addresses = ",".join(replica.address for replica in replicas)
    address = request.getfixturevalue("proxy").address if way == "proxy" else f"ipv4:{addresses}"
    with load(address) as calling:
        calling.more(WARM_CALLS)
        assert all(predictions(replica) for replica in replicas)
        replicas[0].process.send_signal(number)
        calling.more(10 * WARM_CALLS)
    assert replicas[0].wait() == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    assert calling.are_all_alike


def test_a_replica_that_comes_back_is_asked_again(
    replicas: Replicas, proxy: Proxy, bundle: Path
) -> None:
    """Envoy detects replicas that stop and start."""
    gone = replicas[0]
    gone.process.kill()
    gone.wait()
    until(lambda: proxy.healthy == 1, "the loss to be noticed")
    with serving(bundle, "--listen", gone.address) as back, Client(proxy.address) as client:
        until(lambda: proxy.healthy == 2, "the return to be noticed")
        until(lambda: [client.predict("the")] and predictions(back), "a call")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_session_goes_on_at_another_replica(
    replicas: Replicas, proxy: Proxy, number: int
) -> None:
    """A session ends with UNAVAILABLE; reopened with its text, it gives bit-identical results."""
    typed = "the clouds are in the s"
    async with AsyncClient(proxy.address) as client:
        async with client.typing_session() as session:
            before = await session.suggest(typed)
            [here] = [r for r in replicas if r.metric("wordgate_open_sessions")]
            here.process.send_signal(number)
            with pytest.raises(Unavailable):
                await session.wait_for(before.sequence + 1)
        async with client.typing_session() as another:
            assert await another.suggest(typed) == before


def test_an_idle_session_is_not_cut(shared_replicas: Replicas, tmp_path: Path) -> None:
    """An idle session survives, although another proxy with a short idle timeout ends one."""
    addresses = [replica.address for replica in shared_replicas]
    with (
        proxying(addresses, tmp_path / "ours") as ours,
        proxying(addresses, tmp_path / "short", _impatient) as impatient,
        _session(ours) as kept,
        _session(impatient) as cut,
    ):
        first = kept.ask(text(1, "the clo"))
        cut.ask(text(1, "the clo"))
        refusal(cut.next)
        assert kept.ask(text(2, "the clo")).suggestions == first.suggestions


def test_headers_that_swell_end_at_the_proxy(
    shared_replicas: Replicas, shared_proxy: Proxy
) -> None:
    """Headers that expand thousands of times (HPACK bomb) do not reach replicas."""
    before = sum(counted(shared_replicas))
    large = b"\x40" + http2.string(b"x") + http2.string(b"y" * 4000)
    with Client(shared_proxy.address) as other:
        for _ in range(20):
            with Connection(shared_proxy.address) as connection:
                headers = http2.packed(http2.call(http2.PREDICT)) + large + b"\xbe" * 8000
                connection.send(http2.frame(http2.HEADERS, http2.END_HEADERS, 1, headers))
                connection.wait_for_reset(1)
            assert other.predict("the").suggestions
    assert sum(counted(shared_replicas)) - before == 20


def test_calls_that_are_taken_back_at_once_end_at_the_proxy(
    shared_replicas: Replicas, shared_proxy: Proxy
) -> None:
    """Rapid reset: the connection is closed and few calls reach a replica."""
    before = sum(counted(shared_replicas))
    reset = [http2.frame(http2.RST_STREAM, 0, stream, bytes(4)) for stream in range(1, 2000, 2)]
    opened = [http2.opening(stream) for stream in range(1, 2000, 2)]
    attack = b"".join(begun + taken for begun, taken in zip(opened, reset, strict=True))
    with Client(shared_proxy.address) as other:
        for _ in range(ATTACKS):
            with Connection(shared_proxy.address) as connection:
                connection.send(attack)
                assert connection.is_closed
            assert other.predict("the").suggestions
    assert shared_proxy.count("http.grpc.downstream_rq_too_many_premature_resets") == ATTACKS
    assert sum(counted(shared_replicas)) - before < ATTACKS * len(reset) / 20


def test_connections_beyond_the_limit_are_turned_away(
    shared_replicas: Replicas, tmp_path: Path
) -> None:
    """Existing connections keep working; new ones are accepted when there is room again."""
    addresses = [replica.address for replica in shared_replicas]
    with proxying(addresses, tmp_path / "small", _small) as proxy, Client(proxy.address) as client:
        expected = client.predict("the")
        kept = [Connection(proxy.address) for _ in range(MAX_CONNECTIONS - 1)]
        for connection in kept:
            connection.settle()
        with Connection(proxy.address) as beyond:
            assert beyond.is_closed
        assert client.predict("the") == expected
        for connection in kept:
            connection.close()
        with Client(proxy.address) as newcomer:
            until(lambda: _answers(newcomer), "room for a newcomer")


def test_nothing_ends_an_open_stream() -> None:
    """All timeouts that could end a stream are disabled."""
    configuration = document(CONFIGURATION)
    manager = connection_manager(configuration)
    [host] = manager["route_config"]["virtual_hosts"]
    assert manager["stream_idle_timeout"] == "0s"
    assert manager["request_timeout"] == "0s"
    assert [route["route"]["timeout"] for route in host["routes"]] == ["0s", "0s"]
    forbidden = ("max_stream_duration", "max_connection_duration", "'idle_timeout'")
    written = str([manager, configuration["static_resources"]["clusters"]])
    assert not [name for name in forbidden if name in written]


def test_envoy_repeats_what_is_wordgates() -> None:
    """The first route matches all methods of the protocol and has the clients' retry policy."""
    [host] = connection_manager(document(CONFIGURATION))["route_config"]["virtual_hosts"]
    repeated = host["routes"][0]
    assert all(path.startswith(repeated["match"]["prefix"]) for path, _ in methods())
    codes = set(repeated["route"]["retry_policy"]["retry_on"].split(","))
    [policy] = json.loads(SERVICE_CONFIG)["methodConfig"]
    assert {code.lower() for code in policy["retryPolicy"]["retryableStatusCodes"]} <= codes


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_session_outlives_ten_minutes_of_silence(shared_proxy: Proxy) -> None:
    """After more than ten idle minutes, a session still gets responses."""
    with _session(shared_proxy) as session:
        first = session.ask(text(1, "the clo"))
        time.sleep(IDLE_SECONDS)
        assert session.ask(text(2, "the clo")).suggestions == first.suggestions


@contextmanager
def _session(proxy: Proxy) -> Iterator[Conversation]:
    with (
        grpc.insecure_channel(proxy.address) as channel,
        Conversation(PredictionServiceStub(channel), configured()) as session,
    ):
        yield session


def _small(configuration: Any) -> None:
    [monitor] = configuration["overload_manager"]["resource_monitors"]
    monitor["typed_config"]["max_active_downstream_connections"] = MAX_CONNECTIONS


def _answers(client: Client) -> bool:
    try:
        return bool(client.predict("the").suggestions)
    except Unavailable:
        return False


def _impatient(configuration: Any) -> None:
    connection_manager(configuration)["stream_idle_timeout"] = "0.5s"
