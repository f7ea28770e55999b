"""Which event loop a process of ours runs: uvloop's where that is installed."""

import asyncio


def loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """For `asyncio.Runner`; None stands for asyncio's own."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.Loop
