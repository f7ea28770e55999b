"""Benchmark the memory per idle typing session, compared with a stream of a no-op server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from wordgate.bench.local_server import local_server
from wordgate.bench.noop_server import noop_server
from wordgate.client import AsyncClient
from wordgate.errors import WordgateError
from wordgate.server.event_loop import loop_factory

TYPED = "See you "
_AT_ONCE = 32
_FIRST = 100
"""Uncounted warm-up sessions; they allocate threads, caches and free lists."""


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


def run(model: Path, sessions: int) -> dict[str, Any]:
    """Return the kilobytes (1,024 bytes) of resident memory per session."""
    with local_server(model, engine_threads=1) as server:
        session_kb = _kilobytes_each(server.address, server.process_id, sessions, TYPED)
    with noop_server() as bare:
        stream_kb = _kilobytes_each(bare.address, bare.process_id, sessions, "")
    return {
        "sessions": sessions,
        "kb_per_session": round(session_kb, 2),
        "kb_per_bare_stream": round(stream_kb, 2),
        "kb_beside_bare_stream": round(session_kb - stream_kb, 2),
        "keys_in_each": len(TYPED),
    }


def _kilobytes_each(address: str, process_id: int, sessions: int, typed: str) -> float:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_grown(address, process_id, sessions, typed)) / sessions


async def _grown(address: str, process_id: int, sessions: int, typed: str) -> float:
    async with idle_sessions(address, _FIRST, typed):
        before = _resident_kilobytes(process_id)
        async with idle_sessions(address, sessions, typed):
            return _resident_kilobytes(process_id) - before


def _resident_kilobytes(process_id: int) -> float:
    size = resident_bytes(process_id)
    if not size:
        raise WordgateError(f"cannot read /proc/{process_id}/status; this needs Linux")
    return size / 1024


def resident_bytes(process_id: int) -> float:
    """Return the resident memory of a process; 0 if it has ended or the system has no /proc."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text("utf-8")
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return float(lines[0].split()[1]) * 1024 if lines else 0.0
