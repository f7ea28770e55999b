"""Open many typing sessions and keep them idle."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from wordgate.client import AsyncClient

TYPED = "See you "
_AT_ONCE = 32


@asynccontextmanager
async def idle_sessions(address: str, count: int, typed: str = TYPED) -> AsyncIterator[None]:
    """Open `count` sessions, type `typed` in each key by key, and keep them open in the block."""
    async with AsyncClient(address) as client, AsyncExitStack() as opened:
        room = asyncio.Semaphore(_AT_ONCE)

        async def type_in_one() -> None:
            async with room:
                session = await opened.enter_async_context(client.typing_session())
                for letter in typed:
                    await session.wait_for(await session.insert(letter))

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(type_in_one())
        yield
