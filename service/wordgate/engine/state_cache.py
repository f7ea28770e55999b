"""Cache of LSTM states, output-layer rows and text keys. Not thread-safe.

A hit is bit-identical to the recomputed value.
"""

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from wordgate.engine.lru_cache import LRUCache
from wordgate.engine.lstm_state import NetworkState
from wordgate.lm.requests import Row

DEFAULT_CACHE_BYTES = 256 * 1024 * 1024
_ROWS_SHARE = 4
_TEXTS_SHARE = 32
"""Cache budget: 1/4 for output rows, 1/32 for text keys, the rest for states."""


class StateCache:
    """LRU caches of states and rows under chain hashes (`lm.state_store`), bounded in bytes."""

    def __init__(
        self, start: NetworkState, seed: bytes, max_bytes: int = DEFAULT_CACHE_BYTES
    ) -> None:
        self.start = start
        self.seed = seed
        self._counts: Counter[str] = Counter()
        rows, texts = max_bytes // _ROWS_SHARE, max_bytes // _TEXTS_SHARE
        self._states: LRUCache[bytes, NetworkState] = LRUCache(max_bytes - rows - texts)
        self._rows: LRUCache[tuple[bytes, int], Row] = LRUCache(rows)
        self._texts: LRUCache[tuple[bytes, bytes], bytes] = LRUCache(texts)

    def namespaced(self, namespace: bytes) -> "StateCache":
        """Return a view with keys of its own, so that tenants cannot probe each other by timing.

        The views share their memory and counts. No entry is found under another namespace.
        """
        view = copy.copy(self)
        view.seed = blake2b(self.seed, key=namespace, digest_size=16).digest()
        return view

    @property
    def hits(self) -> int:
        """Number of tokens whose states were found."""
        return self._counts["hits"]

    @property
    def misses(self) -> int:
        """Number of tokens whose states were not found."""
        return self._counts["misses"]

    @property
    def nbytes(self) -> int:
        """Size of all entries in bytes, including Python's overhead."""
        return self._states.nbytes + self._rows.nbytes + self._texts.nbytes

    @property
    def evictions(self) -> int:
        """Number of evicted states."""
        return self._states.evictions

    def kept(self) -> Iterable[NetworkState]:
        """Return the cached states, least recently used first."""
        return self._states.values()

    def longest_prefix(self, keys: Sequence[bytes]) -> tuple[NetworkState, int]:
        """Return the state of the longest cached prefix of `keys`, and the length of that prefix.

        Counts one hit per token of the prefix and one miss per token after it.
        """
        for index in range(len(keys) - 1, -1, -1):
            state = self._states.get(keys[index])
            if state is not None:
                self._counts["hits"] += index + 1
                self._counts["misses"] += len(keys) - index - 1
                return state, index + 1
        self._counts["misses"] += len(keys)
        return self.start, 0

    def state(self, key: bytes) -> NetworkState | None:
        """Return the state of a key, or None."""
        return self._states.get(key)

    def put(self, key: bytes, state: NetworkState) -> NetworkState:
        """Store a copy of a state and return it; evict the least recently used states if needed."""
        detached = state.detach()
        self._states.put(key, detached, detached.nbytes)
        return detached

    def row(self, key: bytes, level: int) -> Row | None:
        """Return the row of an output level after the tokens of a key, or None."""
        return self._rows.get((key, level))

    def put_row(self, key: bytes, level: int, row: Row) -> Row:
        """Store a copy of a row and return it; evict the least recently used rows if needed."""
        detached = row.copy()
        self._rows.put((key, level), detached, detached.nbytes)
        return detached

    def get_key(self, digest: bytes) -> bytes | None:
        """Return the key of a text's context by the digest of the text, or None."""
        return self._texts.get((self.seed, digest))

    def put_key_of_text(self, digest: bytes, key: bytes) -> None:
        """Store the key of a text's context under the digest of the text."""
        self._texts.put((self.seed, digest), key, len(digest) + len(key))
