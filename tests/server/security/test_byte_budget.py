"""The memory budget of requests."""

import asyncio

import pytest

from wordgate.errors import Overloaded, OverloadReason
from wordgate.server.security.byte_budget import ByteBudget


def test_large_requests_leave_room_for_small_ones() -> None:
    """A request takes at most half of the rest, so there is always room for a smaller one."""
    budget = ByteBudget(1000)
    budget.take(500)
    with pytest.raises(Overloaded) as refused:
        budget.take(251)
    assert refused.value.excess is OverloadReason.MEMORY
    for size in (250, 125, 60, 30):
        budget.take(size)
    budget.free(500)
    budget.take(250)


def test_one_request_is_accepted_whatever_its_size() -> None:
    """The message size has its own limit; a single message always has room."""
    budget = ByteBudget(10)
    budget.take(1000)
    budget.take(0)
    with pytest.raises(Overloaded):
        budget.take(1)
    budget.free(1000)
    budget.take(1)


async def test_messages_of_streams_wait_in_order() -> None:
    """A small message does not overtake a large one that waits for room."""
    budget = ByteBudget(100)
    await budget.wait_for(80)
    done: list[str] = []

    async def wait(name: str, size: int) -> None:
        await budget.wait_for(size)
        done.append(name)

    tasks = [asyncio.create_task(wait("large", 60)), asyncio.create_task(wait("small", 10))]
    await asyncio.sleep(0)
    assert done == []
    budget.free(80)
    await asyncio.gather(*tasks)
    assert done == ["large", "small"]
    assert budget.used == 70


async def test_a_message_cancelled_while_waiting_frees_its_bytes() -> None:
    """A message holds no bytes after it was cancelled before its turn or at its turn."""
    budget = ByteBudget(100)
    await budget.wait_for(100)
    waiting = [asyncio.create_task(budget.wait_for(50)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    budget.free(100)  # now both waiting messages fit
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert budget.used == 50


async def test_the_number_of_waiting_messages_is_limited() -> None:
    """Waiting messages are already in memory."""
    budget = ByteBudget(1)
    await budget.wait_for(1)
    waiting = [asyncio.create_task(budget.wait_for(1)) for _ in range(100)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await budget.wait_for(1)
    for each in waiting:
        each.cancel()
