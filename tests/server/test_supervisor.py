"""Several server processes on one port."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from tests.running import RunningServer, serving, until
from tests.server.requests import long_score, refusal, worker_pids

from wordgate.api.v1 import prediction_pb2
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub
from wordgate.client import Client
from wordgate.protocol.limits import Limits
from wordgate.server.telemetry.merged_metrics import MergedMetrics

_CODES = {"grpc_method": "Predict", "grpc_code": "OK"}
_HANDLED = "grpc_server_handled_total"


@pytest.fixture(scope="module")
def workers(bundle: Path) -> Iterator[RunningServer]:
    """Two workers behind a proxy that does not exist. Shared: tests must leave two running."""
    limits = ["--max-sessions", "7", "--max-rescore-streams", "4", "--max-generation-streams", "1"]
    variables = {"http_proxy": "http://127.0.0.1:1", "no_proxy": ""}
    with serving(bundle, "--workers", "2", *limits, variables=variables) as running:
        yield running


def _predict(server: RunningServer, times: int) -> None:
    """Send requests on separate connections, which the kernel distributes among the workers."""
    for number in range(times):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.primary_user_agent", str(number))]
        with grpc.insecure_channel(server.address, options=options) as channel:
            request = prediction_pb2.PredictRequest(history="the sun")
            PredictionServiceStub(channel).Predict(request, wait_for_ready=True)


def test_the_metrics_of_all_workers_are_merged(workers: RunningServer) -> None:
    """Calls on many connections are counted once each, by whichever worker answered them."""
    before = workers.metric(_HANDLED, **_CODES)
    _predict(workers, 20)
    assert workers.metric(_HANDLED, **_CODES) == before + 20
    labels = {"model": "tiny", "version": "1"}
    assert workers.metric("wordgate_model_info", **labels) == 1
    assert workers.get("/readyz")[0] == 200


def test_worker_metrics_bypass_the_proxy(workers: RunningServer) -> None:
    """Workers are on this machine, so a proxy in the environment is ignored."""
    variables = Path(f"/proc/{workers.process.pid}/environ").read_bytes().split(b"\0")
    assert b"http_proxy=http://127.0.0.1:1" in variables
    assert workers.metric("wordgate_model_info") == 1


def test_limits_are_divided(workers: RunningServer) -> None:
    """A worker enforces and reports its share of the limits, rounded up."""
    with Client(workers.address) as client:
        limits = client.get_server().limits
    assert limits["max_sessions"] == 4
    assert limits["max_rescore_streams"] == 2
    assert limits["max_generation_streams"] == 1
    assert limits["max_queued_rows"] == Limits().max_queued_rows / 2


def _are_two_without(server: RunningServer, gone: int) -> bool:
    pids = worker_pids(server)
    return len(pids) == 2 and gone not in pids


def test_a_killed_worker_is_restarted(workers: RunningServer) -> None:
    """The other worker continues, counts are kept, and two workers answer again."""
    _predict(workers, 4)
    before = workers.metric(_HANDLED, **_CODES)
    first, second = worker_pids(workers)
    subprocess.run(["kill", "-KILL", str(first)], check=True)
    until(
        lambda: len(worker_pids(workers)) == 2 and first not in worker_pids(workers),
        "another worker",
    )
    assert second in worker_pids(workers)
    _predict(workers, 10)
    until(lambda: workers.metric(_HANDLED, **_CODES) == before + 10, "all to be counted")
    until(
        lambda: (
            workers.metric("process_start_time_seconds") > 0
            and workers.output.count("worker serving") >= 3
        ),
        "the new worker to serve",
    )
    until(lambda: workers.metric("wordgate_workers") == 2, "two to take calls")
    assert "worker exited; restarting it" in workers.output


def test_a_second_server_on_the_port_fails_loudly(workers: RunningServer, bundle: Path) -> None:
    """Only workers of the same server may share the port."""
    for number in ("1", "2"):
        other = RunningServer(bundle, "--listen", workers.address, "--workers", number)
        assert other.wait() == 2
        assert "cannot listen" in other.output


def test_sigterm_ends_all(bundle: Path) -> None:
    """Workers drain, the parent exits with 0, and no process is left."""
    with serving(bundle, "--workers", "2") as server:
        pids = worker_pids(server)
        server.terminate()
        assert server.wait() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_server_can_be_started_again_at_once(bundle: Path) -> None:
    """Connections of the stopped server do not block the address."""
    with serving(bundle, "--workers", "2") as first:
        with grpc.insecure_channel(first.address) as channel:
            request = prediction_pb2.PredictRequest(history="the sun")
            PredictionServiceStub(channel).Predict(request)
            first.terminate()
            assert first.wait() == 0
        with serving(bundle, "--workers", "2", "--listen", first.address):
            pass


def test_workers_follow_a_server_of_one_process_at_once(bundle: Path) -> None:
    """Its connections, which did not share the port, do not block the address either."""
    with socket.create_server(("127.0.0.1", 0)) as alone:
        host, port = alone.getsockname()
        with socket.create_connection((host, port)):
            alone.accept()[0].close()  # the side that closes first keeps TIME_WAIT
    with serving(bundle, "--workers", "2", "--listen", f"{host}:{port}"):
        pass


def test_a_worker_that_hangs_is_killed_after_the_grace(bundle: Path) -> None:
    """SIGTERM ends the server even if a worker hangs."""
    with serving(bundle, "--workers", "2", "--shutdown-grace-seconds", "0.1") as server:
        hung, _ = worker_pids(server)
        subprocess.run(["kill", "-STOP", str(hung)], check=True)
        server.terminate()
        assert server.wait() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sighup_ends_nothing(workers: str) -> None:
    """SIGHUP is ignored if no folder is polled, and during start-up."""
    server = RunningServer(None, "--workers", workers)
    try:
        until(lambda: server.lines or worker_pids(server) or workers == "1", "the server to start")
        server.wait_until_serving()
        server.process.send_signal(signal.SIGHUP)
        _predict(server, 2)
        assert server.get("/readyz")[0] == 200
        server.terminate()
        assert server.wait() == 0
    finally:
        server.process.kill()
        server.wait()


def test_workers_end_with_their_parent(bundle: Path) -> None:
    """After a kill of the parent no worker stays on the port, not even to finish its calls."""
    with serving(bundle, "--workers", "2") as server:
        pids = worker_pids(server)
        assert len(pids) == 2
        with grpc.insecure_channel(server.address) as channel:
            in_flight = ScoringServiceStub(channel).Score.future(long_score())
            until(lambda: server.metric("wordgate_queued_rows") > 0, "the work to begin")
            server.process.send_signal(signal.SIGKILL)
            until(lambda: not any(_is_alive(pid) for pid in pids), "the workers to end")
            assert refusal(in_flight.result).code() is grpc.StatusCode.UNAVAILABLE


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_start_error_of_workers_is_reported_once(tmp_path: Path) -> None:
    """Exit code and line are those of a server without workers."""
    folder = tmp_path / "tiny" / "1"
    folder.mkdir(parents=True)
    (folder / "bundle.json").write_text("{")
    server = RunningServer(tmp_path, "--workers", "2")
    assert server.wait() == 4
    assert str(folder) in server.output
    assert "Traceback" not in server.output


def test_an_unreadable_bundle_is_reported_on_one_line(bundle: Path, tmp_path: Path) -> None:
    """A file system error is reported as by a server without workers."""
    folder = shutil.copytree(bundle, tmp_path / "tiny" / "1")
    (folder / "words.tsv").unlink()
    (folder / "words.tsv").mkdir()
    for workers in ("1", "2"):
        server = RunningServer(tmp_path, "--workers", workers)
        assert server.wait() in {3, 4}
        assert "words.tsv" in server.output
        assert "Traceback" not in server.output


def test_restarted_workers_keep_the_configuration(bundle: Path, tmp_path: Path) -> None:
    """A restarted worker has the configuration of the others, even if the file has changed."""
    file = tmp_path / "wordgate.toml"
    file.write_text("workers = 2\nmax_sessions = 8\n")
    with serving(bundle, "--config", str(file)) as server:
        file.write_text("max_sessions = ")
        for worker in worker_pids(server):
            subprocess.run(["kill", "-KILL", str(worker)], check=True)
        until(lambda: server.output.count("worker serving") == 4, "both to serve again")
        with Client(server.address) as client:
            assert client.get_server().limits["max_sessions"] == 4


def _page(count: int, open_now: int, seconds: float, started: float = 100) -> str:
    """Return the metrics page of a worker."""
    registry = CollectorRegistry()
    Counter("asked", "Asked.", ["kind"], registry=registry).labels("a").inc(count)
    Gauge("open", "Open.", registry=registry).set(open_now)
    Gauge("wordgate_model_info", "Served.", registry=registry).set(1)
    Gauge("process_start_time_seconds", "Started.", registry=registry).set(started)
    Histogram("took_seconds", "Took.", registry=registry, buckets=[1, 2]).observe(seconds)
    return generate_latest(registry).decode()


def test_pages_are_merged_by_kind() -> None:
    """Counters and histograms are summed permanently, gauges while their worker lives.

    A restarted worker shows as a restart of the server, which an alert counts.
    """
    merged = MergedMetrics()
    merged.update(0, _page(3, 2, 0.5))
    merged.update(1, _page(4, 5, 1.5))

    def value(name: str, **labels: str) -> float | None:
        found = [
            s for m in merged.collect() for s in m.samples if (s.name, s.labels) == (name, labels)
        ]
        return found[0].value if found else None

    assert value("asked_total", kind="a") == 7
    assert value("open") == 7
    assert value("wordgate_model_info") == 1
    assert value("took_seconds_bucket", le="1.0") == 1
    assert value("took_seconds_count") == 2
    merged.forget(0)
    assert value("asked_total", kind="a") == 7
    assert value("open") == 5
    assert value("process_start_time_seconds") == 100
    merged.update(0, _page(1, 1, 0.5, started=200))
    assert value("process_start_time_seconds") == 200
    assert value("asked_total", kind="a") == 8
    assert value("open") == 6
    assert value("took_seconds_sum") == 2.5
    for worker in (0, 1):
        merged.forget(worker)
    assert value("asked_total", kind="a") == 8
    assert value("open") is None
    assert b"asked_total" in generate_latest(merged)
