"""A part of the state cache that is found with a salt alone.

Knows keys; does not know who has which salt. What is kept under one salt is never found under
another, so the time of an answer says nothing of what others have asked. Bits do not change.
"""

from collections.abc import Sequence
from hashlib import blake2b

from wordgate.engine.lstm_state import NetworkState
from wordgate.engine.state_cache import StateCache
from wordgate.lm.requests import Row


class SaltedCache:
    """A `StateStore` in the memory of another, under keys of its own."""

    def __init__(self, cache: StateCache, salt: bytes) -> None:
        self._cache = cache
        self._salt = salt
        self.seed = self._salted(cache.seed)

    def longest(self, keys: Sequence[bytes]) -> tuple[NetworkState, int]:
        """As `StateCache.longest`; the keys come from the salted seed."""
        return self._cache.longest(keys)

    def state(self, key: bytes) -> NetworkState | None:
        """As `StateCache.state`."""
        return self._cache.state(key)

    def keep(self, key: bytes, state: NetworkState) -> NetworkState:
        """As `StateCache.keep`."""
        return self._cache.keep(key, state)

    def row(self, key: bytes, level: int) -> Row | None:
        """As `StateCache.row`."""
        return self._cache.row(key, level)

    def keep_row(self, key: bytes, level: int, row: Row) -> Row:
        """As `StateCache.keep_row`."""
        return self._cache.keep_row(key, level, row)

    def get_key(self, digest: bytes) -> bytes | None:
        """As `StateCache.get_key`, for texts that were read under this salt."""
        return self._cache.get_key(self._salted(digest))

    def keep_key_of_text(self, digest: bytes, key: bytes) -> None:
        """As `StateCache.keep_key_of_text`."""
        self._cache.keep_key_of_text(self._salted(digest), key)

    def _salted(self, key: bytes) -> bytes:
        return blake2b(key, key=self._salt, digest_size=16).digest()
