"""Read single keys, including escape sequences, from a terminal in cbreak mode."""

import codecs
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|.", re.DOTALL)
_BYTES_AT_ONCE = 4096


class KeyReader:
    """Reads keys from standard input; `is_waiting` is true if more keys are buffered (a paste)."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._pressed: list[str] = []

    @property
    def is_waiting(self) -> bool:
        """Whether a key is buffered."""
        return bool(self._pressed)

    def key(self) -> str:
        """Return the next key, or an empty string at the end of the input."""
        while not self._pressed:
            read = os.read(sys.stdin.fileno(), _BYTES_AT_ONCE)
            if not read:
                return ""
            self._pressed = _KEY.findall(self._decode(read))
        return self._pressed.pop(0)


class _OneByOne(KeyReader):
    """Fallback for systems without a POSIX terminal."""

    def key(self) -> str:
        try:
            return click.getchar()
        except EOFError:
            return ""


@contextmanager
def keyboard() -> Iterator[KeyReader]:
    """Put the terminal into cbreak mode without echo, and yield a reader of its keys."""
    try:
        import termios
        import tty
    except ImportError:
        yield _OneByOne()
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal, termios.TCSADRAIN)
    try:
        yield KeyReader()
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
