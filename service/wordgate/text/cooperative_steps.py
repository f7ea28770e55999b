"""Cooperative multitasking: long computations as generators that the caller can pause."""

from collections.abc import Generator, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""A generator that yields often, wherever the caller may pause it, and returns a `T`."""


def finish(steps: Steps[T]) -> T:
    """Run a computation to its end without pausing."""
    try:
        while True:
            next(steps)
    except StopIteration as stop:
        result: T = stop.value
        return result


def stretches(length: int, most: int) -> Iterator[slice]:
    """Split [0, length) into slices of at most `most` entries."""
    return (slice(first, first + most) for first in range(0, length, most))


def batches(entries: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Split a sequence into batches of at most `most` entries."""
    return (entries[part] for part in stretches(len(entries), most))
