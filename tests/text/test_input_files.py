"""Reading input files and pipes."""

import os
import threading
from pathlib import Path

import pytest

from wordgate.errors import InvalidFile
from wordgate.text import input_files
from wordgate.text.input_files import read_input


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe that is not open."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    """Files are read completely, also empty ones."""
    path = tmp_path / "file"
    for content in (b"", b"calls = 2\n", bytes(200_000)):
        path.write_bytes(content)
        assert read_input(path) == content


def test_a_pipe_without_a_writer_is_refused(pipe: Path) -> None:
    """A blocking open would wait forever."""
    with pytest.raises(InvalidFile, match="is an empty pipe; name a file"):
        read_input(pipe)


def test_a_pipe_is_read_to_its_end(pipe: Path) -> None:
    """A shell's process substitution may still be writing."""
    writer = os.open(pipe, os.O_RDWR)

    def write() -> None:
        for _ in range(100):
            os.write(writer, 1000 * b"x")
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    assert read_input(pipe) == 100_000 * b"x"
    thread.join()


def test_a_silent_writer_times_out(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a silent pipe ends after a bounded time."""
    monkeypatch.setattr(input_files, "_SILENCE_SECONDS", 0.01)
    writer = os.open(pipe, os.O_RDWR)
    with pytest.raises(InvalidFile, match=r"no data for 0\.01 seconds"):
        read_input(pipe)
    os.close(writer)


def test_an_unreadable_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file, a directory and an endless file are errors."""
    monkeypatch.setattr(input_files, "MAX_BYTES", 1000)
    for path, problem in (
        (tmp_path / "missing", "does not exist"),
        (tmp_path, "is a folder; name a file"),
        (Path("/dev/zero"), "has more than 1000 bytes"),
    ):
        with pytest.raises(InvalidFile, match=problem):
            read_input(path)
