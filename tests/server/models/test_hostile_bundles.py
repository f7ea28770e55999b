"""A server that polls a folder with hostile bundles."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bundles import write_bundle
from tests.hostile_bundles import HOSTILE
from tests.running import RunningServer, serving, until

from wordgate.cli.main import main
from wordgate.client import Client

_FAILURES = "wordgate_model_load_failures_total"
_MAX_GROWTH_BYTES = 64 << 20


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, Path]]:
    """A server of version 1 that polls its folder on SIGHUP only."""
    models = tmp_path_factory.mktemp("models")
    write_bundle(models)
    with serving(models, "--model-poll-seconds", "0") as server:
        yield server, models


def _refusals(server: RunningServer, folder: Path) -> list[str]:
    events = [json.loads(line) for line in list(server.lines) if line.startswith("{")]
    problems = [event["problem"] for event in events if "rejected" in event["event"]]
    return [problem for problem in problems if problem.startswith(f"{folder}:")]


def _resident_bytes(server: RunningServer) -> float:
    return server.metric("process_resident_memory_bytes")


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_bundle_is_rejected_by_name(
    watched: tuple[RunningServer, Path], what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The server logs and counts the rejection once, and goes on with no more memory.

    `models verify` prints the same line and exits with 4.
    """
    server, models = watched
    spoil, reason = HOSTILE[what]
    counted, resident = server.metric(_FAILURES, reason=reason), _resident_bytes(server)
    folder = write_bundle(models, version=2)
    spoil(folder)
    try:
        server.process.send_signal(signal.SIGHUP)
        until(lambda: _refusals(server, folder), "its refusal")
        assert server.metric(_FAILURES, reason=reason) == counted + 1
        assert _resident_bytes(server) < resident + _MAX_GROWTH_BYTES
        with Client(server.address) as client:
            assert client.predict("the").model.version == "1"
            assert client.list_models()
        with pytest.raises(SystemExit) as ended:
            main(["models", "verify", str(folder)])
        assert ended.value.code == 4
        [line] = capfd.readouterr().err.splitlines()
        assert line == f"wordgate: {_refusals(server, folder)[0]}"
    finally:
        shutil.rmtree(folder)
        server.lines.clear()


def test_a_server_does_not_start_with_a_hostile_bundle(tmp_path: Path) -> None:
    """It logs the reason and exits with 4."""
    folder = write_bundle(tmp_path)
    HOSTILE["a graph that never ends"][0](folder)
    server = RunningServer(folder)
    assert server.wait() == 4
    assert "step.onnx cannot be loaded: operator 'Loop' is not supported" in server.output
