"""Benchmark the memory per idle typing session, compared with a stream of a no-op server."""

import asyncio
from pathlib import Path
from typing import Any

from wordgate.bench.idle_sessions import TYPED, idle_sessions
from wordgate.bench.local_server import local_server
from wordgate.bench.noop_server import noop_server
from wordgate.errors import WordgateError
from wordgate.server.event_loop import loop_factory

_FIRST = 100
"""Uncounted warm-up sessions; they allocate threads, caches and free lists."""


def run(model: Path, sessions: int) -> dict[str, Any]:
    """Return the kilobytes (1,024 bytes) of resident memory per session."""
    with local_server(model, calls=1) as own:
        session_kb = _kilobytes_each(own.address, own.process_id, sessions, TYPED)
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
        before = resident_kilobytes(process_id)
        async with idle_sessions(address, sessions, typed):
            return resident_kilobytes(process_id) - before


def resident_kilobytes(process_id: int) -> float:
    """Return the resident memory of a process. Raises `WordgateError` on systems without /proc."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text("utf-8")
    except OSError:
        raise WordgateError(f"cannot read /proc/{process_id}/status; this needs Linux") from None
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return float(line.split()[1])
