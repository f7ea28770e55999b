"""Passages of text, read from files.

Knows file formats (.txt, .jsonl; plain, .gz, .xz) and says where a file is wrong; does not know
what becomes of a passage.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from wordgate.errors import InvalidFile, unreadable
from wordgate.offline import lines

_BYTES_AT_A_TIME = 1 << 20
_FORMATS = (".txt", ".jsonl")


def file_format(path: Path) -> str:
    """`.txt` or `.jsonl`, whatever the compression; raises `InvalidFile` for anything else."""
    found = lines.file_format(path)
    if found not in _FORMATS:
        raise InvalidFile(path, "is neither .txt nor .jsonl, plain or with .gz or .xz")
    return found


def read_passages(path: Path) -> Iterator[str]:
    """The passages of a file: a line of a .txt, the `text` field of a line of a .jsonl.

    Empty passages are left out. Raises `InvalidFile` with the line for text that is not UTF-8,
    a line that is not such an object, and a damaged archive.
    """
    is_json = file_format(path) == ".jsonl"
    for number, line in lines.read_lines(path):
        text = _field(path, number, line) if is_json else line
        if stripped := text.strip():
            yield stripped


def content_hash(path: Path) -> str:
    """A hash of a file's bytes as they lie on disk, in hexadecimal."""
    digest = hashlib.blake2b(digest_size=16)
    with _naming(path), path.open("rb") as file:
        while block := file.read(_BYTES_AT_A_TIME):
            digest.update(block)
    return digest.hexdigest()


def _field(path: Path, number: int, line: str) -> str:
    if not line.strip():
        return ""
    value = lines.parse_json(path, number, line)
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise InvalidFile(path, 'is not an object with a string "text"', number)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidFile(path, "has a lone surrogate, which is no character", number) from None
    return text


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from error
