"""`wordgate type` in a terminal."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.calling import Run
from tests.running import PATIENCE_SECONDS


def test_a_person_types_at_a_terminal(bundle: Path, run: Run) -> None:
    """Suggestions appear, Down selects and Tab accepts, Enter prints savings, Ctrl-D exits."""
    suggestions = run("predict", "--model", bundle, "--json").document["suggestions"]
    second = suggestions[1]["text"]
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "wordgate.cli.main", "type", "--model", str(bundle)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, close_fds=True) as process:
        os.close(theirs)
        shown = _read_until(ours, b"%")
        assert b"Tab accepts a suggestion" in shown
        os.write(ours, b"\x1b[B\x1b[B\t\r")
        saved = _read_until(ours, b"saved")
        assert f"3 keys for {len(second)} characters".encode() in saved
        _read_until(ours, b"%")
        os.write(ours, b"\x04")
        _read_to_end(ours)
        assert process.wait(PATIENCE_SECONDS) == 0
    os.close(ours)


def test_a_missing_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without prompt_toolkit, one line says how to install it."""
    monkeypatch.setitem(sys.modules, "wordgate.cli.terminal.typing_prompt", None)
    called = run("type")
    assert called.code == 1
    assert called.err == (
        "wordgate: type requires prompt_toolkit; run pip install 'wordgate[terminal]'\n"
    )


def test_without_a_terminal_it_says_so(run: Run) -> None:
    """Without a terminal the command prints one line and no stack trace."""
    called = run("type")
    assert called.code == 1
    assert "not a terminal" in called.err


def _read_to_end(terminal: int) -> None:
    """Read until the other side closes; a terminal's last output must be read before it exits."""
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:
        return  # how Linux tells the end of a terminal


def _read_until(terminal: int, expected: bytes) -> bytes:
    """Read the terminal's output up to `expected`."""
    shown = b""
    while expected not in shown:
        ready, _, _ = select.select([terminal], [], [], PATIENCE_SECONDS)
        assert ready, shown
        shown += os.read(terminal, 4096)
    return shown
