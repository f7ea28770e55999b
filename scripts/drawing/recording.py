"""Record the screens of a program in a pseudo-terminal while keys are pressed."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyte

QUIET_SECONDS = 0.5
"""A screen is complete when the program has written nothing for this long."""

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """Neighbouring characters in one style. Colours are #rrggbb, or "" for the terminal's own."""

    column: int
    text: str
    colour: str
    background: str
    bold: bool


Row = tuple[Run, ...]


@dataclass(frozen=True)
class Frame:
    """A screen, its cursor (column, row), and how long it is shown."""

    rows: tuple[Row, ...]
    cursor: tuple[int, int]
    seconds: float


class _Screen(pyte.Screen):
    """A screen that answers a program which asks where the cursor is."""

    def __init__(self, columns: int, rows: int, answer: Callable[[str], None]) -> None:
        super().__init__(columns, rows)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)


class Terminal:
    """A program in a terminal of a given size."""

    def __init__(self, descriptor: int, columns: int, rows: int) -> None:
        self._descriptor = descriptor
        self._screen = _Screen(columns, rows, self.press)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def text(self) -> str:
        """The characters on the screen, a line for each row."""
        return "\n".join(self._screen.display)

    @property
    def below(self) -> str:
        """The row below the cursor."""
        below = self._screen.cursor.y + 1
        return self._screen.display[below] if below < self._screen.lines else ""

    def press(self, keys: str) -> None:
        """Send keys to the program."""
        os.write(self._descriptor, keys.encode())

    def settle(self, shown: Callable[[str], bool] = lambda text: True) -> None:
        """Read until the program is quiet and its screen is as expected."""
        waited = 0.0
        while waited < PATIENCE_SECONDS:
            ready, _, _ = select.select([self._descriptor], [], [], QUIET_SECONDS)
            if ready:
                self._stream.feed(os.read(self._descriptor, 1 << 16))
            elif shown(self.text):
                return
            else:
                waited += QUIET_SECONDS
        raise TimeoutError(f"the program waits in an unexpected state:\n{self.text}")

    def frame(self, seconds: float) -> Frame:
        """Return the present screen."""
        screen = self._screen
        rows = tuple(
            tuple(_runs([screen.buffer[row][column] for column in range(screen.columns)]))
            for row in range(screen.lines)
        )
        return Frame(rows, (screen.cursor.x, screen.cursor.y), seconds)


@contextmanager
def terminal(command: Sequence[str | Path], columns: int, rows: int) -> Iterator[Terminal]:
    """Run a program in a terminal during the block."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": ""}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True
    )
    os.close(theirs)
    try:
        yield Terminal(ours, columns, rows)
    finally:
        os.close(ours)  # the program's children read the end of their input
        process.kill()  # an interactive shell ignores SIGTERM
        process.wait()


def _runs(cells: Sequence[pyte.screens.Char]) -> Iterator[Run]:
    """Join neighbouring characters of one style; leave out blanks of the terminal's own colour."""
    start, text, style = 0, "", None
    for column, cell in enumerate([*cells, None]):
        found = None if cell is None else _style(cell)
        if found != style or cell is None:
            if style is not None and (text.strip() or style[1]):
                yield Run(start, text, *style)
            start, text, style = column, "", found
        if cell is not None:
            text += cell.data
    return


def _style(cell: pyte.screens.Char) -> tuple[str, str, bool]:
    colour, background = _hex(cell.fg), _hex(cell.bg)
    if cell.reverse:
        colour, background = background or "#0d1117", colour or "#d0d7de"
    return colour, background, cell.bold


_NAMED = {
    "black": "#0d1117",
    "red": "#f47067",
    "green": "#57ab5a",
    "brown": "#c69026",
    "blue": "#539bf5",
    "magenta": "#b083f0",
    "cyan": "#39c5cf",
    "white": "#d0d7de",
}


def _hex(colour: str) -> str:
    """Return a colour of pyte as #rrggbb; "" for the default."""
    if colour == "default":
        return ""
    return _NAMED.get(colour.removeprefix("bright"), f"#{colour}")
