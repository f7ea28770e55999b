"""Lines of files."""

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from wordgate.errors import InvalidFile
from wordgate.offline.lines import file_format, parse_json, read_lines, uncompressed


def test_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    """Other Unicode line separators stay in the line; carriage returns are stripped."""
    file = tmp_path / "a.txt"
    file.write_bytes("\ufeffone\u2028more\x0c\x85\u0085\r\n\ntwo\rthree".encode())
    assert list(read_lines(file)) == [
        (1, "one\u2028more\x0c\x85\u0085"),
        (2, ""),
        (3, "two\rthree"),
    ]


@pytest.mark.parametrize(
    ("ending", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)]
)
def test_packed_files_are_unpacked(
    tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    """The last suffix names the compression, the one before it the format."""
    file = tmp_path / f"my.mails.txt{ending}"
    file.write_bytes(pack("é\nö\n".encode()))
    assert list(read_lines(file)) == [(1, "é"), (2, "ö")]
    assert file_format(file) == ".txt"
    assert uncompressed(file).stem == "my.mails"


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.txt", None, None),
        ("b.txt", b"good\n\xff\n", 2),
        ("c.txt.gz", b"not packed", 1),
        ("d.txt.gz", gzip.compress(b"a\n" * 99, mtime=0)[:-9], None),
        ("e.txt.xz", b"not packed", 1),
        ("f.txt.xz", lzma.compress(b"a\n" * 99)[:-9], None),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: bytes | None, line: int | None
) -> None:
    """A missing file, a non-UTF-8 line, and an invalid or truncated archive."""
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidFile) as refused:
        list(read_lines(file))
    assert refused.value.path == file
    if line is not None or content is None:
        assert refused.value.line == line


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A folder is rejected with a remedy."""
    with pytest.raises(InvalidFile, match="is a folder; name a file"):
        list(read_lines(tmp_path))


def test_text_of_utf_16_is_named(tmp_path: Path) -> None:
    """UTF-16 is detected by its byte order mark, and the remedy names it."""
    file = tmp_path / "a.txt"
    file.write_bytes("hello\n".encode("utf-16"))
    with pytest.raises(InvalidFile, match="iconv -f utf-16 -t utf-8"):
        list(read_lines(file))


def test_wrong_json_is_named_with_its_column(tmp_path: Path) -> None:
    """JSON errors name the column, because lines may be long."""
    with pytest.raises(InvalidFile, match=r"a:3: is not JSON: .* character at column 3$"):
        parse_json(tmp_path / "a", 3, '["\0"]')
