"""Bound the memory of requests in progress and of sessions at rest, by their bytes.

A request takes several times its own size while it is answered: the bytes of all requests together
decide how much memory a server needs.
"""

import asyncio
from collections import deque

from wordgate.engine import malloc_trim
from wordgate.errors import Overloaded, OverloadReason

_RETRY_AFTER_SECONDS = 1.0
_COUNTED_BYTES = 16 * 1024
_LARGE_BYTES = 256 * 1024
_TRIM_SECONDS = 2.0
"""When messages of at least the former size had the latter in all, memory is given back, once in
this time."""

_MAX_WAITING = 100
"""Messages that wait for room; each is in memory already."""


class ByteBudget:
    """Bytes in use, of at most `max_bytes`. One message alone is accepted whatever its size.

    Belongs to the event loop.
    """

    def __init__(self, max_bytes: int) -> None:
        self.used = 0
        self._max_bytes = max_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._freed = 0
        self._trimming: asyncio.TimerHandle | None = None

    def take(self, size: int) -> None:
        """Use bytes, at most half of those that are left: large requests leave room for small ones.

        Raises `Overloaded`.
        """
        if size and self.used and 2 * size > self._max_bytes - self.used:
            problem = f"no memory: {self.used} of {self._max_bytes} bytes are in use; send less"
            problem += ", or retry later"
            raise Overloaded(problem, _RETRY_AFTER_SECONDS, OverloadReason.MEMORY)
        self.used += size

    async def wait_for(self, size: int) -> None:
        """Use bytes once they are free, first come, first served.

        Raises `Overloaded` when too many messages wait.
        """
        if not self._waiting and self._has_room(size):
            self.used += size
            return
        if len(self._waiting) >= _MAX_WAITING:
            problem = f"{_MAX_WAITING} messages wait for memory; retry later"
            raise Overloaded(problem, _RETRY_AFTER_SECONDS, OverloadReason.MEMORY)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.free(size)
            raise

    def free(self, size: int) -> None:
        """Give bytes back."""
        self.used -= size
        self.note_garbage(size)
        while self._waiting and (self._waiting[0][1].done() or self._has_room(self._waiting[0][0])):
            size, turn = self._waiting.popleft()
            if not turn.done():
                self.used += size
                turn.set_result(None)

    def note_garbage(self, size: int) -> None:
        """Take note that work on so many bytes has left free gaps in the heap."""
        if size >= _COUNTED_BYTES:
            self._freed += size
        if self._freed >= _LARGE_BYTES and self._trimming is None:
            self._trimming = asyncio.get_running_loop().call_later(_TRIM_SECONDS, self._trim)

    def _trim(self) -> None:
        """Return what large requests have left of the heap to the system, in a thread."""
        self._trimming, self._freed = None, 0
        asyncio.get_running_loop().run_in_executor(None, malloc_trim.give_back)

    def _has_room(self, size: int) -> bool:
        return not self.used or self.used + size <= self._max_bytes


class Reservation:
    """The part of a budget that one user has, larger or smaller as time goes by."""

    __slots__ = ("_budget", "size")

    def __init__(self, budget: ByteBudget) -> None:
        self.size = 0
        self._budget = budget

    def resize(self, size: int) -> None:
        """Use so many bytes from now on. Raises `Overloaded`, which changes nothing."""
        if size > self.size:
            self._budget.take(size - self.size)
        else:
            self._budget.free(self.size - size)
        self.size = size

    def note_garbage(self, size: int) -> None:
        """As `ByteBudget.note_garbage`."""
        self._budget.note_garbage(size)
