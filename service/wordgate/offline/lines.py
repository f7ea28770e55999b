"""Lines of text files, numbered, for all that reads what people wrote line by line.

Knows files and compressions (plain, .gz, .xz); does not know what a line means. A line ends at a
line feed and nowhere else: other separators of Unicode are characters of it.
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
"""Is told how many bytes of a file, as it lies on the disk, were read."""


def unwatched(position: int) -> None:
    """Nobody wants to know."""


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 1, without their ends and a byte order mark at the start.

    Raises `InvalidFile` when there is no such file, with the line for text that is not UTF-8 and
    for a damaged archive.
    """
    for number, raw in raw_lines(path):
        yield number, decode(path, number, raw)


def raw_lines(path: Path, watch: Watch = unwatched) -> Iterator[tuple[int, bytes]]:
    """Lines as bytes with their numbers, for `decode`: one that is not UTF-8 costs itself alone.

    Raises `InvalidFile` as `read_lines`.
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
    """A line's text, without its end and a byte order mark at the start of the first.

    Raises `InvalidFile` with the line when it is not UTF-8.
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
        raise InvalidFile(path, f"is not JSON: {json_problem(error)}", number) from None
    except (ValueError, RecursionError):
        # Numbers of thousands of digits, thousands of brackets.
        raise InvalidFile(path, "is not JSON that can be read here", number) from None


def json_problem(error: json.JSONDecodeError) -> str:
    """What is wrong with JSON, and in which column of its line."""
    return f"{error.msg.removesuffix(' at')} at column {error.colno}"


def json_records(
    path: Path, lines: Iterable[tuple[int, bytes]], make: Callable[[int, Any], T]
) -> Iterator[T | InvalidFile]:
    """What `make` makes of each line's number and JSON; empty lines are passed over.

    An `InvalidFile` with the line stands in place of one that is not UTF-8 or not JSON, or for
    which `make` raises `InvalidInput`.
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
