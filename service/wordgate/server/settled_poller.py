"""Poll for changes. A change counts once two polls in a row have found the same.

Files are written one after the other, so what has just changed may be incomplete.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from typing import Any, Generic, TypeVar

import structlog

from wordgate.bundle.bundle import one_line
from wordgate.errors import WordgateError

K = TypeVar("K")
V = TypeVar("V")

ENDS = (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit)
"""Exceptions that end the polling; all others are logged, also those of libraries in Rust."""


class SettledPoller(ABC, Generic[K, V]):
    """Polls values by key. Subclasses find and apply them."""

    failure = "poll failed"
    """Log message for a failed poll."""

    def __init__(self) -> None:
        self._seen: Mapping[K, V] = {}
        self._now = asyncio.Event()
        self._warned = ""
        self._log: Any = structlog.get_logger()

    def poll_now(self) -> None:
        """Poll at once, and count what it finds as settled."""
        self._now.set()

    async def run(self, seconds: float) -> None:
        """Poll at this interval until cancelled. 0: only on `poll_now`."""
        while True:
            at_once = await self._wait(seconds)
            try:
                await self.look(at_once)
                self._warned = ""
            except ENDS:
                raise
            except BaseException as error:  # noqa: BLE001  the next poll may succeed
                self._warn(problem_of(error))

    async def look(self, at_once: bool = False) -> None:
        """Poll once."""
        before, self._seen = self._seen, await asyncio.to_thread(self._find)
        found = self._seen
        settled = {key for key in found if at_once or before.get(key) == found[key]}
        await self._apply(found, settled)

    @abstractmethod
    def _find(self) -> Mapping[K, V]:
        """Return the current values. Called in a thread."""

    @abstractmethod
    async def _apply(self, found: Mapping[K, V], settled: Set[K]) -> None:
        """Use what a poll has found; the values of the keys in `settled` have settled."""

    def _warn(self, problem: str) -> None:
        """Log a failed poll, once per problem."""
        if problem != self._warned:
            self._log.warning(self.failure, problem=problem)
        self._warned = problem

    async def _wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds or None):
                await self._now.wait()
        except TimeoutError:
            return False
        self._now.clear()
        return True


def problem_of(error: BaseException) -> str:
    """Return the message of an expected error; for others, the type and the message."""
    if isinstance(error, OSError | WordgateError):
        return str(error)
    return one_line(f"{type(error).__name__}: {error}")
