"""Read small input files and pipes without blocking forever.

A pipe, such as `--config <(command)`, is read to its end. A pipe without a writer is rejected, and
so is one that stays silent.
"""

import os
import select
import stat
from pathlib import Path

from wordgate.errors import InvalidFile, unreadable

MAX_BYTES = 1 << 24
_CHUNK_BYTES = 1 << 16
_SILENCE_SECONDS = 10.0
"""Timeout for a pipe that delivers no data."""


def read_input(path: Path) -> bytes:
    """Return the content of a file, at most `MAX_BYTES`. Raises `InvalidFile`."""
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
        raise InvalidFile(path, "is an empty pipe; name a file")
    return bytes(content)


def _chunk(path: Path, number: int) -> bytes:
    """Return the next chunk, empty at the end. A pipe without a writer is at its end."""
    while True:
        try:
            return os.read(number, _CHUNK_BYTES)
        except BlockingIOError:
            ready, _, _ = select.select([number], [], [], _SILENCE_SECONDS)
            if not ready:
                problem = f"no data for {_SILENCE_SECONDS:g} seconds; name a file"
                raise InvalidFile(path, problem) from None
