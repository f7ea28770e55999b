"""Reload files when they change, without a restart.

If a changed file is invalid, the previous content stays in use. The failure is logged and counted
once per change.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from wordgate.errors import WordgateError
from wordgate.server.telemetry.metrics import Metrics

LOOK_SECONDS = 1.0
"""Polling interval. A change is applied once two polls agree, because files that belong together
are written one after the other."""

Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True)
class WatchedFiles:
    """Files that belong together, and the function that reloads them.

    `name` is used as a metric label.
    """

    name: str
    paths: Sequence[Path]
    read_again: Callable[[], None]


class FileReloader:
    """Polls one `WatchedFiles` and reloads it."""

    def __init__(self, files: WatchedFiles, metrics: Metrics) -> None:
        self._files = files
        self._metrics = metrics
        self._read = self._found = _stamp(files.paths)
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Reload the files if they have changed since the last reload, but not since last poll."""
        before, self._found = self._found, _stamp(self._files.paths)
        if self._found == before and before != self._read:
            self._read = before
            self._read_again()

    def _read_again(self) -> None:
        name = self._files.name
        try:
            self._files.read_again()
        except WordgateError as error:
            self._log.error(
                "file rejected; keeping the previous content", file=name, problem=str(error)
            )
        else:
            self._log.info("file reloaded", file=name)
            self._metrics.reloaded(name, "read")
            return
        self._metrics.reloaded(name, "refused")


def _stamp(paths: Sequence[Path]) -> Stamp:
    return tuple(_stamp_of(path) for path in paths)


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
