"""A server's lifecycle: start, drain, stop, and clients that disconnect."""

import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_status import rpc_status
from tests.running import RunningServer, serving, until
from tests.server.requests import configured, health_stub, long_score, refusal, text, texts

from wordgate.api.v1.prediction_pb2 import PredictRequest, StreamPredictRequest, SuggestionOptions
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.rescoring_pb2 import (
    NBest,
    NBestCandidate,
    RescoreConfiguration,
    StreamRescoreRequest,
    Utterance,
)
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub
from wordgate.client import Client
from wordgate.errors import Overloaded

VANISHING_CLIENT = """
import sys, grpc
from tests.server.requests import configured, long_score, text
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub
channel = grpc.insecure_channel(sys.argv[1])
def typed():
    yield configured()
    yield text(1, "the clo")
    print("typing", flush=True)
    sys.stdin.read()
scored = ScoringServiceStub(channel).Score.future(long_score())
list(PredictionServiceStub(channel).StreamPredict(typed()))
"""

TYPISTS = """
import sys, grpc
from threading import Barrier, Thread
from tests.server.requests import LONG_TO_READ, configured, text
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
channel = grpc.insecure_channel(sys.argv[1])
all_type = Barrier(6)
def typed():
    yield configured()
    yield text(1, LONG_TO_READ)
    all_type.wait()
    sys.stdin.read()
def converse():
    list(PredictionServiceStub(channel).StreamPredict(typed()))
for _ in range(5):
    Thread(target=converse, daemon=True).start()
all_type.wait()
print("typing", flush=True)
sys.stdin.read()
"""


def test_sigterm_drains(bundle: Path) -> None:
    """Accepted requests are answered, others get UNAVAILABLE, and the exit code is 0."""
    with serving(bundle) as server, grpc.insecure_channel(server.address) as channel:
        watch = health_stub(channel).Watch(HealthCheckRequest())
        assert next(watch).status == HealthCheckResponse.SERVING
        typing = _open_session(channel)
        score = ScoringServiceStub(channel).Score.future(long_score())
        until(lambda: server.metric("wordgate_queued_rows") > 0, "the work to begin")

        server.terminate()

        assert next(watch).status == HealthCheckResponse.NOT_SERVING
        assert server.get("/readyz")[0] == 503
        assert server.get("/livez")[0] == 200
        late = refusal(lambda: PredictionServiceStub(channel).Predict(PredictRequest()))
        assert late.code() is grpc.StatusCode.UNAVAILABLE
        assert refusal(lambda: next(typing)).code() is grpc.StatusCode.UNAVAILABLE
        assert not score.done()
        assert len(score.result().candidates) == 1000
        assert server.wait() == 0
        assert "Traceback" not in server.output


def test_the_grace_time_ends(bundle: Path) -> None:
    """Requests that outlast the grace are cancelled; the exit code is still 0."""
    options = ("--shutdown-grace-seconds", "0.05", "--metrics-listen", "")
    with serving(bundle, *options) as server, grpc.insecure_channel(server.address) as channel:
        typing = _open_session(channel)
        score = ScoringServiceStub(channel).Score.future(long_score())
        PredictionServiceStub(channel).Predict(PredictRequest())
        server.process.send_signal(signal.SIGINT)
        assert refusal(score.result).code() is not grpc.StatusCode.UNKNOWN
        assert refusal(lambda: next(typing)).code() is grpc.StatusCode.UNAVAILABLE
        assert server.wait() == 0
        assert "Traceback" not in server.output


def test_a_second_start_on_the_port_fails_loudly(server: RunningServer, bundle: Path) -> None:
    """The port is not shared: the second server logs one line and exits, the first continues."""
    second = RunningServer(bundle, "--listen", server.address)
    assert second.wait() == 2
    assert f"listen: cannot listen on {server.address}" in second.output
    assert len(second.lines) == 1
    assert server.get("/readyz")[0] == 200


def test_a_second_start_on_the_http_port_fails_loudly(server: RunningServer, bundle: Path) -> None:
    """A server on an occupied metrics port logs one line and exits."""
    second = RunningServer(bundle, "--metrics-listen", server.metrics_address)
    assert second.wait() == 2
    assert f"--metrics-listen: cannot listen on {server.metrics_address}" in second.output
    assert "Traceback" not in second.output


def test_a_corrupt_bundle_is_rejected(bundle: Path, tmp_path: Path) -> None:
    """A server does not start with a corrupt bundle; the error names the file."""
    spoiled = shutil.copytree(bundle, tmp_path / "tiny" / "1")
    with (spoiled / "step.onnx").open("ab") as file:
        file.write(b"\0")
    started = RunningServer(spoiled)
    assert started.wait() == 4
    assert "step.onnx" in started.output
    assert "Traceback" not in started.output


def test_pages_over_http(server: RunningServer) -> None:
    """A ready server is alive and ready; unknown pages do not exist."""
    assert server.get("/livez") == (200, "alive\n")
    assert server.get("/readyz") == (200, "ready\n")
    assert server.get("/")[0] == 404


def test_a_server_is_alive_before_it_is_ready() -> None:
    """While the model loads, the server is alive and not ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        http = f"127.0.0.1:{free.getsockname()[1]}"
    server = RunningServer(None, "--metrics-listen", http)
    try:
        server.metrics_address = http
        alive, ready = until(lambda: _life(server), "a page")
        assert (alive, ready) == ((200, "alive\n"), (503, "not ready\n"))
        server.wait_until_serving()
        assert server.get("/readyz") == (200, "ready\n")
    finally:
        server.process.kill()
        server.wait()


def _life(server: RunningServer) -> tuple[tuple[int, str], tuple[int, str]] | None:
    try:
        return server.get("/livez"), server.get("/readyz")
    except OSError:
        return None


def test_a_client_that_vanishes_leaves_nothing_behind(server: RunningServer) -> None:
    """The work of a killed client is dropped soon after."""
    command = [sys.executable, "-c", VANISHING_CLIENT, server.address]
    client = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert client.stdout is not None
    assert client.stdout.readline() == b"typing\n"
    until(lambda: server.metric("wordgate_open_sessions") == 1, "the session")
    until(lambda: server.metric("wordgate_queued_rows") > 0, "the work to begin")
    client.kill()
    client.communicate()
    until(lambda: server.metric("wordgate_open_sessions") == 0, "the session to end")
    until(lambda: server.metric("wordgate_queued_rows") == 0, "the work to be dropped")
    until(
        lambda: (
            server.metric("grpc_server_started_total") == server.metric("grpc_server_handled_total")
        ),
        "all calls to be over",
    )


def test_typists_that_are_killed_leave_no_session_behind(bundle: Path) -> None:
    """Sessions of killed clients end, and their searches are dropped."""
    with serving(bundle, "--state-cache-bytes", "100000") as server:
        command = [sys.executable, "-c", TYPISTS, server.address]
        client = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        assert client.stdout is not None
        assert client.stdout.readline() == b"typing\n"
        until(lambda: server.metric("wordgate_open_sessions") == 5, "the sessions")
        until(lambda: server.metric("wordgate_model_rows_total") > 0, "the searches to begin")
        client.kill()
        client.communicate()
        until(lambda: server.metric("wordgate_open_sessions") == 0, "the sessions to end")
        until(lambda: server.metric("wordgate_queued_rows") == 0, "no row to wait")
        until(
            lambda: server.metric("wordgate_jobs_dropped_total", reason="cancelled") == 5,
            "the searches to be dropped",
        )
        assert server.metric("wordgate_state_cache_bytes") <= 100_000


def test_histories_and_candidates_are_not_logged(bundle: Path) -> None:
    """Neither accepted nor rejected user text appears in the log."""
    with serving(bundle) as server, grpc.insecure_channel(server.address) as channel:
        stub = PredictionServiceStub(channel)
        stub.Predict(PredictRequest(history="my secret"))
        refusal(
            lambda: stub.Predict(
                PredictRequest(history="my secret", options=SuggestionOptions(max_suggestions=999))
            )
        )
        refusal(lambda: stub.Predict(PredictRequest(model="my secret")))
        server.terminate()
        assert server.wait() == 0
        assert "secret" not in server.output


def test_sessions_above_the_limit_are_rejected(bundle: Path) -> None:
    """They get RESOURCE_EXHAUSTED; a session is accepted again after another one has ended."""
    options = ("--max-sessions", "1")
    with serving(bundle, *options) as server, grpc.insecure_channel(server.address) as channel:
        first = _open_session(channel)
        error = refusal(lambda: _open_session(channel))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        first.cancel()
        until(lambda: server.metric("wordgate_open_sessions") == 0, "the session to end")
        _open_session(channel).cancel()


@pytest.mark.parametrize("limit", ["concurrent-rpcs", "rescore-streams"])
def test_calls_above_each_limit_are_rejected(bundle: Path, limit: str) -> None:
    """Each kind of call has a configurable limit; above it, the error has a retry delay."""
    begin = {"concurrent-rpcs": _open_session, "rescore-streams": _open_rescoring}[limit]
    options = (f"--max-{limit}", "1")
    with serving(bundle, *options) as server, grpc.insecure_channel(server.address) as channel:
        first = begin(channel)
        error = refusal(lambda: begin(channel))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "google.rpc.RetryInfo" in str(rpc_status.from_call(error))
        assert health_stub(channel).Check(HealthCheckRequest()).status
        first.cancel()
        until(lambda: _is_open(begin, channel), "room for another")


def _is_open(begin: Callable[[grpc.Channel], Any], channel: grpc.Channel) -> bool:
    try:
        begin(channel).cancel()
    except grpc.RpcError:
        return False
    return True


def _open_rescoring(channel: grpc.Channel) -> Any:
    """Open a rescoring stream that has answered one utterance."""
    requests: SimpleQueue[StreamRescoreRequest] = SimpleQueue()
    n_best = NBest(candidates=[NBestCandidate(text="the sun")])
    requests.put(StreamRescoreRequest(configuration=RescoreConfiguration()))
    requests.put(StreamRescoreRequest(sequence=1, utterance=Utterance(n_best=n_best)))
    call = ScoringServiceStub(channel).StreamRescore(iter(requests.get, None))
    assert next(call).sequence == 1
    return call


def test_a_session_ends_after_its_lifetime(bundle: Path) -> None:
    """It ends with UNAVAILABLE, upon which clients open a new session."""
    options = ("--max-session-seconds", "1")
    with serving(bundle, *options) as server, grpc.insecure_channel(server.address) as channel:
        old = _open_session(channel)
        error = refusal(lambda: next(old))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert "open a new session" in error.details()
        _open_session(channel).cancel()
        until(lambda: server.metric("wordgate_open_sessions") == 0, "no session to be left")


def test_a_full_queue_rejects_at_once(bundle: Path) -> None:
    """Above the limit of queued rows, requests get a retry delay; queued ones are answered."""
    options = ("--max-queued-rows", "1")
    with serving(bundle, *options) as server, Client(server.address) as client:
        accepted = client.submit_score("", texts(1000, 40))
        until(lambda: server.metric("wordgate_queued_rows") > 1, "the queue to fill")
        # Between two model requests of the one call, no row is queued for a moment.
        refused = until(lambda: _overload(client), "a refusal")
        assert refused.retry_after_seconds > 0
        assert client.predict("the").suggestions, "bulk work keeps no prediction out"
        assert len(accepted.result().candidates) == 1000
        assert client.predict("the").suggestions


def _overload(client: Client) -> Overloaded | None:
    try:
        client.score("", ["the"])
    except Overloaded as error:
        return error
    return None


def _open_session(channel: grpc.Channel) -> Any:
    """Open a typing session that was answered once."""
    requests: SimpleQueue[StreamPredictRequest] = SimpleQueue()
    for request in (configured(), text(1, "the clo")):
        requests.put(request)
    call = PredictionServiceStub(channel).StreamPredict(iter(requests.get, None))
    assert next(call).sequence == 1
    return call
