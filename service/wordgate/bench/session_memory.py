"""What memory a resting session takes, beside a stream that does nothing.

Knows processes and their memory, on Linux; what a session is is others' business.
"""

import asyncio
from pathlib import Path
from typing import Any

from wordgate.bench.idle_sessions import TYPED, idle_sessions
from wordgate.bench.local_server import local_server
from wordgate.bench.noop_server import noop_server
from wordgate.errors import WordgateError
from wordgate.server.event_loop import loop_factory

_FIRST = 100
"""Sessions that come first and are not counted: with them come threads, caches, free lists."""


def run(model: Path, sessions: int) -> dict[str, Any]:
    """Kilobytes (of 1,024 bytes) of resident memory that a session adds to its server."""
    with local_server(model, calls=1) as own:
        mine = _kilobytes_each(own.address, own.process_id, sessions, TYPED)
    with noop_server() as bare:
        others = _kilobytes_each(bare.address, bare.process_id, sessions, "")
    return {
        "sessions": sessions,
        "kb_per_session": round(mine, 2),
        "kb_per_bare_stream": round(others, 2),
        "kb_beside_bare_stream": round(mine - others, 2),
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
    """Memory of a process that is in RAM. Raises `WordgateError` where Linux is not."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text("utf-8")
    except OSError:
        raise WordgateError("memory is read from /proc, which is not here: use Linux") from None
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return float(line.split()[1])
