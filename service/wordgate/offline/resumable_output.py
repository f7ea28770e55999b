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
from dataclasses import asdict, dataclass, field, replace
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


_Record = tuple[str, Mapping[str, int]]
"""The lines that answer a record, and its part of the sums."""


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
        self._block_bytes = 0
        self._block_began = monotonic()
        if not self._partial.exists():
            self._refuse_finished()
            self._journal.unlink(missing_ok=True)
        self._file = self._open()
        try:
            self._refuse_finished()
            # One value, replaced at once: an interrupt never finds half of a step taken.
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
        """Records that count already, whatever happens."""
        return self._state[0].records

    @property
    def progress(self) -> Progress:
        """What counts once the present block is written."""
        counted, block = self._state
        sums = dict(counted.sums)
        for _, part in block:
            for name, value in part.items():
                sums[name] = sums.get(name, 0) + value
        return replace(counted, records=counted.records + len(block), sums=sums)

    def bind(self, name: str, value: str) -> None:
        """Fix what is known only now, and has to be the same in all of the file.

        Raises `InvalidFile` when it is not what it was.
        """
        self._refuse_change(name, self._state[0].run.setdefault(name, value), value)

    def write(self, lines: Iterable[str], sums: Mapping[str, int]) -> None:
        """Add the lines that answer the next record, and its part of the sums."""
        text = "".join(f"{line}\n" for line in lines)
        self._state[1].append((text, sums))
        self._block_bytes += len(text)
        late = monotonic() - self._block_began >= _BLOCK_SECONDS
        if late or self._block_bytes >= _BLOCK_BYTES:
            self._commit()

    def _refuse_finished(self) -> None:
        if self._path.exists():
            raise InvalidFile(self._path, "exists already; name another file, or delete it")

    def _open(self) -> FileIO:
        """The file, which no other run writes as long as it is open."""
        file = FileIO(self._partial, "ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.fstat(file.fileno()).st_ino == self._partial.stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            mine = False
        except BaseException:
            file.close()
            raise
        if not mine:
            file.close()
            raise InvalidFile(self._partial, "is being written by another run")
        return file

    def _resume(self, run: dict[str, str]) -> Progress:
        """What an earlier run did, whatever it wrote beyond that cut off."""
        progress = self._read_journal(run)
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

    def _read_journal(self, run: dict[str, str]) -> Progress:
        if not self._journal.exists():
            if os.fstat(self._file.fileno()).st_size:
                problem = f"is there without {self._journal.name}, which says what of it counts"
                raise InvalidFile(self._partial, f"{problem}; delete it to begin anew")
            return Progress(run)
        try:
            return Progress(**json.loads(self._journal.read_text("utf-8")))
        except (ValueError, TypeError):
            problem = f"does not say how far {self._partial.name} got; delete both to begin anew"
            raise InvalidFile(self._journal, problem) from None

    def _commit(self, whole: bool = False) -> None:
        """Have the block on the disk, then say that it counts; a `whole` file has one at least."""
        before, records = self._state
        block = b""
        if records or (whole and not before.bytes):
            text = "".join(text for text, _ in records)
            block = _packed(text.encode("utf-8"), self._path.suffix)
        try:
            self._file.truncate(before.bytes)  # a try that failed may have left more
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
        """Put another journal in the place of the last, at once."""
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
