"""Crash-safe output file: written in blocks, and resumed after an interruption.

During a run the file is called `NAME.partial`, and the journal `NAME.progress` records how much of
it is committed. The last commit renames it to `NAME`. On resumption, data after the last committed
block is truncated.
"""

import fcntl
import gzip
import json
import lzma
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from io import FileIO
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from wordgate.errors import InvalidFile

_BLOCK_BYTES = 1 << 18
_BLOCK_SECONDS = 2.0
"""A block is committed at either limit; a kill loses the work since the last commit."""


@dataclass
class Progress:
    """Committed state: number of records, bytes of the file, and sums over those records.

    `run` holds the options that must be the same when the run is resumed.
    """

    run: dict[str, str]
    records: int = 0
    bytes: int = 0
    sums: dict[str, int] = field(default_factory=dict)


_Record = tuple[str, Mapping[str, int]]
"""Output lines of a record, and its part of the sums."""


class ResumableFile:
    """Output file of a run, written in the order of its records. Use it as a context manager.

    `.gz` and `.xz` files are compressed block by block, as concatenated streams. Leaving the
    context without an error finishes the file; with an error, the records written so far are kept
    for the next run.
    """

    def __init__(self, path: Path, run: Mapping[str, str]) -> None:
        """Create the file, or resume an earlier run.

        Raises `InvalidFile` if the file is already finished, if another run is writing it, or if it
        was started with a different `run`.
        """
        self._path = path
        self._partial = path.with_name(f"{path.name}.partial")
        self._journal = path.with_name(f"{path.name}.progress")
        self._block_bytes = 0
        self._block_began = monotonic()
        if not self._partial.exists():
            self._refuse_finished()
            self._journal.unlink(missing_ok=True)
        self._file = self._open()
        try:
            self._refuse_finished()
            # A single tuple, replaced atomically: an interrupt never sees a half-updated state.
            self._state: tuple[Progress, list[_Record]] = self._resume(dict(run)), []
            self._write_journal(self._state[0])
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is not None and not self.progress.records:
                self._journal.unlink()
                self._partial.unlink()
                return
            self._commit(whole=kind is None)
            if kind is None:
                self._partial.replace(self._path)
                self._journal.unlink()
        finally:
            self._file.close()

    @property
    def kept(self) -> int:
        """Number of committed records."""
        return self._state[0].records

    @property
    def progress(self) -> Progress:
        """Progress including the current, uncommitted block."""
        counted, block = self._state
        sums = dict(counted.sums)
        for _, part in block:
            for name, value in part.items():
                sums[name] = sums.get(name, 0) + value
        return replace(counted, records=counted.records + len(block), sums=sums)

    def bind(self, name: str, value: str) -> None:
        """Record an option that becomes known during the run and must not change.

        Raises `InvalidFile` if it differs from the recorded value.
        """
        self._refuse_change(name, self._state[0].run.setdefault(name, value), value)

    def write(self, lines: Iterable[str], sums: Mapping[str, int]) -> None:
        """Add the output lines of the next record, and its part of the sums."""
        text = "".join(f"{line}\n" for line in lines)
        self._state[1].append((text, sums))
        self._block_bytes += len(text)
        late = monotonic() - self._block_began >= _BLOCK_SECONDS
        if late or self._block_bytes >= _BLOCK_BYTES:
            self._commit()

    def _refuse_finished(self) -> None:
        if self._path.exists():
            raise InvalidFile(self._path, "already exists; choose another file, or delete it")

    def _open(self) -> FileIO:
        """Open the file with an exclusive lock."""
        file = FileIO(self._partial, "ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_locked = os.fstat(file.fileno()).st_ino == self._partial.stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            is_locked = False
        except BaseException:
            file.close()
            raise
        if not is_locked:
            file.close()
            raise InvalidFile(self._partial, "is being written by another run")
        return file

    def _resume(self, run: dict[str, str]) -> Progress:
        """Return the progress of an earlier run; truncate uncommitted data."""
        progress = self._read_journal(run)
        for name, value in run.items():
            self._refuse_change(name, progress.run.get(name, "unset"), value)
        if os.fstat(self._file.fileno()).st_size < progress.bytes:
            problem = f"is shorter than recorded in {self._journal.name}; delete both to start over"
            raise InvalidFile(self._partial, problem)
        self._file.truncate(progress.bytes)
        return progress

    def _refuse_change(self, name: str, before: str, now: str) -> None:
        if before != now:
            problem = f"was started with {name} {before}, not {now}; use the same options, or"
            raise InvalidFile(self._partial, f"{problem} delete it to start over")

    def _read_journal(self, run: dict[str, str]) -> Progress:
        if not self._journal.exists():
            if os.fstat(self._file.fileno()).st_size:
                problem = f"exists without its journal {self._journal.name}"
                raise InvalidFile(self._partial, f"{problem}; delete it to start over")
            return Progress(run)
        try:
            return Progress(**json.loads(self._journal.read_text("utf-8")))
        except (ValueError, TypeError):
            problem = f"is damaged; delete it and {self._partial.name} to start over"
            raise InvalidFile(self._journal, problem) from None

    def _commit(self, whole: bool = False) -> None:
        """Sync the block to disk, then update the journal. A `whole` file has at least one."""
        before, records = self._state
        block = b""
        if records or (whole and not before.bytes):
            text = "".join(text for text, _ in records)
            block = _packed(text.encode("utf-8"), self._path.suffix)
        try:
            self._file.truncate(before.bytes)  # a failed attempt may have left partial data
            rest = memoryview(block)
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
            after = replace(self.progress, bytes=before.bytes + len(block))
            self._write_journal(after)
        except OSError as error:
            error.filename = error.filename or str(self._partial)
            raise
        self._state = after, []
        self._block_bytes, self._block_began = 0, monotonic()

    def _write_journal(self, progress: Progress) -> None:
        """Replace the journal atomically."""
        draft = self._journal.with_name(f"{self._journal.name}.draft")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(progress), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._journal)


def _packed(block: bytes, ending: str) -> bytes:
    if ending == ".gz":
        return gzip.compress(block, mtime=0)
    return lzma.compress(block) if ending == ".xz" else block
