"""A file of results that grows in blocks, and goes on where a run was killed.

Knows lines, bytes and how many records they answer; does not know what a record is. While it grows
the file is `NAME.partial`, and `NAME.progress` says how much of it counts; the last block gives it
its name. What was written after the last block counts for nothing and is cut off.
"""

import fcntl
import gzip
import json
import lzma
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from io import FileIO
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from wordgate.errors import InvalidFile

_BLOCK_BYTES = 1 << 18
_BLOCK_SECONDS = 2.0
"""A block ends with whichever comes first; a kill costs the work since the last one."""


@dataclass
class Progress:
    """What counts: records answered, bytes of the file, and sums over those records.

    `run` is what must be the same when the run goes on.
    """

    run: dict[str, str]
    records: int = 0
    bytes: int = 0
    sums: dict[str, int] = field(default_factory=dict)


class ResumableFile:
    """Results of a run, written in the order of its records: a context manager.

    `.gz` and `.xz` are packed block by block, which any reader joins. Leaving it without an error
    finishes the file; with one, what was written so far is kept for the next run.
    """

    def __init__(self, path: Path, run: Mapping[str, str]) -> None:
        """Raises `InvalidFile` for a file that is finished, that another run is writing, or that
        was begun by a `run` with other options."""
        self._path = path
        self._partial = path.with_name(f"{path.name}.partial")
        self._journal = path.with_name(f"{path.name}.progress")
        self._block: list[str] = []
        self._block_bytes = 0
        self._block_began = monotonic()
        if path.exists():
            raise InvalidFile(path, "exists already; name another file, or delete it")
        begun = self._partial.exists()
        self._file = self._open()
        if not begun:
            self._journal.unlink(missing_ok=True)
        try:
            self.progress = self._resume(dict(run))
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
            self._commit(whole=kind is None)
            if kind is None:
                self._partial.replace(self._path)
                self._journal.unlink()
        finally:
            self._file.close()

    def bind(self, name: str, value: str) -> None:
        """Fix what is known only now, and has to be the same in all of the file.

        Raises `InvalidFile` when it is not what it was.
        """
        self._refuse_change(name, self.progress.run.setdefault(name, value), value)

    def write(self, lines: Iterable[str], sums: Mapping[str, int]) -> None:
        """Add the lines that answer the next record, and its part of the sums."""
        for line in lines:
            self._block.append(f"{line}\n")
            self._block_bytes += len(line) + 1
        self.progress.records += 1
        for name, value in sums.items():
            self.progress.sums[name] = self.progress.sums.get(name, 0) + value
        late = monotonic() - self._block_began >= _BLOCK_SECONDS
        if late or self._block_bytes >= _BLOCK_BYTES:
            self._commit()

    def _open(self) -> FileIO:
        file = FileIO(self._partial, "ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise InvalidFile(self._partial, "is being written by another run") from None
        return file

    def _resume(self, run: dict[str, str]) -> Progress:
        """What an earlier run did, whatever it wrote beyond that cut off."""
        progress = self._read_journal() or Progress(run)
        for name, value in run.items():
            self._refuse_change(name, progress.run.get(name, "unset"), value)
        if os.fstat(self._file.fileno()).st_size < progress.bytes:
            problem = f"is shorter than {self._journal.name} says; delete both to begin anew"
            raise InvalidFile(self._partial, problem)
        self._file.truncate(progress.bytes)
        return progress

    def _refuse_change(self, name: str, before: str, now: str) -> None:
        if before != now:
            problem = f"was begun with {name} {before}, not {now}; say the same again, or delete it"
            raise InvalidFile(self._partial, f"{problem} to begin anew")

    def _read_journal(self) -> Progress | None:
        if not self._journal.exists():
            return None
        try:
            return Progress(**json.loads(self._journal.read_text("utf-8")))
        except (ValueError, TypeError):
            problem = f"does not say how far {self._partial.name} got; delete both to begin anew"
            raise InvalidFile(self._journal, problem) from None

    def _commit(self, whole: bool = False) -> None:
        """Have the block on the disk, then say that it counts; a `whole` file has one at least."""
        block = b""
        if self._block or (whole and not self.progress.bytes):
            block = _packed("".join(self._block).encode("utf-8"), self._path.suffix)
        self._file.truncate(self.progress.bytes)  # a try that failed may have left more
        rest = memoryview(block)
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())
        self.progress.bytes += len(block)
        draft = self._journal.with_name(f"{self._journal.name}.draft")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(self.progress), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._journal)
        self._block, self._block_bytes, self._block_began = [], 0, monotonic()


def _packed(block: bytes, ending: str) -> bytes:
    if ending == ".gz":
        return gzip.compress(block, mtime=0)
    return lzma.compress(block) if ending == ".xz" else block
