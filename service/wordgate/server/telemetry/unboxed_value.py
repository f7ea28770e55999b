"""Metric values that do not fragment the heap.

A Python float becomes a new object with each change. Python returns memory to the system in blocks
of 1 MB, and a single float keeps its block. A histogram has about twenty buckets, each changed last
at a different time during a large request.
"""

from array import array
from typing import Any

from prometheus_client import values


class UnboxedValue(values.MutexValue):
    """A metric's value, stored in place as a C double."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self._double = array("d", [0.0])

    def inc(self, amount: float) -> None:
        """Add to the value."""
        with self._lock:
            self._double[0] += amount

    def set(self, value: float, timestamp: float | None = None) -> None:
        """Replace the value."""
        with self._lock:
            self._double[0] = value

    def get(self) -> float:
        """Return the value."""
        with self._lock:
            return self._double[0]


def use_unboxed_values() -> None:
    """Store the values of all metrics that this process declares from now on in place."""
    values.ValueClass = UnboxedValue
