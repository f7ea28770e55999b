"""Prepare the path of a Unix domain socket for listening.

gRPC replaces any existing socket file, even that of a running server. The path is therefore checked
first: a stale socket file is removed, anything else at the path is an error.
"""

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def free_path(path: str) -> Iterator[None]:
    """Free the path and lock its folder, for the caller to bind inside the context.

    The lock serialises servers that start at the same time. Raises `OSError` with the reason if the
    path cannot be used.
    """
    with _locked(Path(path).absolute().parent):
        _remove_stale(path)
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def _remove_stale(path: str) -> None:
    """Remove a socket file that no process listens on. Raises `OSError` for anything else."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(0, "the file exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # if the backlog is full, a process listens
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return
        except BlockingIOError:
            pass
    raise FileExistsError(0, "another process listens on it")
