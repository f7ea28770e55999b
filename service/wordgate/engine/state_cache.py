"""What was computed once, kept for later: states, rows of the output layer, keys of texts.

Knows bytes and keys; does not know what was read. Not for several threads: the engine's thread
owns it. What is found here is bit for bit what computing again would give.
"""

from collections.abc import Iterable, Sequence

from wordgate.engine.lru_cache import LRUCache
from wordgate.engine.lstm_state import NetworkState
from wordgate.lm.requests import Row

DEFAULT_CACHE_BYTES = 256 * 1024 * 1024
_ROWS_SHARE = 4
_TEXTS_SHARE = 32
"""One byte in so many is for rows, and for keys of texts; the others are for states."""


class StateCache:
    """Keeps states and rows under chain hashes (`lm.state_store`), bounded in bytes."""

    def __init__(
        self, start: NetworkState, seed: bytes, max_bytes: int = DEFAULT_CACHE_BYTES
    ) -> None:
        self.start = start
        self.seed = seed
        self.hits = 0
        self.misses = 0
        rows, texts = max_bytes // _ROWS_SHARE, max_bytes // _TEXTS_SHARE
        self._states: LRUCache[bytes, NetworkState] = LRUCache(max_bytes - rows - texts)
        self._rows: LRUCache[tuple[bytes, int], Row] = LRUCache(rows)
        self._texts: LRUCache[bytes, bytes] = LRUCache(texts)

    @property
    def nbytes(self) -> int:
        """Bytes that all that is kept takes, Python's own cost included."""
        return self._states.nbytes + self._rows.nbytes + self._texts.nbytes

    @property
    def evictions(self) -> int:
        """How many states have made room for others."""
        return self._states.evictions

    def kept(self) -> Iterable[NetworkState]:
        """The kept states, the least recently used first."""
        return self._states.values()

    def longest(self, keys: Sequence[bytes]) -> tuple[NetworkState, int]:
        """The kept state of the longest beginning and how many of its keys that uses.

        Counts a hit or a miss for each piece: read before, or to be read now.
        """
        for place in range(len(keys) - 1, -1, -1):
            state = self._states.get(keys[place])
            if state is not None:
                self.hits += place + 1
                self.misses += len(keys) - place - 1
                return state, place + 1
        self.misses += len(keys)
        return self.start, 0

    def state(self, key: bytes) -> NetworkState | None:
        """The kept state of exactly this key."""
        return self._states.get(key)

    def keep(self, key: bytes, state: NetworkState) -> NetworkState:
        """Keep a state, alone; the least recently used ones make room."""
        alone = state.alone()
        self._states.keep(key, alone, alone.nbytes)
        return alone

    def row(self, key: bytes, level: int) -> Row | None:
        """A row of an output level after the pieces of a key."""
        return self._rows.get((key, level))

    def keep_row(self, key: bytes, level: int, row: Row) -> Row:
        """Keep a row, alone; the least recently used ones make room."""
        alone = row.copy()
        self._rows.keep((key, level), alone, alone.nbytes)
        return alone

    def get_key(self, digest: bytes) -> bytes | None:
        """The key of the pieces that a text's context has."""
        return self._texts.get(digest)

    def keep_key_of_text(self, digest: bytes, key: bytes) -> None:
        """Remember the key of a text's context."""
        self._texts.keep(digest, key, len(digest) + len(key))
