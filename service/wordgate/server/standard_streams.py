"""Standard input, output and error where the process was started with one of them closed.

Imports nothing that takes time. Without this the next file that a library opens takes the free
number: uvloop ends the process when one of its own is 0, and log lines would go into a socket.
"""

import os
import sys

_MODES = ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))
"""How /dev/null is opened for each: reading and writing fail as with a closed stream, except that
what is written to standard error is dropped."""


def open_closed_streams() -> None:
    """Open /dev/null in the place of each standard stream that is closed."""
    for number, mode in _MODES:
        try:
            os.fstat(number)
        except OSError:
            _put(os.open(os.devnull, mode), number)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115


def _put(opened: int, number: int) -> None:
    """Give an open file this number, which its children get, too."""
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    os.set_inheritable(number, True)
