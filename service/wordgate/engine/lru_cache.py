"""A dictionary that is bounded in bytes, least recently used first to go.

Knows keys and sizes; does not know what the values are. Not for several threads.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_ENTRY_BYTES = 400
"""Python's own cost of an entry: the key, the dictionary's place, three objects."""


class LRUCache(Generic[K, V]):
    """Keeps values while they fit into `max_bytes`, Python's own cost counted."""

    def __init__(self, max_bytes: int) -> None:
        self.nbytes = 0
        self.evictions = 0
        self._max_bytes = max_bytes
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What is kept under a key, which is used by this."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def values(self) -> Iterator[V]:
        """All that is kept, the least recently used first."""
        return (value for value, _ in self._entries.values())

    def keep(self, key: K, value: V, nbytes: int) -> None:
        """Keep a value of so many bytes; the least recently used ones make room."""
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
