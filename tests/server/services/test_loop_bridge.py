"""Delivery of results to the event loop."""

import asyncio
from threading import Thread

import pytest

from wordgate.server.services.loop_bridge import Handover


async def test_results_of_many_threads_arrive() -> None:
    """Each future gets its own result from any thread."""
    handover = Handover()
    futures = [handover.future() for _ in range(400)]

    def settle(first: int) -> None:
        for number in range(first, 400, 4):
            handover.settle(futures[number], number, None)

    threads = [Thread(target=settle, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    assert await asyncio.gather(*futures) == list(range(400))


async def test_errors_arrive_and_cancelled_futures_are_ignored() -> None:
    """Each future raises its own error; a cancelled one stays cancelled."""
    handover = Handover()
    cancelled, failing, other = (handover.future() for _ in range(3))
    cancelled.cancel()
    handover.settle(cancelled, 1, None)
    handover.settle(failing, None, ValueError("no"))
    handover.settle(other, 2, None)
    with pytest.raises(ValueError, match="no"):
        await failing
    assert await other == 2
    assert cancelled.cancelled()
