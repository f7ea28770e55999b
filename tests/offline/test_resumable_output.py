"""Crash-safe output files."""

import contextlib
import errno
import gzip
import json
import lzma
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgate.errors import InvalidFile
from wordgate.offline import resumable_output
from wordgate.offline.resumable_output import ResumableFile

RUN = {"lm_weight": "8.0"}


class Killed(BaseException):
    """Ends a run without being caught, like a kill."""


def _unpacked(path: Path) -> str:
    unpack: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".xz": lzma.decompress}
    return unpack.get(path.suffix, bytes)(path.read_bytes()).decode()


def _kill(path: Path, count: int, run: Mapping[str, str] = RUN) -> None:
    """Write some records, and stop without cleanup."""
    file = ResumableFile(path, run)
    for number in range(file.progress.records, count):
        file.write([f"record {number}"], {"records": 1})
    file._file.close()


def _break(path: Path, lines: list[str]) -> None:
    """Raise an error after one record."""
    with contextlib.suppress(Killed), ResumableFile(path, RUN) as file:
        file.bind("model version", "en@1")
        file.write(lines, {})
        raise Killed


def _finish(path: Path, count: int) -> ResumableFile:
    with ResumableFile(path, RUN) as file:
        for number in range(file.progress.records, count):
            file.write([f"record {number}"], {"records": 1})
    return file


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.xz"])
@settings(deadline=None)
@given(st.lists(st.integers(0, 30), max_size=4), st.integers(0, 40), st.booleans())
def test_killed_runs_neither_duplicate_nor_lose_records(
    tmp_path_factory: pytest.TempPathFactory, name: str, kills: list[int], count: int, torn: bool
) -> None:
    """The file is complete after any number of kills and partial writes."""
    path = tmp_path_factory.mktemp("run") / name
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resumable_output, "_BLOCK_BYTES", 60)
        for kill in kills:
            _kill(path, min(kill, count))
            if torn:
                with path.with_name(f"{name}.partial").open("ab") as file:
                    file.write(b"rec\xff")
        finished = _finish(path, count)
    assert _unpacked(path) == "".join(f"record {number}\n" for number in range(count))
    assert finished.progress.sums == ({"records": count} if count else {})
    assert [each.name for each in path.parent.iterdir()] == [name]


def test_an_error_keeps_what_was_written(tmp_path: Path) -> None:
    """A run that ended with an error resumes after its last record."""
    path = tmp_path / "a.txt"
    _break(path, ["one", "more of one"])
    assert not path.exists()
    with ResumableFile(path, RUN) as file:
        assert file.progress.records == 1
        file.write(["two"], {})
    assert path.read_text() == "one\nmore of one\ntwo\n"


def test_other_options_are_refused(tmp_path: Path) -> None:
    """Resuming with different options is rejected."""
    path = tmp_path / "a.txt"
    _break(path, [])
    with pytest.raises(InvalidFile, match=r"lm_weight 8\.0, not 9\.0"):
        ResumableFile(path, {"lm_weight": "9.0"})
    with (
        pytest.raises(InvalidFile, match="model version en@1, not en@2"),
        ResumableFile(path, RUN) as file,
    ):
        file.bind("model version", "en@2")
    path.with_name("a.txt.partial").unlink()
    with ResumableFile(path, {"lm_weight": "9.0"}) as file:
        file.bind("model version", "en@2")
    assert path.read_text() == ""


def test_output_that_cannot_be_resumed_is_named(tmp_path: Path) -> None:
    """A finished file, a locked one, a damaged journal and a truncated file."""
    path = tmp_path / "a.txt"
    with ResumableFile(path, RUN), pytest.raises(InvalidFile, match="by another run"):
        ResumableFile(path, RUN)
    with pytest.raises(InvalidFile, match="already exists"):
        ResumableFile(path, RUN)
    other = tmp_path / "b.txt"
    _break(other, ["one"])
    partial, journal = other.with_name("b.txt.partial"), other.with_name("b.txt.progress")
    assert json.loads(journal.read_text())["bytes"] == 4
    partial.write_bytes(b"o")
    with pytest.raises(InvalidFile, match="shorter"):
        ResumableFile(other, RUN)
    journal.write_text("{")
    with pytest.raises(InvalidFile, match="damaged"):
        ResumableFile(other, RUN)


@pytest.mark.parametrize("step", ["written", "fsync", "replace", "replaced"])
def test_an_interrupt_in_the_middle_of_a_block_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """After Ctrl-C during a write, the block is written exactly once."""
    path = tmp_path / "a.txt"
    interrupted: list[str] = []

    def once(name: str, after: bool = False) -> Callable[..., Any]:
        original: Callable[..., Any] = os.fsync if name == "fsync" else Path.replace

        def interrupt(*arguments: Any) -> Any:
            first = not interrupted
            interrupted.append(name)
            found = original(*arguments) if after or not first else None
            if first:
                raise KeyboardInterrupt
            return found

        return interrupt

    with contextlib.suppress(KeyboardInterrupt), ResumableFile(path, RUN) as file:
        file.write(["one"], {"records": 1})
        file.write(["two"], {"records": 1})
        if step in {"written", "fsync"}:
            monkeypatch.setattr(os, "fsync", once("fsync", after=step == "written"))
        else:
            monkeypatch.setattr(Path, "replace", once("replace", after=step == "replaced"))
        file._commit()
    assert interrupted
    with ResumableFile(path, RUN) as file:
        assert (file.progress.records, file.progress.sums) == (2, {"records": 2})
        file.write(["three"], {"records": 1})
    assert path.read_text() == "one\ntwo\nthree\n"


def test_an_unrelated_partial_file_is_left_alone(tmp_path: Path) -> None:
    """An unrelated file named like a partial one is not changed."""
    path, other = tmp_path / "a.txt", tmp_path / "a.txt.partial"
    other.write_text("somebody's")
    with pytest.raises(InvalidFile, match=r"without its journal a\.txt\.progress"):
        ResumableFile(path, RUN)
    assert other.read_text() == "somebody's"


def test_a_run_that_answered_nothing_leaves_nothing(tmp_path: Path) -> None:
    """An error before the first record leaves no files behind."""
    with contextlib.suppress(Killed), ResumableFile(tmp_path / "a.txt", RUN):
        raise Killed
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disk errors name the file; only committed records are reported as kept."""
    file = ResumableFile(tmp_path / "a.txt", RUN)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file.write(["one"], {})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as refused, file:
        pass
    assert refused.value.filename == str(tmp_path / "a.txt.partial")
    assert file.kept == 0
