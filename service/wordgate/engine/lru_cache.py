"""An LRU cache bounded in bytes. Not thread-safe."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_ENTRY_BYTES = 400
"""Python's overhead per entry: the key, the dictionary slot and three objects."""


class LRUCache(Generic[K, V]):
    """Least-recently-used cache of at most `max_bytes`, including Python's overhead."""

    def __init__(self, max_bytes: int) -> None:
        self.nbytes = 0
        self.evictions = 0
        self._max_bytes = max_bytes
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value of a key, or None, and mark it as most recently used."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def values(self) -> Iterator[V]:
        """Return all values, least recently used first."""
        return (value for value, _ in self._entries.values())

    def put(self, key: K, value: V, nbytes: int) -> None:
        """Store a value of `nbytes` bytes; evict the least recently used entries if needed."""
        before = self._entries.pop(key, None)
        if before is not None:
            self.nbytes -= before[1]
        size = nbytes + _ENTRY_BYTES
        self._entries[key] = value, size
        self.nbytes += size
        while self.nbytes > self._max_bytes:
            _, (_, freed) = self._entries.popitem(last=False)
            self.nbytes -= freed
            self.evictions += 1
