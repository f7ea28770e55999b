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
def test_text_is_a_passage_a_line(tmp_path: Path, packing: str) -> None:
    """A .txt file is one passage a line, packed or not; empty lines are no passages."""
    data = f"{LINES[0]}\n\n  {LINES[1]}  \r\n{LINES[2]}".encode()
    path = _write(tmp_path / f"a.txt{packing}", data)
    assert list(corpus.read_passages(path)) == LINES


@pytest.mark.parametrize("packing", ["", ".gz", ".xz"])
def test_jsonl_is_read_by_its_text_field(tmp_path: Path, packing: str) -> None:
    """A .jsonl file's passages are its `text` fields; line breaks inside one are kept."""
    records = [{"text": line, "id": 1} for line in LINES] + [{"text": "two\nlines"}]
    data = "\n".join(json.dumps(record) for record in records).encode() + b"\n\n"
    path = _write(tmp_path / f"a.jsonl{packing}", data)
    assert list(corpus.read_passages(path)) == [*LINES, "two\nlines"]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    """The mark that some editors put before the first character is dropped."""
    path = _write(tmp_path / "a.txt", b"\xef\xbb\xbfone\n")
    assert list(corpus.read_passages(path)) == ["one"]


@pytest.mark.parametrize(
    ("name", "data", "line", "problem"),
    [
        ("a.txt", b"good\nbad \xff byte\n", 2, "not UTF-8: byte 0xff at byte 5"),
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', 2, "not JSON"),
        ("a.jsonl", b'{"text": "x"}\n{"txt": "x"}\n', 2, '"text"'),
        ("a.jsonl", b'{"text": ' + b"1" * 5000 + b"}\n", 1, "not JSON"),
        ("a.jsonl", b"[" * 100_000 + b"\n", 1, "not JSON"),
        ("a.jsonl", b"[1]\n", 1, '"text"'),
        ("a.jsonl", b'{"text": 3}\n', 1, '"text"'),
        ("a.jsonl", b'{"text": "\\ud800"}\n', 1, "surrogate"),
    ],
)
def test_a_bad_line_names_itself(
    tmp_path: Path, name: str, data: bytes, line: int, problem: str
) -> None:
    """What cannot be read is reported with its file and line."""
    path = _write(tmp_path / name, data)
    with pytest.raises(InvalidFile, match=problem) as raised:
        list(corpus.read_passages(path))
    assert raised.value.path == path
    assert raised.value.line == line


@pytest.mark.parametrize("packing", [".gz", ".xz"])
def test_a_damaged_archive_is_refused(tmp_path: Path, packing: str) -> None:
    """An archive that was cut short, or is none, is reported as such."""
    path = tmp_path / f"a.txt{packing}"
    whole = _write(path, b"some text\n" * 1000).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidFile, match="cannot be read"):
        list(corpus.read_passages(path))
    path.write_bytes(b"plain text\n")
    with pytest.raises(InvalidFile, match="cannot be read"):
        list(corpus.read_passages(path))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Only .txt and .jsonl are text; a missing file says that it does not exist."""
    with pytest.raises(InvalidFile, match=r"neither \.txt nor \.jsonl"):
        list(corpus.read_passages(_write(tmp_path / "a.csv.gz", b"x")))
    with pytest.raises(InvalidFile, match="does not exist"):
        list(corpus.read_passages(tmp_path / "none.txt"))
    with pytest.raises(InvalidFile, match="does not exist"):
        corpus.content_hash(tmp_path / "none.txt")


def test_the_content_hash_follows_the_content(tmp_path: Path) -> None:
    """Equal bytes have equal hashes, other bytes others, whatever the name."""
    one, same = _write(tmp_path / "a.txt", b"x"), _write(tmp_path / "b.txt", b"x")
    other = _write(tmp_path / "c.txt", b"y")
    assert corpus.content_hash(one) == corpus.content_hash(same)
    assert corpus.content_hash(one) != corpus.content_hash(other)
