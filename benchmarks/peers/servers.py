"""The measured servers: how each is started, and which protocol it speaks."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from calls import Calls, InferenceCalls, Tokens, WordgateCalls

HERE = Path(__file__).parent
PORT = 50700
ADDRESS = f"127.0.0.1:{PORT}"


@dataclass(frozen=True)
class Tuning:
    """How the peers use two cores."""

    torch_threads: int = 2
    mlserver_workers: int = 0
    mlserver_batch: int = 4
    mlserver_batch_seconds: float = 0.002


@dataclass(frozen=True)
class Server:
    """A server to measure.

    `float32`: it serves the float32 network, and its answers must agree. `predicts`: it predicts
    the next word.
    """

    name: str
    command: list[str]
    calls: Calls
    float32: bool = True
    predicts: bool = True


def wordgate(name: str, model: Path, tokens: Tokens, float32: bool) -> Server:
    """Return Wordgate with two engine threads."""
    command = [sys.executable, "-m", "wordgate.cli.main", "serve", "--model", str(model)]
    command += ["--listen", ADDRESS, "--metrics-listen", f"127.0.0.1:{PORT + 1}"]
    return Server(name, [*command, "--engine-threads", "2"], WordgateCalls(tokens), float32)


def mlserver(python: Path, folder: Path, network: Path, tokens: Tokens, tuning: Tuning) -> Server:
    """Return MLServer with the network. `folder` receives its settings."""
    extra = {"folder": str(network), "threads": tuning.torch_threads}
    batching = {
        "max_batch_size": tuning.mlserver_batch,
        "max_batch_time": tuning.mlserver_batch_seconds,
    }
    _write_model(folder, "score", "Score", extra, batching)
    _write_model(folder, "next", "Next", extra, {})
    _write_settings(folder, tuning.mlserver_workers)
    return Server("mlserver", _mlserver_command(python, folder), InferenceCalls(tokens))


def mlserver_kenlm(python: Path, folder: Path, model: Path) -> Server:
    """Return MLServer with KenLM, which only scores."""
    _write_model(folder, "score", "KenLm", {"file": str(model.resolve())}, {})
    _write_settings(folder, workers=0)
    command = _mlserver_command(python, folder)
    return Server("kenlm", command, InferenceCalls(None), float32=False, predicts=False)


def triton(python: Path, network: Path, tokens: Tokens, tuning: Tuning) -> Server:
    """Return Triton with the network."""
    command = [str(python), str(HERE / "triton_server.py"), str(network), str(PORT)]
    return Server("triton", [*command, str(tuning.torch_threads)], InferenceCalls(tokens))


@contextmanager
def running(server: Server) -> Iterator[None]:
    """Run a server in a process group of its own; end the group afterwards.

    Raises `RuntimeError` with the end of its log if it fails.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(
            server.command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": _python_path(server)},
            start_new_session=True,
        )
        try:
            yield
        except Exception as error:
            log.seek(0)
            error.add_note(f"log of {server.name}: {log.read()[-4000:]}")
            raise
        finally:
            _end(process)


def _python_path(server: Server) -> str:
    """Let Wordgate find itself, and the peers find their models here."""
    own = server.command[0] == sys.executable
    return os.environ.get("PYTHONPATH", "") if own else str(HERE)


def _end(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _mlserver_command(python: Path, folder: Path) -> list[str]:
    return [str(python), "-m", "mlserver.cli.main", "start", str(folder)]


def _write_settings(folder: Path, workers: int) -> None:
    settings = {
        "host": "127.0.0.1",
        "grpc_port": PORT,
        "http_port": PORT + 1,
        "metrics_port": PORT + 2,
        "parallel_workers": workers,
        "debug": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")


def _write_model(
    folder: Path,
    name: str,
    model: str,
    extra: dict[str, str | int] | dict[str, str],
    batching: dict[str, float],
) -> None:
    settings = {
        "name": name,
        "implementation": f"mlserver_models.{model}",
        "parameters": {"extra": extra},
        **batching,
    }
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "model-settings.json").write_text(json.dumps(settings), "utf-8")
