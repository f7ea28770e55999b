"""Read numbered lines of text files, plain, .gz or .xz.

A line ends only at a line feed; other Unicode line separators are ordinary characters.
"""

import codecs
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

from wordgate.errors import InvalidFile, InvalidInput, unreadable

COMPRESSIONS = (".gz", ".xz")

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

T = TypeVar("T")

Watch = Callable[[int], None]
"""Callback for progress: receives the number of bytes read from the file, before decompression."""


def unwatched(position: int) -> None:
    """Ignore progress."""


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers from 1, without line ends and byte order mark.

    Raises `InvalidFile` if the file does not exist, and with the line number for text that is not
    UTF-8 and for a damaged archive.
    """
    for number, raw in raw_lines(path):
        yield number, decode(path, number, raw)


def raw_lines(path: Path, watch: Watch = unwatched) -> Iterator[tuple[int, bytes]]:
    """Yield undecoded lines with their numbers; `decode` them one by one to skip invalid UTF-8.

    Raises `InvalidFile` like `read_lines`, but not for text that is not UTF-8.
    """
    number = 0
    try:
        with path.open("rb") as packed, _unpacked(path, packed) as file:
            placed = packed.seekable()  # a pipe has no position
            for number, raw in enumerate(file, 1):
                if placed:
                    watch(packed.tell())
                yield number, raw
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise InvalidFile(path, f"cannot be read: {error}", number + 1) from error
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise InvalidFile(path, f"cannot be read: {error}", number + 1) from error
        raise unreadable(path, error) from error


def decode(path: Path, number: int, raw: bytes) -> str:
    """Decode a line, without its line end and, on the first line, a byte order mark.

    Raises `InvalidFile` with the line number if it is not UTF-8.
    """
    try:
        line = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start + 1}"
        encoding = "utf-16" if number == 1 and raw.startswith(_UTF_16) else "latin1"
        remedy = f"convert the file, as with iconv -f {encoding} -t utf-8"
        raise InvalidFile(path, f"{problem} of the line; {remedy}", number) from None
    return line.removeprefix("\ufeff") if number == 1 else line


def file_format(path: Path) -> str:
    """Return the suffix that names the format, such as `.txt`, without that of the compression."""
    return uncompressed(path).suffix


def uncompressed(path: Path) -> Path:
    """Return the path without the suffix of the compression."""
    return path.with_suffix("") if path.suffix in COMPRESSIONS else path


def parse_json(path: Path, number: int, line: str) -> Any:
    """Parse a line of JSON. Raises `InvalidFile` with the line number if it is invalid."""
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidFile(path, f"is not JSON: {json_problem(error)}", number) from None
    except (ValueError, RecursionError):
        # Numbers with thousands of digits, or thousands of nested brackets.
        raise InvalidFile(path, "exceeds the JSON parser's limits", number) from None


def json_problem(error: json.JSONDecodeError) -> str:
    """Return the problem and the column of a JSON error."""
    return f"{error.msg.removesuffix(' at')} at column {error.colno}"


def json_records(
    path: Path, lines: Iterable[tuple[int, bytes]], make: Callable[[int, Any], T]
) -> Iterator[T | InvalidFile]:
    """Yield the result of `make` for each line's number and JSON value; skip empty lines.

    Yields an `InvalidFile` with the line number in place of a line that is not UTF-8 or not JSON,
    or for which `make` raises `InvalidInput`.
    """
    for number, raw in lines:
        try:
            line = decode(path, number, raw)
            if line.strip():
                yield make(number, parse_json(path, number, line))
        except InvalidInput as error:
            yield InvalidFile(path, str(error), number)
        except InvalidFile as error:
            yield error


def _unpacked(path: Path, packed: IO[bytes]) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(packed, "rb")  # type: ignore[return-value]
    if path.suffix == ".xz":
        return lzma.open(packed, "rb")
    return packed
