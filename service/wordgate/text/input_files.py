"""Small files that a person names, read without waiting for ever.

A pipe is read to its end, as `--config <(command)` makes one; one without a writer is refused, and
so is one on which nothing comes.
"""

import os
import select
import stat
from pathlib import Path

from wordgate.errors import InvalidFile, unreadable

MAX_BYTES = 1 << 24
_CHUNK_BYTES = 1 << 16
_SILENCE_SECONDS = 10.0
"""How long a pipe may say nothing before its writer is given up."""


def read_input(path: Path) -> bytes:
    """Return what a file holds. Raises `InvalidFile`."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            return _read(path, number)
        finally:
            os.close(number)
    except OSError as error:
        raise unreadable(path, error) from None


def _read(path: Path, number: int) -> bytes:
    is_pipe = stat.S_ISFIFO(os.fstat(number).st_mode)
    content = bytearray()
    while chunk := _chunk(path, number):
        content += chunk
        if len(content) > MAX_BYTES:
            raise InvalidFile(path, f"has more than {MAX_BYTES} bytes")
    if is_pipe and not content:
        raise InvalidFile(path, "is a pipe to which nothing was written; name a file")
    return bytes(content)


def _chunk(path: Path, number: int) -> bytes:
    """Return what comes next, nothing at the end. A pipe without a writer is at its end."""
    while True:
        try:
            return os.read(number, _CHUNK_BYTES)
        except BlockingIOError:
            ready, _, _ = select.select([number], [], [], _SILENCE_SECONDS)
            if not ready:
                problem = f"nothing came from it for {_SILENCE_SECONDS:g} seconds; name a file"
                raise InvalidFile(path, problem) from None
