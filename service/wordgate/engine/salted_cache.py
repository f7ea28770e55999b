"""A view of the state cache under salted keys, so tenants cannot probe each other by timing.

Entries stored under one salt are never found under another. Results do not depend on the salt.
"""

from collections.abc import Sequence
from hashlib import blake2b

from wordgate.engine.lstm_state import NetworkState
from wordgate.engine.state_cache import StateCache
from wordgate.lm.requests import Row


class SaltedCache:
    """A `StateStore` that shares the memory of a `StateCache` but has keys of its own."""

    def __init__(self, cache: StateCache, salt: bytes) -> None:
        self._cache = cache
        self._salt = salt
        self.seed = self._salted(cache.seed)

    def longest(self, keys: Sequence[bytes]) -> tuple[NetworkState, int]:
        """Same as `StateCache.longest`; the keys are derived from the salted seed."""
        return self._cache.longest(keys)

    def state(self, key: bytes) -> NetworkState | None:
        """Same as `StateCache.state`."""
        return self._cache.state(key)

    def keep(self, key: bytes, state: NetworkState) -> NetworkState:
        """Same as `StateCache.keep`."""
        return self._cache.keep(key, state)

    def row(self, key: bytes, level: int) -> Row | None:
        """Same as `StateCache.row`."""
        return self._cache.row(key, level)

    def keep_row(self, key: bytes, level: int, row: Row) -> Row:
        """Same as `StateCache.keep_row`."""
        return self._cache.keep_row(key, level, row)

    def get_key(self, digest: bytes) -> bytes | None:
        """Same as `StateCache.get_key`, but only for texts read under this salt."""
        return self._cache.get_key(self._salted(digest))

    def keep_key_of_text(self, digest: bytes, key: bytes) -> None:
        """Same as `StateCache.keep_key_of_text`, but under this salt."""
        self._cache.keep_key_of_text(self._salted(digest), key)

    def _salted(self, key: bytes) -> bytes:
        return blake2b(key, key=self._salt, digest_size=16).digest()
