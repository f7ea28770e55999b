"""Hot reloading of model versions while the server answers."""

import json
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from tests.bundles import rewrite_manifest, write_bundle
from tests.running import RunningServer, serving, until
from tests.server.requests import Conversation, configured, text

from wordgate.api.v1 import models_pb2, models_pb2_grpc, prediction_pb2, scoring_pb2
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub
from wordgate.bundle.bundled_model import bundled_model_path
from wordgate.client import Client
from wordgate.errors import ModelNotFound

_RELOADS = 40
_MAX_GROWTH_BYTES = 16 << 20
"""Of the least memory in ten reloads, over 25 more: 1/20 of the model's size per reload."""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with the first version."""
    write_bundle(tmp_path, version=1, layers=1, width=16)
    return tmp_path


@pytest.fixture
def swapping(models: Path) -> Iterator[RunningServer]:
    """A server of the folder that polls on SIGHUP only and retires versions soon."""
    with serving(models, "--model-poll-seconds", "0", "--version-retire-seconds", "0.2") as running:
        yield running


def _publish(models: Path, version: int) -> None:
    """Publish a version with other weights."""
    write_bundle(models, version=version, seed=version, layers=1, width=16)


def _look(server: RunningServer) -> None:
    server.process.send_signal(signal.SIGHUP)


def _served(server: RunningServer) -> list[str]:
    with grpc.insecure_channel(server.address) as channel:
        answer = models_pb2_grpc.ModelServiceStub(channel).ListModels(
            models_pb2.ListModelsRequest()
        )
    return [f"{model.version.name}@{model.version.version}" for model in answer.models]


def _swap_to(server: RunningServer, models: Path, version: int) -> None:
    _publish(models, version)
    _look(server)
    until(lambda: _served(server) == [f"tiny@{version}"], f"version {version} to be served")


def _events(server: RunningServer, name: str) -> list[dict[str, str]]:
    found = [json.loads(line) for line in server.lines if line.startswith("{")]
    return [line for line in found if line["event"] == name]


def test_a_new_version_answers_and_the_old_one_retires(
    swapping: RunningServer, models: Path
) -> None:
    """The name selects the new version at once.

    The old version stays available until it is retired.
    """
    with Client(swapping.address) as client:
        assert client.predict("the").model.version == "1"
        _swap_to(swapping, models, 2)
        assert client.predict("the").model.version == "2"
    until(lambda: _events(swapping, "version retired"), "version 1 to retire")
    with Client(swapping.address, model="tiny@1") as client, pytest.raises(ModelNotFound):
        client.predict("the")
    labels = {"model": "tiny", "precision": "int8"}
    assert swapping.metric("wordgate_model_info", version="1", **labels) == 0
    assert swapping.metric("wordgate_model_info", version="2", **labels) == 1
    assert swapping.metric("wordgate_model_reloads_total") == 1


def test_removing_the_newest_version_rolls_back(swapping: RunningServer, models: Path) -> None:
    """A version is rolled back by removing its folder."""
    _swap_to(swapping, models, 2)
    shutil.rmtree(models / "tiny" / "2")
    _look(swapping)
    until(lambda: _served(swapping) == ["tiny@1"], "version 1 to be served again")


def test_no_bundled_model_replaces_a_removed_folder_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path that is also a bundled name stays the folder that it was at the start."""
    write_bundle(tmp_path, name="en", version=7, layers=1, width=16)
    monkeypatch.chdir(tmp_path)
    with serving(Path("en"), "--model-poll-seconds", "0") as server:
        shutil.rmtree("en")
        _look(server)
        until(lambda: "does not exist" in server.output, "the missing folder to be logged")
        assert _served(server) == ["en@7"]


def test_a_session_goes_on_with_the_new_version(swapping: RunningServer, models: Path) -> None:
    """A session without a version switches over, and its text is read before the next key.

    A pinned session ends when its version is retired.
    """
    with grpc.insecure_channel(swapping.address) as channel:
        stub = PredictionServiceStub(channel)
        with (
            Conversation(stub, configured()) as free,
            Conversation(stub, configured(model="tiny@1")) as pinned,
        ):
            assert free.ask(text(1, "the clouds are in the ")).model.version == "1"
            assert pinned.ask(text(1, "the clouds ")).model.version == "1"
            _swap_to(swapping, models, 2)
            read = {"kind": "step", "priority": "normal"}
            until(lambda: swapping.metric("wordgate_model_rows_total", **read) >= 6, "its reading")
            answer = free.ask(text(2, "the clouds are in the s"))
            assert answer.model.version == "2"
            with pytest.raises(grpc.RpcError) as ended:
                next(pinned._answers)
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    with serving(models / "tiny" / "2") as fresh, Client(fresh.address) as client:
        expected = client.predict("the clouds are in the ", "s").suggestions
    assert [s.log_prob for s in answer.suggestions] == [s.log_prob for s in expected]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: (folder / "embedding.bin").unlink(), "missing_file"),
        (lambda folder: (folder / "step.onnx").write_bytes(b"no graph"), "checksum"),
        (lambda folder: (folder / "extra").write_bytes(b""), "foreign_file"),
        (lambda folder: (folder / "bundle.json").write_text("{"), "manifest"),
    ],
    ids=["truncated", "mis-hashed", "foreign", "no manifest"],
)
def test_an_invalid_bundle_is_rejected_and_the_old_version_stays(
    swapping: RunningServer, models: Path, spoil: "object", reason: str
) -> None:
    """Log and metric have the reason, once per signal; after a repair it is served."""
    assert callable(spoil)
    _publish(models, 2)
    spoil(models / "tiny" / "2")
    _look(swapping)
    labels = {"reason": reason}
    failures = "wordgate_model_load_failures_total"
    until(lambda: swapping.metric(failures, **labels) == 1, "the refusal")
    assert _served(swapping) == ["tiny@1"]
    [refusal] = _events(swapping, "bundle rejected; still serving the previous version")
    assert str(models / "tiny" / "2") in refusal["problem"]
    _look(swapping)
    until(lambda: swapping.metric(failures, **labels) == 2, "another try")
    shutil.rmtree(models / "tiny" / "2")
    _swap_to(swapping, models, 2)
    assert swapping.metric(failures, **labels) == 2


def test_a_version_that_comes_back_keeps_its_sessions(models: Path) -> None:
    """After a rollback within the grace it is the same model, and pinned sessions continue."""
    with (
        serving(models, "--model-poll-seconds", "0", "--version-retire-seconds", "2") as server,
        grpc.insecure_channel(server.address) as channel,
        Conversation(PredictionServiceStub(channel), configured(model="tiny@1")) as pinned,
    ):
        assert pinned.ask(text(1, "the ")).model.version == "1"
        _swap_to(server, models, 2)
        shutil.rmtree(models / "tiny" / "2")
        _look(server)
        until(lambda: _served(server) == ["tiny@1"], "version 1 to come back")
        until(lambda: _events(server, "version retired"), "version 2 to retire")
        assert pinned.ask(text(2, "the s")).model.version == "1"
        bytes_of = "wordgate_state_cache_bytes{"
        _, page = server.get("/metrics")
        assert sum(line.startswith(bytes_of) for line in page.splitlines()) == 1


def test_unreadable_folders_do_not_end_polling(swapping: RunningServer, models: Path) -> None:
    """A folder in place of a file and a dangling link are rejected.

    The next valid version is served.
    """
    _publish(models, 2)
    (models / "tiny" / "2" / "words.tsv").unlink()
    (models / "tiny" / "2" / "words.tsv").symlink_to(models / "nowhere")
    _look(swapping)
    until(
        lambda: _events(swapping, "bundle rejected; still serving the previous version"),
        "the refusal",
    )
    _swap_to(swapping, models, 3)


def test_a_bundle_in_a_folder_of_another_name_is_rejected(
    swapping: RunningServer, models: Path
) -> None:
    """The error names it, and other new versions are served."""
    (models / "zz").mkdir()
    shutil.copytree(models / "tiny" / "1", models / "zz" / "1")
    shutil.copytree(models / "tiny" / "1", models / "tiny" / "9")
    _look(swapping)
    problems = {
        f"{models}/zz/1: contains tiny@1, but its folder is named zz/1; rename it to tiny/1",
        f"{models}/tiny/9: contains tiny@1, but its folder is named tiny/9; rename it to tiny/1",
    }
    refused = "bundle rejected; still serving the previous version"
    until(lambda: {e["problem"] for e in _events(swapping, refused)} == problems, "refusals")
    assert _served(swapping) == ["tiny@1"]
    assert swapping.metric("wordgate_model_load_failures_total", reason="name") >= 2
    shutil.rmtree(models / "tiny" / "9")
    _publish(models, 3)
    _look(swapping)
    until(lambda: _served(swapping) == ["tiny@3"], "version 3 to be served")


def test_the_folder_is_polled_without_a_signal(models: Path) -> None:
    """A copied bundle is loaded once it no longer changes."""
    with serving(models, "--model-poll-seconds", "0.05") as server:
        _publish(models, 2)
        until(lambda: _served(server) == ["tiny@2"], "version 2 to be found")


@pytest.mark.parametrize("swaps", [5, pytest.param(100, marks=pytest.mark.long)])
def test_swaps_under_load_fail_no_call(swapping: RunningServer, models: Path, swaps: int) -> None:
    """Predictions, scores and a session continue through all reloads."""
    with _load(swapping) as counts:
        for version in range(2, swaps + 2):
            _swap_to(swapping, models, version)
            shutil.rmtree(models / "tiny" / str(version - 1))
            before = dict(counts)
            until(lambda: all(counts[kind] > before[kind] for kind in counts), "more answers")  # noqa: B023
    ended = {"grpc_service": "wordgate.v1.PredictionService", "grpc_code": "OK"}
    assert swapping.metric("grpc_server_handled_total", **ended) >= counts["predict"]
    assert swapping.metric("wordgate_model_reloads_total") == swaps


@pytest.mark.long
def test_reloads_do_not_leak_memory(tmp_path: Path) -> None:
    """Many reloads of the bundled model need no more memory than the first few."""
    resident = []
    _publish_shipped(tmp_path, 1)
    with serving(tmp_path, "--model-poll-seconds", "0", "--version-retire-seconds", "0") as server:
        for version in range(2, 2 + _RELOADS):
            _publish_shipped(tmp_path, version)
            _look(server)
            until(lambda: _served(server) == [f"shipped@{version}"], "the next version")  # noqa: B023
            with Client(server.address) as client:
                client.predict("the clouds are in the", "s")
                client.score("the clouds", ["are in the sky", "were"])
            shutil.rmtree(tmp_path / "shipped" / str(version - 1))
            until(lambda: len(_events(server, "version retired")) == version - 1, "its end")  # noqa: B023
            resident.append(server.metric("process_resident_memory_bytes"))
    assert min(resident[-10:]) < min(resident[5:15]) + _MAX_GROWTH_BYTES, resident


def _publish_shipped(models: Path, version: int) -> None:
    """Publish the bundled model under another name and version."""
    folder = Path(
        shutil.copytree(bundled_model_path(), models / "shipped" / f"unfinished-{version}")
    )
    rewrite_manifest(folder, name="shipped", version=version)
    folder.rename(models / "shipped" / str(version))


@contextmanager
def _load(server: RunningServer) -> Iterator[dict[str, int]]:
    """Run threads that make requests and count the answers; raise their errors at the end."""
    counts = {"predict": 0, "score": 0, "session": 0}
    stop = threading.Event()
    failed: list[Exception] = []
    with grpc.insecure_channel(server.address) as channel:
        asks = {
            "predict": _predictions(channel),
            "score": _scores(channel),
            "session": _session(channel),
        }

        def run(kind: str) -> None:
            try:
                for _ in asks[kind]:
                    counts[kind] += 1
                    if stop.is_set():
                        return
            except Exception as error:  # noqa: BLE001  told to the test
                failed.append(error)

        threads = [threading.Thread(target=run, args=[kind]) for kind in asks]
        for thread in threads:
            thread.start()
        try:
            yield counts
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not failed, failed


def _predictions(channel: grpc.Channel) -> Iterator[object]:
    stub = PredictionServiceStub(channel)
    while True:
        yield stub.Predict(prediction_pb2.PredictRequest(history="the clouds are in the"))


def _scores(channel: grpc.Channel) -> Iterator[object]:
    stub = ScoringServiceStub(channel)
    candidates = [scoring_pb2.Candidate(text=f"the {n} clouds") for n in range(10)]
    while True:
        yield stub.Score(scoring_pb2.ScoreRequest(candidates=candidates))


def _session(channel: grpc.Channel) -> Iterator[object]:
    stub = PredictionServiceStub(channel)
    with Conversation(stub, configured()) as session:
        for sequence in range(1, 10**6):
            yield session.ask(text(sequence, "the clouds are in the "[: sequence % 22]))
