"""Reload files when they change, without a restart.

If a changed file is invalid, the previous content stays in use. The failure is logged and counted
once per change.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from wordgate.server.settled_poller import ENDS, SettledPoller, problem_of
from wordgate.server.telemetry.metrics import Metrics

LOOK_SECONDS = 1.0

Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True)
class WatchedFiles:
    """Files that belong together, and the function that reloads them."""

    paths: Sequence[Path]
    read_again: Callable[[], None]


class FileReloader(SettledPoller[str, Stamp]):
    """Polls files by name and reloads those that have changed. The name is a metric label."""

    failure = "file poll failed; keeping the loaded files"

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics
        self._watched: dict[str, WatchedFiles] = {}
        self._read: dict[str, Stamp] = {}

    def watch(self, name: str, paths: Sequence[Path], read_again: Callable[[], None]) -> None:
        """Add files that have just been read."""
        self._watched[name] = WatchedFiles(paths, read_again)
        self._read[name] = _stamp(paths)

    async def run(self, seconds: float) -> None:
        """Poll at this interval until cancelled, if there are files."""
        if self._watched:
            await super().run(seconds)

    def _find(self) -> dict[str, Stamp]:
        return {name: _stamp(files.paths) for name, files in self._watched.items()}

    async def _apply(self, found: Mapping[str, Stamp], settled: Set[str]) -> None:
        for name in settled:
            if found[name] != self._read[name]:
                self._read[name] = found[name]
                await asyncio.to_thread(self._read_again, name)

    def _read_again(self, name: str) -> None:
        try:
            self._watched[name].read_again()
        except ENDS:
            raise
        except BaseException as error:  # noqa: BLE001  the next change may be valid
            problem = problem_of(error)
            self._log.error(
                "file rejected; keeping the previous content", file=name, problem=problem
            )
            self._metrics.reloaded(name, "rejected")
        else:
            self._log.info("file reloaded", file=name)
            self._metrics.reloaded(name, "read")


def _stamp(paths: Sequence[Path]) -> Stamp:
    return tuple(_stamp_of(path) for path in paths)


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
