"""The measured servers: how each is started, and which protocol it speaks."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from calls import Calls, InferenceCalls, Tokens, WordgateCalls

HERE = Path(__file__).parent
PORT = 50700
ADDRESS = f"127.0.0.1:{PORT}"
END_SECONDS = 60.0
FLOAT32_TOLERANCE = 1e-3
INT8_TOLERANCE = 3.0
"""Between int8 and float32, for the sum over a candidate's tokens."""


@dataclass(frozen=True)
class Tuning:
    """How the peers run the network.

    `batch` and `batch_seconds` limit the requests that MLServer joins, and how long it waits for
    them.
    """

    library: str = "onnxruntime"
    batch: int = 4
    batch_seconds: float = 0.002


@dataclass(frozen=True)
class Cores:
    """How the peers use the cores: copies of the network, and threads of each."""

    copies: int
    threads: int

    def __str__(self) -> str:
        return f"{self.copies} x {self.threads}"


@dataclass(frozen=True)
class Server:
    """A server to measure.

    `tolerance`: how far its log-probabilities (natural logarithms) may be from those of the float32
    network; None for another model. `predicts`: it predicts the next word.
    """

    name: str
    command: list[str]
    calls: Calls
    tolerance: float | None = FLOAT32_TOLERANCE
    predicts: bool = True


def wordgate(name: str, model: Path, tokens: Tokens, tolerance: float) -> Server:
    """Return Wordgate with two engine threads."""
    command = [sys.executable, "-m", "wordgate.cli.main", "serve", "--model", str(model)]
    command += ["--listen", ADDRESS, "--metrics-listen", f"127.0.0.1:{PORT + 1}"]
    return Server(name, [*command, "--engine-threads", "2"], WordgateCalls(tokens), tolerance)


def mlserver(
    python: Path, folder: Path, network: Path, tokens: Tokens, tuning: Tuning, cores: Cores
) -> Server:
    """Return MLServer with the network. `folder` receives its settings.

    One copy runs in the server's process, more run in workers.
    """
    extra: dict[str, str | int] = {
        "folder": str(network),
        "threads": cores.threads,
        "library": tuning.library,
    }
    batching = {"max_batch_size": tuning.batch, "max_batch_time": tuning.batch_seconds}
    _write_model(folder, "score", "Score", extra, batching)
    _write_model(folder, "next", "Next", extra, {})
    _write_settings(folder, workers=cores.copies if cores.copies > 1 else 0)
    command = _mlserver_command(python, folder)
    return Server(f"mlserver {cores}", command, InferenceCalls(tokens))


def mlserver_kenlm(python: Path, folder: Path, model: Path) -> Server:
    """Return MLServer with KenLM, which only scores."""
    _write_model(folder, "score", "KenLm", {"file": str(model.resolve())}, {})
    _write_settings(folder, workers=0)
    command = _mlserver_command(python, folder)
    return Server("kenlm", command, InferenceCalls(None), tolerance=None, predicts=False)


def mlserver_transformer(python: Path, folder: Path, file: Path, threads: int) -> Server:
    """Return MLServer with a transformer of a GGUF file."""
    extra: dict[str, str | int] = {"file": str(file.resolve()), "threads": threads}
    _write_model(folder, "score", "Transformer", extra, {})
    _write_model(folder, "next", "TransformerNext", extra, {})
    _write_settings(folder, workers=0)
    command = _mlserver_command(python, folder)
    return Server("transformer", command, InferenceCalls(None), tolerance=None)


def triton(python: Path, network: Path, tokens: Tokens, tuning: Tuning, cores: Cores) -> Server:
    """Return Triton with the network."""
    program = str(HERE / "triton_server.py")
    command = [str(python), program, str(network), str(PORT), tuning.library]
    command += [str(cores.copies), str(cores.threads)]
    return Server(f"triton {cores}", command, InferenceCalls(tokens))


@contextmanager
def running(server: Server) -> Iterator[None]:
    """Run a server in a process group of its own; end the group afterwards.

    An exception of the block gets a note with the end of the server's log.
    """
    _wait_for_ports()
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


def _wait_for_ports() -> None:
    """Wait until the last server has released its ports. Raises `OSError` after a minute."""
    until = monotonic() + END_SECONDS
    for port in range(PORT, PORT + 3):
        while True:
            with socket.socket() as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    tried.bind(("127.0.0.1", port))
                    break
                except OSError:
                    if monotonic() > until:
                        raise
            sleep(0.1)


def _end(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(END_SECONDS)
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
        "metrics_dir": str(folder / "metrics"),
        "parallel_workers": workers,
        "debug": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")


def _write_model(
    folder: Path,
    name: str,
    model: str,
    extra: Mapping[str, str | int],
    batching: Mapping[str, float],
) -> None:
    settings = {
        "name": name,
        "implementation": f"mlserver_models.{model}",
        "parameters": {"extra": extra},
        **batching,
    }
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "model-settings.json").write_text(json.dumps(settings), "utf-8")
