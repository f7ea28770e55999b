"""Deliver results from the engine's threads to futures of the event loop.

Results are delivered in batches, because waking the loop costs more than the delivery.
"""

import asyncio
from collections import deque
from typing import Any

from wordgate.errors import WordgateError, drop_traceback


class Handover:
    """Settles futures from other threads, in the event loop in which it was created."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_woken = False

    def future(self) -> "asyncio.Future[Any]":
        """Create a future to be settled later."""
        return self._loop.create_future()

    def settle(
        self, future: "asyncio.Future[Any]", result: Any, error: BaseException | None
    ) -> None:
        """Schedule a future's result or error; ignore futures that are done. Thread-safe."""
        self._arrived.append((future, result, error))
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._settle_all)

    def _settle_all(self) -> None:
        self._is_woken = False  # reset first: later arrivals wake the loop again
        while self._arrived:
            future, result, error = self._arrived.popleft()
            if future.done():
                continue
            if error is not None:
                if isinstance(error, WordgateError):
                    drop_traceback(error)
                future.set_exception(error)
            else:
                future.set_result(result)
