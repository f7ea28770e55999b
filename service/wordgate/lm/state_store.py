"""The interface of the state cache: model states and output rows, keyed by the tokens read.

Entries may be evicted at any time. Cached values are bit-identical to computed ones, so a hit
changes only the latency, never a result.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

from wordgate.lm.requests import Row, State


class StateStore(Protocol):
    """A cache of states, keyed by the chain hash of the tokens read."""

    seed: bytes
    """Identifies the model and its version. States of different seeds have different keys."""

    def longest_prefix(self, keys: Sequence[bytes]) -> tuple[State, int]:
        """Return the stored state of the longest prefix, and how many of the keys it covers.

        Return the zero state and 0 if none is stored.
        """
        ...

    def put(self, key: bytes, state: State) -> State:
        """Store a state, evicting the least recently used ones. Return it as stored."""
        ...

    def state(self, key: bytes) -> State | None:
        """Return the state stored under this key."""
        ...

    def row(self, key: bytes, level: int) -> Row | None:
        """Return the row of an output level after the tokens of a key."""
        ...

    def put_row(self, key: bytes, level: int, row: Row) -> Row:
        """Store a row, evicting the least recently used ones. Return it as stored."""
        ...

    def get_key(self, digest: bytes) -> bytes | None:
        """Return the key of a text's context, by a digest of the text."""
        ...

    def put_key_of_text(self, digest: bytes, key: bytes) -> None:
        """Store the key of a text's context."""
        ...


class NullStateStore:
    """A store that keeps nothing."""

    def __init__(self, start: State) -> None:
        self.start = start
        self.seed = b""

    def longest_prefix(self, keys: Sequence[bytes]) -> tuple[State, int]:
        """Return the zero state and 0."""
        return self.start, 0

    def put(self, key: bytes, state: State) -> State:
        """Return the state without storing it."""
        return state

    def state(self, key: bytes) -> None:
        """Return None: nothing is stored."""

    def row(self, key: bytes, level: int) -> None:
        """Return None: nothing is stored."""

    def put_row(self, key: bytes, level: int, row: Row) -> Row:
        """Return the row without storing it."""
        return row

    def get_key(self, digest: bytes) -> None:
        """Return None: nothing is stored."""

    def put_key_of_text(self, digest: bytes, key: bytes) -> None:
        """Do nothing."""


def chain_hashes(seed: bytes, tokens: Sequence[int]) -> list[bytes]:
    """Return the key after each token: a hash of the seed and of all tokens so far."""
    keys = []
    key = seed
    for token in tokens:
        key = blake2b(key + token.to_bytes(4, "little"), digest_size=16).digest()
        keys.append(key)
    return keys
