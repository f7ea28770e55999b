"""Reading passages from files."""

import gzip
import json
import lzma
from pathlib import Path

import pytest

from wordgate.errors import InvalidFile
from wordgate.training.data import corpus

LINES = ["One passage.", "Ein zweiter: süß!", "三"]


def _write(path: Path, data: bytes) -> Path:
    if path.suffix == ".gz":
        data = gzip.compress(data)
    if path.suffix == ".xz":
        data = lzma.compress(data)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("packing", ["", ".gz", ".xz"])
def test_a_text_file_has_one_passage_per_line(tmp_path: Path, packing: str) -> None:
    """A .txt file has one passage per line, compressed or not; empty lines are skipped."""
    data = f"{LINES[0]}\n\n  {LINES[1]}  \r\n{LINES[2]}".encode()
    path = _write(tmp_path / f"a.txt{packing}", data)
    assert list(corpus.read_passages(path)) == LINES


@pytest.mark.parametrize("packing", ["", ".gz", ".xz"])
def test_jsonl_is_read_by_its_text_field(tmp_path: Path, packing: str) -> None:
    """The passages of a .jsonl file are its `text` fields; line breaks inside are kept."""
    records = [{"text": line, "id": 1} for line in LINES] + [{"text": "two\nlines"}]
    data = "\n".join(json.dumps(record) for record in records).encode() + b"\n\n"
    path = _write(tmp_path / f"a.jsonl{packing}", data)
    assert list(corpus.read_passages(path)) == [*LINES, "two\nlines"]


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    """A byte order mark at the beginning of a file is dropped."""
    path = _write(tmp_path / "a.txt", b"\xef\xbb\xbfone\n")
    assert list(corpus.read_passages(path)) == ["one"]


@pytest.mark.parametrize(
    ("name", "data", "line", "problem"),
    [
        ("a.txt", b"good\nbad \xff byte\n", 2, "not UTF-8: byte 0xff at byte 5"),
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', 2, "not JSON"),
        ("a.jsonl", b'{"text": "x"}\n{"txt": "x"}\n', 2, '"text"'),
        ("a.jsonl", b'{"text": ' + b"1" * 5000 + b"}\n", 1, "JSON parser's limits"),
        ("a.jsonl", b"[" * 100_000 + b"\n", 1, "JSON parser's limits"),
        ("a.jsonl", b"[1]\n", 1, '"text"'),
        ("a.jsonl", b'{"text": 3}\n', 1, '"text"'),
        ("a.jsonl", b'{"text": "\\ud800"}\n', 1, "surrogate"),
    ],
)
def test_a_bad_line_names_itself(
    tmp_path: Path, name: str, data: bytes, line: int, problem: str
) -> None:
    """An invalid line is reported with its file and line number."""
    path = _write(tmp_path / name, data)
    with pytest.raises(InvalidFile, match=problem) as raised:
        list(corpus.read_passages(path))
    assert raised.value.path == path
    assert raised.value.line == line


@pytest.mark.parametrize("packing", [".gz", ".xz"])
def test_a_damaged_archive_is_refused(tmp_path: Path, packing: str) -> None:
    """A truncated or invalid archive is reported as unreadable."""
    path = tmp_path / f"a.txt{packing}"
    whole = _write(path, b"some text\n" * 1000).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidFile, match="cannot be read"):
        list(corpus.read_passages(path))
    path.write_bytes(b"plain text\n")
    with pytest.raises(InvalidFile, match="cannot be read"):
        list(corpus.read_passages(path))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Only .txt and .jsonl files are accepted; a missing file is reported as missing."""
    with pytest.raises(InvalidFile, match=r"not a \.txt or \.jsonl file"):
        list(corpus.read_passages(_write(tmp_path / "a.csv.gz", b"x")))
    with pytest.raises(InvalidFile, match="does not exist"):
        list(corpus.read_passages(tmp_path / "none.txt"))
    with pytest.raises(InvalidFile, match="does not exist"):
        corpus.content_hash(tmp_path / "none.txt")


def test_the_content_hash_follows_the_content(tmp_path: Path) -> None:
    """The hash depends on the bytes of a file, not on its name."""
    one, same = _write(tmp_path / "a.txt", b"x"), _write(tmp_path / "b.txt", b"x")
    other = _write(tmp_path / "c.txt", b"y")
    assert corpus.content_hash(one) == corpus.content_hash(same)
    assert corpus.content_hash(one) != corpus.content_hash(other)
