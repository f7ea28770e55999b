"""Lines of text files, numbered, for all that reads what people wrote line by line.

Knows files and compressions (plain, .gz, .xz); does not know what a line means. A line ends at a
line feed and nowhere else: other separators of Unicode are characters of it.
"""

import gzip
import json
import lzma
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from wordgate.errors import InvalidFile

COMPRESSIONS = (".gz", ".xz")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 1, without their ends and a byte order mark at the start.

    Raises `InvalidFile` when there is no such file, with the line for text that is not UTF-8 and
    for a damaged archive.
    """
    number = 0
    try:
        with _open(path) as file:
            for number, line in numbered(path, file):
                yield number, line
    except FileNotFoundError:
        raise InvalidFile(path, "does not exist") from None
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise InvalidFile(path, f"cannot be read: {error}", number + 1) from error
    except OSError as error:
        line_number = number + 1 if isinstance(error, gzip.BadGzipFile) else None
        raise InvalidFile(
            path, f"cannot be read: {error.strerror or error}", line_number
        ) from error


def numbered(path: Path, file: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """The lines of an open file that is called `path`, as `read_lines` gives them."""
    for number, raw in enumerate(file, 1):
        line = _decode(path, number, raw).rstrip("\r\n")
        yield number, line.removeprefix("\ufeff") if number == 1 else line


def file_format(path: Path) -> str:
    """The ending that says what is in a file, whatever the compression: `.txt`, say."""
    return uncompressed(path).suffix


def uncompressed(path: Path) -> Path:
    """The file's name without the ending of its compression."""
    return path.with_suffix("") if path.suffix in COMPRESSIONS else path


def parse_json(path: Path, number: int, line: str) -> Any:
    """What a line of JSON says. Raises `InvalidFile` with the line for anything else."""
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidFile(path, f"is not JSON: {error.msg}", number) from None
    except (ValueError, RecursionError):
        # Numbers of thousands of digits, thousands of brackets.
        raise InvalidFile(path, "is not JSON that can be read here", number) from None


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    return path.open("rb")


def _decode(path: Path, number: int, raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start + 1}"
        raise InvalidFile(path, f"{problem} of the line", number) from None
