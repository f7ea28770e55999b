"""Signals at any time, from process start to exit."""

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
    """Start a server and return once it handles signals."""
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
    """No slow import comes earlier: neither click nor asyncio nor typing."""
    command = [sys.executable, "-X", "importtime", "-m", module, "serve", "--help"]
    plain = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=plain
    )
    imported = [line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()]
    place = imported.index("wordgate.server.signals")
    assert not {"asyncio", "click", "typing", "importlib.metadata"} & set(imported[:place])
    assert "typing" in imported


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_blocked_signals_are_delivered_at_start(bundle: Path, number: int) -> None:
    """The image starts the command with signals blocked; a pending SIGHUP ends nothing."""
    blocked = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)  # inherited by the child
    try:
        server = RunningServer(bundle)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
    server.process.send_signal(signal.SIGHUP)
    if number == signal.SIGINT:
        server.wait_until_serving()
    server.process.send_signal(number)
    assert server.wait() == 0


def test_the_image_blocks_signals() -> None:
    """Its first command exists in Debian's env and blocks the signals that the server handles."""
    lines = (Path(__file__).parents[2] / "Dockerfile").read_text().splitlines()
    [entry] = [line.removeprefix("ENTRYPOINT ") for line in lines if line.startswith("ENTRYPOINT")]
    *command, name = json.loads(entry)
    assert name == "wordgate"
    look = "import signal; print(sorted(s.name for s in signal.pthread_sigmask(0, [])))"
    found = subprocess.check_output([*command, sys.executable, "-c", look], text=True)
    assert found == "['SIGHUP', 'SIGINT', 'SIGTERM']\n"


@pytest.mark.parametrize("arguments", [["serve", "--check"], ["token", "--help"]])
def test_no_command_keeps_signals_blocked(arguments: list[str]) -> None:
    """Ctrl-C also ends the image's commands that are not servers."""
    code = (
        "import signal, sys; sys.argv[1:] = " + repr(arguments) + "\n"
        "import wordgate.cli.main\n"
        "print(signal.pthread_sigmask(0, []))"
    )
    command = ["env", "--block-signal=TERM", "--block-signal=INT", sys.executable, "-c", code]
    assert subprocess.check_output(command, text=True) == "set()\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_hang_ups_never_end_a_server(bundle: Path, workers: int) -> None:
    """Hundreds of SIGHUPs during start, serving and stop, also to the workers, end nothing."""
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
def test_a_starting_server_exits_on_signals(bundle: Path, number: int, workers: int) -> None:
    """It exits at once with code 0 and no output: there is nothing to drain."""
    with _starting(bundle, workers) as server:
        server.process.send_signal(number)
        assert server.wait() == 0
        assert server.output == ""


def test_a_worker_that_exits_before_its_configuration_is_restarted(bundle: Path) -> None:
    """It exits as by a signal before Python runs its first line."""
    with _starting(bundle, 2) as server:
        with suppress(OSError):
            os.kill(until(lambda: _any_children(server), "a worker")[0], signal.SIGKILL)
        server.wait_until_serving()
        assert "restarting" in server.output


def test_sighup_is_forwarded_to_starting_workers_later() -> None:
    """A worker that listed the models before the signal polls again once it is ready."""
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
    """Send SIGHUP to all processes that run the package's code; it would kill a starting Python."""
    with suppress(OSError):
        for process in [server.process.pid, *_children(server)]:
            if _bit(signal.SIGHUP) & (_mask_of(process, "SigIgn") | _mask_of(process, "SigCgt")):
                os.kill(process, signal.SIGHUP)
    return True


def _children(server: RunningServer) -> list[int]:
    """Return the workers, without forks of the parent that have not become workers yet."""
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
    """Return a signal mask of a process from /proc; 0 if the process has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1], 16)
    return 0


def _bit(number: int) -> int:
    return 1 << number - 1
