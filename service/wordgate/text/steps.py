"""Long computations in steps, so that their caller can pause between them."""

from collections.abc import Generator, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[int, None, T]
"""Yields the work done since the last step, in units of about half a microsecond, and returns a
`T`."""


def finish(steps: Steps[T]) -> T:
    """Run a computation to its end without a pause."""
    try:
        while True:
            next(steps)
    except StopIteration as stop:
        result: T = stop.value
        return result


def stretches(length: int, most: int) -> Iterator[slice]:
    """Cut [0, length) into slices of at most `most` entries."""
    return (slice(first, first + most) for first in range(0, length, most))


def batches(entries: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into parts of at most `most` entries."""
    return (entries[part] for part in stretches(len(entries), most))
