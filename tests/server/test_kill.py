"""A server that is killed, and the one started in its place."""

import hashlib
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from tests.deploy.load import WARM_CALLS, load
from tests.running import RunningServer, serving, until
from tests.server.requests import Conversation, configured, long_score, refusal, text, worker_pids

from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub
from wordgate.bundle.bundled_model import bundled_model_path
from wordgate.client import Client
from wordgate.engine.results import ScoreResult
from wordgate.errors import Unavailable

TYPED = "I will be there in a few min"


@pytest.mark.long
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_server_is_back_as_it_was(workers: str, tmp_path: Path) -> None:
    """After a kill during calls and a restart on the same ports, it answers the same bits.

    Neither the model's files nor the folders where it might write have changed.
    """
    for name in ("TMPDIR", "HOME"):
        (tmp_path / name).mkdir()
    options = ["--workers", workers]
    variables = {name: str(tmp_path / name) for name in ("TMPDIR", "HOME")}
    before = _digests(bundled_model_path())
    with (
        serving(None, *options, variables=variables) as first,
        grpc.insecure_channel(first.address) as channel,
        _session(channel) as session,
    ):
        answered = session.ask(text(1, TYPED))
        scored = _scored(first)
        in_flight = ScoringServiceStub(channel).Score.future(long_score())
        until(lambda: first.metric("wordgate_queued_rows") > 0, "the work to begin")
        first.process.send_signal(signal.SIGKILL)
        first.wait()
        options += ["--listen", first.address, "--metrics-listen", first.metrics_address]
        with serving(None, *options, variables=variables) as again:
            assert refusal(in_flight.result).code() is grpc.StatusCode.UNAVAILABLE
            assert refusal(session.next).code() is grpc.StatusCode.UNAVAILABLE
            assert again.get("/readyz")[0] == 200
            with _session(channel) as reopened:
                assert reopened.ask(text(1, TYPED)) == answered
            assert _scored(again) == scored
            again.terminate()
            assert again.wait() == 0
    assert _digests(bundled_model_path()) == before
    assert [path for name in variables for path in (tmp_path / name).rglob("*")] == []


def test_a_client_reconnects_after_a_restart(bundle: Path) -> None:
    """A client that stayed open is answered, or gets `Unavailable` until then."""
    with serving(bundle) as first, Client(first.address) as client:
        expected = client.predict("the")
        first.process.kill()
        first.wait()
        with pytest.raises(Unavailable):
            client.predict("the")
        with serving(bundle, "--listen", first.address):
            until(lambda: _is_answered(client), "an answer")
            assert client.predict("the") == expected


@pytest.mark.long
def test_no_call_fails_when_a_worker_is_killed(bundle: Path) -> None:
    """Workers are killed one after another under load on many connections.

    The clients' retry policy answers all calls, and two workers serve again.
    """
    with serving(bundle, "--workers", "2") as server, ExitStack() as loaded:
        callers = [loaded.enter_context(load(server.address)) for _ in range(4)]
        for caller in callers:
            caller.more(WARM_CALLS)
        for number, pid in enumerate(worker_pids(server), start=3):
            subprocess.run(["kill", "-KILL", str(pid)], check=True)
            for caller in callers:
                caller.more(WARM_CALLS)
            _has_begun(server, number)
        for caller in callers:
            caller.more(WARM_CALLS)
    assert all(caller.are_all_alike for caller in callers)


def _scored(server: RunningServer) -> ScoreResult:
    with Client(server.address) as client:
        return client.score("see you", ["later", "tomorrow"])


def _has_begun(server: RunningServer, workers: int) -> None:
    until(lambda: server.output.count("worker serving") == workers, "another worker to serve")


def _is_answered(client: Client) -> bool:
    try:
        return bool(client.predict("the").suggestions)
    except Unavailable:
        return False


def _session(channel: grpc.Channel) -> Conversation:
    return Conversation(PredictionServiceStub(channel), configured())


def _digests(folder: Path) -> dict[str, str]:
    """Return the digests of the files below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
