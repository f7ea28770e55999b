"""Run long work on the event loop in time slices, so that other calls are answered in between."""

import asyncio
from collections.abc import Iterable
from time import perf_counter

SLICE_SECONDS = 0.0005


async def in_slices(steps: Iterable[None]) -> None:
    """Run all steps, and yield to the event loop after each time slice. Steps should be short."""
    ends_at = perf_counter() + SLICE_SECONDS
    for _ in steps:
        if perf_counter() >= ends_at:
            await asyncio.sleep(0)
            ends_at = perf_counter() + SLICE_SECONDS
