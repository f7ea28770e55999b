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

from wordgate.cli.terminal.line_editor import LineEditor
from wordgate.decoding.suggestions import Kind, Suggestion
from wordgate.engine.results import ModelVersion, PredictionResult


def _answer(*texts: str, prefix: str = "", kind: Kind = Kind.WORD) -> PredictionResult:
    found = [Suggestion(text, -0.5, kind) for text in texts]
    return PredictionResult(found, prefix, True, 1, ModelVersion("hand", "1", "int8"))


def _pressed(*keys: str) -> LineEditor:
    typewriter = LineEditor()
    for key in keys:
        typewriter.press(key)
    return typewriter


@pytest.mark.parametrize(
    ("keys", "text", "cursor"),
    [
        ("ab", "ab", 2),
        (["a", "b", "\x7f"], "a", 1),
        (["\x7f"], "", 0),
        (["a", "\x1b[D", "b"], "ba", 1),
        (["a", "b", "\x1b[D", "\x1b[D", "\x1b[D", "\x1b[C", "é"], "aéb", 2),
        (["a", "b", "\x01", "c", "\x05", "d"], "cabd", 4),
        (["a", "\x1b[5~", "\x00"], "a", 1),
    ],
)
def test_keys_edit_the_line(keys: str | list[str], text: str, cursor: int) -> None:
    """Letters, backspace, arrows, Home and End edit the line; other keys do nothing."""
    typewriter = _pressed(*keys)
    assert (typewriter.line.text, typewriter.line.cursor) == (text, cursor)
    assert typewriter.keys == len(keys)


def test_tab_takes_the_marked_suggestion() -> None:
    """Tab replaces the prefix with the selected suggestion and a space; Up and Down select."""
    typewriter = _pressed("s", "e")
    typewriter.answer = _answer("sea", "see", prefix="se")
    assert not typewriter.press("\x1b[B")
    assert typewriter.press("\t")
    assert typewriter.line.text == "see "
    typewriter.answer = _answer()
    assert not typewriter.press("\t")
    assert not typewriter.press("\x1b[A")


def test_the_screen_shows_what_fits() -> None:
    """The screen shows the end of a long line and the suggestions that fit, selection first."""
    typewriter = _pressed(*"abcdefghijkl")
    typewriter.answer = _answer("sea", "see", "seven")
    shown = typewriter.screen(18)
    assert "abcdefghijkl\n" in shown
    assert "sea 61%" in shown
    assert "see 61%" not in shown
    narrow = typewriter.screen(8)
    assert "fghijkl\n" in narrow
    assert "abcde" not in narrow
    assert "sea" not in narrow
    typewriter.answer = _answer("the", kind=Kind.CORRECTION)
    assert "~the 61%" in typewriter.screen(40)


def test_a_person_types_at_a_terminal(bundle: Path) -> None:
    """Suggestions appear, Tab accepts one, Enter prints the savings, Ctrl-D exits."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "wordgate.cli.main", "type", "--model", str(bundle)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, close_fds=True) as process:
        os.close(theirs)
        shown = _read_until(ours, b"%")
        assert b"Tab accepts a suggestion" in shown
        os.write(ours, b"\t")
        _read_until(ours, b"%")
        os.write(ours, b"\r")
        assert b"1 key for" in _read_until(ours, b"saved")
        os.write(ours, b"\x04")
        _read_to_end(ours)
        assert process.wait(PATIENCE_SECONDS) == 0
    os.close(ours)


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
