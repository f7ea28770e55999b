"""Choose the event loop: uvloop if it is installed."""

import asyncio


def loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """Return the loop factory for `asyncio.Runner`; None selects asyncio's default loop."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.Loop
