"""Reading the body of a request within the memory budget."""

import asyncio
from typing import Any

import pytest

from wordgate.errors import InvalidInput, Overloaded
from wordgate.server.http.body import Body
from wordgate.server.security.byte_budget import ByteBudget

LARGE = 100_000


def body(budget: ByteBudget, *chunks: bytes, max_bytes: int = 1 << 20, ends: bool = True) -> Body:
    """Return a body that arrives in these chunks and then ends, or is cut off."""
    events: list[dict[str, Any]] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    if ends:
        events[-1]["more_body"] = False
    events.append({"type": "http.disconnect"})

    async def receive() -> Any:
        return events.pop(0)

    return Body(receive, budget, max_bytes)


async def test_a_body_is_passed_on_whole() -> None:
    """Its chunks become one event, and then come those of the connection."""
    read = body(ByteBudget(1 << 20), b"ab", b"c")
    await read.read()
    assert await read.receive() == {"type": "http.request", "body": b"abc", "more_body": False}
    assert await read.receive() == {"type": "http.disconnect"}


async def test_a_large_body_counts_while_it_arrives() -> None:
    """Its bytes are taken from the budget and returned."""
    budget = ByteBudget(1 << 20)
    read = body(budget, b"x" * LARGE)
    with read.reserved():
        await read.read()
        assert budget.used == LARGE
    assert budget.used == 0


async def test_a_body_without_room_is_refused() -> None:
    """The budget of all requests bounds the bodies that are arriving."""
    budget = ByteBudget(2 * LARGE)
    budget.take(LARGE)
    read = body(budget, b"x" * LARGE)
    with pytest.raises(Overloaded), read.reserved():
        await read.read()
    assert budget.used == LARGE


async def test_a_body_above_the_limit_is_refused_before_its_end() -> None:
    """Reading stops at the limit."""
    with pytest.raises(InvalidInput, match="more than 10 bytes"):
        await body(ByteBudget(1 << 20), b"x" * 11, b"never read", max_bytes=10).read()


async def test_a_client_that_disconnects_cancels() -> None:
    """An unfinished body ends the call."""
    with pytest.raises(asyncio.CancelledError):
        await body(ByteBudget(1 << 20), b"x", ends=False).read()
