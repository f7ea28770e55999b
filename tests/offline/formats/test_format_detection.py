"""Files in a different format than --format says."""

import gzip
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from wordgate.errors import InvalidFile
from wordgate.offline.formats.format_detection import reject_other_format

FILES: dict[str, tuple[bytes, str, str]] = {
    "hocr": (b"<?xml?>\n<html>\n<meta content='ocr_page'/>", "jsonl", "is hOCR"),
    "tsv": (b"level\tpage_num\tblock_num\tpar_num\n", "nemo", "examples/correct_print.py"),
    "binary": (b"u-1 \0BFM ", "jsonl", "is a binary Kaldi archive; convert it to n-best lists"),
    "lattice": (b"utt1 \n0 1 the 1.2,3.4,1_2_3\n1 0.5,0,\n", "kaldi", "lattice-to-nbest"),
    "unlabelled": (b"utt1\n0\t1\t5\t1.2,3.4\n", "slf", "nbest-to-linear"),
    "slf": (b"# x\nVERSION=1.0\nN=2 L=1\n", "jsonl", "--format slf"),
    "srilm": (b"-6.1 -14.2 2 a b\n", "jsonl", "--format srilm"),
    "mesh": (b"name u\nnumaligns 2\n", "slf", "--format srilm"),
    "vosk": (b'{\n  "alternatives" : [{\n', "jsonl", "--format vosk"),
    "vosk line": (b'{"alternatives": [{"text": "a"}]}\n', "srilm", "--format vosk"),
    "json": (b'{"utt": "a", "candidates": ["a"]}\n', "kaldi", "--format jsonl"),
}
MORE_READABLE = {
    "jsonl": b'{"alternatives": 3, "candidates": ["a"]}\n',
    "slf": b"VERSION=1.0\nN=2 L=1\n",
    "srilm": b"-6.1 -14.2 2 a b\n",
    "vosk": b'{"alternatives": []}',
    "nemo": b'{"x": 1}\t-1\n',
}


@pytest.mark.parametrize(("content", "expected", "named"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("packed", [False, True])
def test_the_message_says_what_it_is_and_what_to_do(
    tmp_path: Path, content: bytes, expected: str, named: str, packed: bool
) -> None:
    """A known format, plain or compressed, is detected from its first lines."""
    path = tmp_path / ("a.gz" if packed else "a")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(InvalidFile) as refused:
        reject_other_format(path, expected)
    assert named in str(refused.value)


@pytest.mark.parametrize("expected", MORE_READABLE)
def test_expected_unknown_and_missing_files_are_left_to_the_reader(
    tmp_path: Path, expected: str
) -> None:
    """Expected, unknown and missing files are left to the reader."""
    path = tmp_path / "a"
    for content in (MORE_READABLE[expected], b"", b"hello\nthere\n", b"\xff\xfe"):
        path.write_bytes(content)
        reject_other_format(path, expected)
    reject_other_format(tmp_path / "none", expected)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    """Formats of single files reject folders and name the formats of folders."""
    with pytest.raises(InvalidFile, match="is a folder; folders require --format kaldi"):
        reject_other_format(tmp_path, "jsonl")
    reject_other_format(tmp_path, "kaldi")


def test_a_pipe_is_left_to_its_reader(tmp_path: Path) -> None:
    """A pipe can be read only once and is not inspected."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reject_other_format(pipe, "kaldi")


def test_a_line_of_digits_without_end_is_looked_at_once() -> None:
    """Detection of Kaldi lattices takes linear time."""
    program = (
        "import sys; from pathlib import Path;"
        "from wordgate.offline.formats.format_detection import reject_other_format;"
        "reject_other_format(Path(sys.argv[1]), 'jsonl')"
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"u1\n0 1 the " + b"1" * 200_000 + b"x\n")
        file.flush()
        subprocess.run([sys.executable, "-c", program, file.name], check=True, timeout=60)
