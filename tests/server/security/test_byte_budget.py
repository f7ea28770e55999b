"""How many bytes of requests are in memory at once."""

import asyncio

import pytest

from wordgate.errors import Overloaded, OverloadReason
from wordgate.server.security.byte_budget import ByteBudget


def test_large_requests_leave_room_for_small_ones() -> None:
    """A request takes half of what is left at most, so there is always room for a smaller one."""
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
    """The limit of a message is another one's; alone a message has room."""
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


async def test_what_is_cancelled_while_it_waits_holds_nothing() -> None:
    """Neither before its turn nor in the moment of it."""
    budget = ByteBudget(100)
    await budget.wait_for(100)
    waiting = [asyncio.create_task(budget.wait_for(50)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    budget.free(100)  # the turn of both that are left
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert budget.used == 50


async def test_not_too_many_wait() -> None:
    """What waits is in memory already."""
    budget = ByteBudget(1)
    await budget.wait_for(1)
    waiting = [asyncio.create_task(budget.wait_for(1)) for _ in range(100)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await budget.wait_for(1)
    for each in waiting:
        each.cancel()
