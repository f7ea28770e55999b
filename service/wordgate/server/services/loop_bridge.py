"""Results on their way from the engine's threads to the event loop.

Knows futures, threads and one event loop; does not know what the results are. All that are there
are settled at one wake-up of the loop, which costs more than the result itself.
"""

import asyncio
from collections import deque
from typing import Any

from wordgate.errors import WordgateError, drop_traceback


class Handover:
    """Settles futures of the event loop in which it was made, for other threads."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_woken = False

    def future(self) -> "asyncio.Future[Any]":
        """A future to be settled."""
        return self._loop.create_future()

    def settle(
        self, future: "asyncio.Future[Any]", result: Any, error: BaseException | None
    ) -> None:
        """Give a future its result or its error, soon; nothing if it is done. For any thread."""
        self._arrived.append((future, result, error))
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._settle_all)

    def _settle_all(self) -> None:
        self._is_woken = False  # before looking: what arrives from now on wakes the loop again
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
