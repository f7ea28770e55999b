"""The place of this process among those that torchrun has started; does not import torch."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Number of this process and of all, and its number on this machine (None without torchrun)."""

    rank: int = 0
    size: int = 1
    local_rank: int | None = None


def find_place() -> Place:
    """Return the place that torchrun's environment variables state, or that of a single process."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    if not all(name in os.environ for name in names):
        return Place()
    rank, size, local_rank = (int(os.environ[name]) for name in names)
    return Place(rank, size, local_rank if size > 1 else None)
