"""Signals at any time of a server's life, from its first line to its last."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.running import RunningServer, until

from wordgate.server.config.options import Configuration
from wordgate.server.supervisor import Workers


@contextmanager
def _starting(bundle: Path, workers: int) -> Iterator[RunningServer]:
    """A server from the moment on in which it handles signals."""
    server = RunningServer(bundle, "--workers", str(workers))
    try:
        until(lambda: _mask(server, "SigIgn") & _bit(signal.SIGHUP), "SIGHUP to be ignored")
        until(lambda: _mask(server, "SigCgt") & _bit(signal.SIGINT), "SIGINT to be caught")
        yield server
    finally:
        server.process.kill()
        server.wait()


@pytest.mark.parametrize("module", ["wordgate.cli.main", "wordgate.server.worker"])
def test_signals_are_handled_before_the_imports(module: str) -> None:
    """Nothing that takes time is imported before: neither click nor asyncio nor typing."""
    command = [sys.executable, "-X", "importtime", "-m", module, "serve", "--help"]
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    imported = [line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()]
    place = imported.index("wordgate.server.signals")
    assert not {"asyncio", "click", "typing", "importlib.metadata"} & set(imported[:place])
    assert "typing" in imported


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_before_the_first_line_wait_for_it(bundle: Path, number: int) -> None:
    """The image starts the command with them blocked; a hang-up that waited ends nothing."""
    blocked = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)  # as a child inherits it
    try:
        server = RunningServer(bundle)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
    server.process.send_signal(signal.SIGHUP)
    if number == signal.SIGINT:
        server.wait_until_serving()
    server.process.send_signal(number)
    assert server.wait() == 0


def test_the_image_holds_signals_back() -> None:
    """Its first command is one that Debian's env knows, and blocks what the server handles."""
    lines = (Path(__file__).parents[2] / "Dockerfile").read_text().splitlines()
    [entry] = [line.removeprefix("ENTRYPOINT ") for line in lines if line.startswith("ENTRYPOINT")]
    *command, name = json.loads(entry)
    assert name == "wordgate"
    look = "import signal; print(sorted(s.name for s in signal.pthread_sigmask(0, [])))"
    found = subprocess.check_output([*command, sys.executable, "-c", look], text=True)
    assert found == "['SIGHUP', 'SIGINT', 'SIGTERM']\n"


@pytest.mark.parametrize("arguments", [["serve", "--check"], ["token", "--help"]])
def test_no_command_keeps_signals_blocked(arguments: list[str]) -> None:
    """Ctrl-C ends the commands of the image that serve nothing, too."""
    code = (
        "import signal, sys; sys.argv[1:] = " + repr(arguments) + "\n"
        "import wordgate.cli.main\n"
        "print(signal.pthread_sigmask(0, []))"
    )
    command = ["env", "--block-signal=TERM", "--block-signal=INT", sys.executable, "-c", code]
    assert subprocess.check_output(command, text=True) == "set()\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_hang_ups_never_end_a_server(bundle: Path, workers: int) -> None:
    """Hundreds of them while it starts, serves and stops, to its workers too, as by a terminal."""
    with _starting(bundle, workers) as server:
        until(lambda: _hang_up(server) and _is_serving(server), "serving")
        server.wait_until_serving()
        assert server.get("/readyz")[0] == 200
        server.terminate()
        until(lambda: _hang_up(server) and server.process.poll() is not None, "the end")
        assert server.wait() == 0
        assert "Traceback" not in server.output
        assert "restarting" not in server.output


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_starts_ends_when_told(bundle: Path, number: int, workers: int) -> None:
    """At once, with exit code 0 and without a word: there is nothing to drain."""
    with _starting(bundle, workers) as server:
        server.process.send_signal(number)
        assert server.wait() == 0
        assert server.output == ""


def test_a_worker_that_ends_before_it_is_told_what_to_be_is_started_again(bundle: Path) -> None:
    """As by a signal before Python runs its first line."""
    with _starting(bundle, 2) as server:
        with suppress(OSError):
            os.kill(until(lambda: _any_children(server), "a worker")[0], signal.SIGKILL)
        server.wait_until_serving()
        assert "restarting" in server.output


def test_workers_that_start_are_told_of_a_hang_up_later() -> None:
    """A worker that listed the models before the signal and serves after it looks again, once."""
    workers = Workers(Configuration(workers=2))
    got: dict[int, list[int]] = {0: [], 1: []}
    for number, signals in got.items():
        process: Any = SimpleNamespace(returncode=None, send_signal=signals.append)
        workers._processes[number] = process
    workers._heard(0, {"http": "127.0.0.1:1"})
    workers._look()
    assert got == {0: [signal.SIGHUP], 1: []}
    workers._heard(1, {"http": "127.0.0.1:2"})
    assert got == {0: [signal.SIGHUP], 1: [signal.SIGHUP]}


def _hang_up(server: RunningServer) -> bool:
    """Send SIGHUP to all that run code of ours: Python itself cannot be kept from ending by it."""
    with suppress(OSError):
        for process in [server.process.pid, *_children(server)]:
            if _bit(signal.SIGHUP) & (_mask_of(process, "SigIgn") | _mask_of(process, "SigCgt")):
                os.kill(process, signal.SIGHUP)
    return True


def _children(server: RunningServer) -> list[int]:
    """The workers, without copies of their parent that are to become workers."""
    found = _any_children(server)
    return [p for p in found if b".worker" in Path(f"/proc/{p}/cmdline").read_bytes()]


def _any_children(server: RunningServer) -> list[int]:
    found = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(process) for process in found.split()]


def _is_serving(server: RunningServer) -> bool:
    return '"event": "serving"' in server.output or server.process.poll() is not None


def _mask(server: RunningServer, name: str) -> int:
    return _mask_of(server.process.pid, name)


def _mask_of(process: int, name: str) -> int:
    """A mask of signals, as /proc shows it; none of a process that has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1], 16)
    return 0


def _bit(number: int) -> int:
    return 1 << number - 1
