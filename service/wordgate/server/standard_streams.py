"""Replace standard streams that were closed when the process started.

Otherwise the next file that a library opens would get the free descriptor: uvloop aborts if one of
its own is 0 (https://github.com/libuv/libuv/issues/4558), and log lines would go into a socket.
Keep the imports of this module fast.
"""

import os
import sys

_MODES = ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))
"""Mode in which /dev/null is opened for each stream: reads and writes fail as on a closed stream,
except that writes to standard error are discarded."""


def open_closed_streams() -> None:
    """Open /dev/null in place of each closed standard stream."""
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


def _put(opened_fd: int, number: int) -> None:
    """Move an open file to this descriptor and make it inheritable."""
    if opened_fd != number:
        os.dup2(opened_fd, number)
        os.close(opened_fd)
    os.set_inheritable(number, True)
