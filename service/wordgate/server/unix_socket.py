"""Socket files that a server listens on.

gRPC replaces whatever socket file has the name, that of a running server too, so the path is
checked first: a stale file is removed, all else that is there is refused.
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
    """Have the path free while this lasts, for the caller to listen there.

    Servers that start at the same time check one after the other: each holds a lock on the folder.
    Raises `OSError` with the reason.
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
    """Remove a socket file on which no process listens. Raises `OSError` for all else."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(0, "a file of this name exists, which is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.setblocking(False)  # a full queue is one of a process that listens
        try:
            asked.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return
        except BlockingIOError:
            pass
    raise FileExistsError(0, "another process listens there")
