"""Read text passages from files: .txt or .jsonl, plain or compressed (.gz, .xz)."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from wordgate.errors import InvalidFile, unreadable
from wordgate.offline import lines

_BYTES_PER_READ = 1 << 20
_FORMATS = (".txt", ".jsonl")


def file_format(path: Path) -> str:
    """Return `.txt` or `.jsonl`, ignoring compression. Raises `InvalidFile` for other formats."""
    suffix = lines.file_format(path)
    if suffix not in _FORMATS:
        raise InvalidFile(path, "is not a .txt or .jsonl file (plain, .gz or .xz)")
    return suffix


def read_passages(path: Path) -> Iterator[str]:
    """Yield the non-empty passages of a file.

    A passage is a line of a .txt file, or the `text` field of a line of a .jsonl file. Raises
    `InvalidFile` with the line number for text that is not UTF-8, a line that is not such an
    object, and a corrupt archive.
    """
    is_json = file_format(path) == ".jsonl"
    for number, line in lines.read_lines(path):
        text = _field(path, number, line) if is_json else line
        if stripped := text.strip():
            yield stripped


def content_hash(path: Path) -> str:
    """Return a hexadecimal hash of a file's raw bytes."""
    digest = hashlib.blake2b(digest_size=16)
    with _naming(path), path.open("rb") as file:
        while block := file.read(_BYTES_PER_READ):
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
        raise InvalidFile(
            path, "contains a lone surrogate, which is not a character", number
        ) from None
    return text


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from error
