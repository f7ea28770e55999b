"""A user types two lines in `wordgate type`, and takes each word once it is the first one."""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace

from drawing.recording import Frame, Terminal, terminal

COLUMNS, ROWS = 64, 12
LINES = (
    "Thank you for the invitation to the party",
    "Please let me know if you rceived|received my message",
)
"""Words to type. After a |, the word that the user wants instead of the one typed."""

_KEY, _READ, _REST = 0.16, 0.55, 1.6
"""Seconds per key, before a suggestion is taken, and at the end of a line."""

_SHELL = ["/bin/sh"]


def record() -> list[Frame]:
    """Return the frames."""
    command = f"{sys.executable} -m wordgate.cli.main"
    os.environ["PS1"] = "$ "
    with terminal(_SHELL, COLUMNS, ROWS) as shell:
        shell.settle()
        shell.press("wordgate() { " + command + ' "$@"; }; clear\r')
        shell.settle(lambda text: text.strip() == "$")
        frames = [shell.frame(0.8)]
        frames += _pressed(shell, "wordgate type")
        shell.press("\r")
        shell.settle(lambda text: "%" in text)
        frames.append(shell.frame(0.8))
        for line in LINES:
            frames += _line(shell, line)
        return [*frames[:-1], replace(frames[-1], seconds=3.0)]


def still(frames: list[Frame]) -> int:
    """Return the index of the first frame with a correction, for a viewer without motion."""
    texts = ("".join(run.text for row in frame.rows for run in row) for frame in frames)
    return next(number for number, text in enumerate(texts) if "~" in text)


def _line(shell: Terminal, line: str) -> Iterator[Frame]:
    """Type a line, and end it."""
    for word in line.split():
        yield from _word(shell, *word.partition("|")[::2])
    shell.press("\r")
    shell.settle(lambda text: "saved" in text)
    yield shell.frame(_REST)


def _word(shell: Terminal, typed: str, meant: str) -> Iterator[Frame]:
    """Type a word, until Tab completes or corrects it."""
    for number in range(len(typed) + 1):
        if _first(shell) == (meant or typed):
            yield shell.frame(_READ)
            yield from _pressed(shell, "\t")
            return
        yield from _pressed(shell, typed[number] if number < len(typed) else " ")


def _pressed(shell: Terminal, keys: str) -> Iterator[Frame]:
    for key in keys:
        shell.press(key)
        shell.settle()
        yield shell.frame(_KEY)


def _first(shell: Terminal) -> str:
    """Return the first word below the line, without the mark of a correction."""
    found = re.match(r"\s*~?(\S+)\s+\d+%", shell.below)
    return found[1] if found else ""
