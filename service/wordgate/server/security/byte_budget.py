"""Bound the memory of requests in progress and of idle sessions by their size in bytes.

A request in progress takes several times its size in memory. The total size of the requests in
progress therefore determines how much memory a server needs.
"""

import asyncio
from collections import deque

from wordgate.engine import malloc_trim
from wordgate.errors import Overloaded, OverloadReason

_RETRY_AFTER_SECONDS = 1.0
_COUNTED_BYTES = 16 * 1024
_LARGE_BYTES = 256 * 1024
_TRIM_SECONDS = 2.0
"""After freed messages of at least `_COUNTED_BYTES` add up to `_LARGE_BYTES`, the heap is trimmed,
at most once per this time."""

_MAX_WAITING = 100
"""Maximum number of messages that wait for room. They are already in memory."""


class ByteBudget:
    """A budget of `max_bytes`. While it is unused, one message of any size is accepted.

    Not thread-safe: for use in the event loop.
    """

    def __init__(self, max_bytes: int) -> None:
        self.used = 0
        self._max_bytes = max_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._freed = 0
        self._trimming: asyncio.TimerHandle | None = None

    def take(self, size: int) -> None:
        """Take bytes, at most half of the remaining ones: large requests leave room for small ones.

        Raises `Overloaded`.
        """
        if size and self.used and 2 * size > self._max_bytes - self.used:
            problem = f"overloaded: {self.used} of {self._max_bytes} message bytes in use; send a "
            problem += "smaller message, or retry later"
            raise Overloaded(problem, _RETRY_AFTER_SECONDS, OverloadReason.MEMORY)
        self.used += size

    async def wait_for(self, size: int) -> None:
        """Take bytes once they are free, first come, first served.

        Raises `Overloaded` if too many messages are waiting.
        """
        if not self._waiting and self._has_room(size):
            self.used += size
            return
        if len(self._waiting) >= _MAX_WAITING:
            problem = f"overloaded: {_MAX_WAITING} messages are waiting for memory; retry later"
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
        """Return bytes to the budget and admit waiting messages."""
        self.used -= size
        self.note_garbage(size)
        while self._waiting and (self._waiting[0][1].done() or self._has_room(self._waiting[0][0])):
            size, turn = self._waiting.popleft()
            if not turn.done():
                self.used += size
                turn.set_result(None)

    def note_garbage(self, size: int) -> None:
        """Note that work on this many bytes has fragmented the heap, and schedule trimming it."""
        if size >= _COUNTED_BYTES:
            self._freed += size
        if self._freed >= _LARGE_BYTES and self._trimming is None:
            self._trimming = asyncio.get_running_loop().call_later(_TRIM_SECONDS, self._trim)

    def _trim(self) -> None:
        """Return free heap memory to the operating system, in a thread."""
        self._trimming, self._freed = None, 0
        asyncio.get_running_loop().run_in_executor(None, malloc_trim.give_back)

    def _has_room(self, size: int) -> bool:
        return not self.used or self.used + size <= self._max_bytes


class Reservation:
    """A resizable share of a `ByteBudget`, for one session."""

    __slots__ = ("_budget", "size")

    def __init__(self, budget: ByteBudget) -> None:
        self.size = 0
        self._budget = budget

    def resize(self, size: int) -> None:
        """Change the reserved size. Raises `Overloaded` and then keeps the current size."""
        if size > self.size:
            self._budget.take(size - self.size)
        else:
            self._budget.free(self.size - size)
        self.size = size

    def note_garbage(self, size: int) -> None:
        """Call `ByteBudget.note_garbage`."""
        self._budget.note_garbage(size)
