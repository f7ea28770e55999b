"""Processes that are started with closed standard streams."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import pytest
from tests.running import PATIENCE_SECONDS, until

from wordgate.client import Client
from wordgate.errors import Unavailable

_CLOSING = {0: "<&-", 1: ">&-", 2: "2>&-"}
_ALL = [chosen for count in (1, 2, 3) for chosen in combinations(_CLOSING, count)]


def _started(closed: tuple[int, ...], *arguments: object) -> "subprocess.Popen[str]":
    closing = " ".join(_CLOSING[number] for number in closed)
    command = [sys.executable, "-m", "wordgate.cli.main", *map(str, arguments)]
    return subprocess.Popen(
        ["sh", "-c", f'exec "$@" {closing}', "sh", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def _serving(closed: tuple[int, ...], *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    process = _started(closed, "serve", *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _answers(address: str, process: "subprocess.Popen[str]") -> bool:
    assert process.poll() is None, process.communicate()
    with Client(address) as client:
        try:
            return bool(client.predict("the").suggestions)
        except Unavailable:
            return False


@pytest.mark.parametrize("closed", _ALL)
def test_a_server_serves_without_them(
    bundle: Path, tmp_path: Path, closed: tuple[int, ...]
) -> None:
    """It answers, drains on SIGTERM, and logs to standard error if that is open."""
    address = f"unix:{tmp_path / 'a.sock'}"
    options = ("--model", bundle, "--listen", address, "--metrics-listen", "127.0.0.1:0")
    with _serving(closed, *options) as process:
        until(lambda: _answers(address, process), "an answer")
        process.terminate()
        out, log = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0
        assert out == ""
        assert ("stopped" in log) == (2 not in closed)


def test_workers_serve_without_them(bundle: Path) -> None:
    """The first file that a worker opens does not get a standard descriptor either."""
    with _serving((0, 1), "--model", bundle, *_TWO) as process:
        assert process.stderr is not None
        log = ""
        while " serving " not in log or "workers=2" not in log:
            line = process.stderr.readline()
            assert line, log
            log += line
        assert "started again" not in log
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0


_TWO = ("--workers", "2", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")


@pytest.mark.parametrize("closed", [(0,), (2,), (0, 2)])
def test_other_commands_answer_without_them(bundle: Path, closed: tuple[int, ...]) -> None:
    """Commands work unless they read from or write to the closed stream."""
    process = _started(closed, "score", "--model", bundle, "--json", "the clouds")
    out, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, said) == (0, "")
    assert out.startswith('{"candidates"')


@pytest.mark.parametrize("command", ["score", "rescore"])
def test_a_closed_input_is_an_error(bundle: Path, command: str) -> None:
    """The error has one line and the exit code of file errors."""
    process = _started((0,), command, "--model", bundle, "--input", "-")
    out, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, out) == (3, "")
    assert said.splitlines() == ["wordgate: Bad file descriptor"]
