"""Where states and rows that were computed once may be found again.

Knows sequences of pieces, opaque states and rows of the output layer. A store may forget at any
time: what is found in it is bit for bit what asking again would give, so nothing but time depends
on it.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

from wordgate.lm.requests import Row, State


class StateStore(Protocol):
    """Keeps states by the chain hash of the pieces that were read."""

    seed: bytes
    """Names the model and its version; states of different seeds never meet."""

    def longest(self, keys: Sequence[bytes]) -> tuple[State, int]:
        """The kept state of the longest beginning and how many of its keys that uses; the zero
        state and 0 when none is kept."""
        ...

    def keep(self, key: bytes, state: State) -> State:
        """Keep a state; the least recently used ones make room. The state, as it is kept."""
        ...

    def state(self, key: bytes) -> State | None:
        """The state kept under exactly this key."""
        ...

    def row(self, key: bytes, level: int) -> Row | None:
        """The row of an output level after the pieces of a key."""
        ...

    def keep_row(self, key: bytes, level: int, row: Row) -> Row:
        """Keep a row; the least recently used ones make room. The row, as it is kept."""
        ...

    def get_key(self, digest: bytes) -> bytes | None:
        """The key of the pieces that a text's context has, by a digest of the text."""
        ...

    def keep_key_of_text(self, digest: bytes, key: bytes) -> None:
        """Remember the key of a text's context."""
        ...


class NullStateStore:
    """Keeps nothing."""

    def __init__(self, start: State) -> None:
        self.start = start
        self.seed = b""

    def longest(self, keys: Sequence[bytes]) -> tuple[State, int]:
        """The zero state: everything is read."""
        return self.start, 0

    def keep(self, key: bytes, state: State) -> State:
        """Forgotten at once."""
        return state

    def state(self, key: bytes) -> None:
        """Nothing is kept."""

    def row(self, key: bytes, level: int) -> None:
        """Nothing is kept."""

    def keep_row(self, key: bytes, level: int, row: Row) -> Row:
        """Forgotten at once."""
        return row

    def get_key(self, digest: bytes) -> None:
        """Nothing is kept."""

    def keep_key_of_text(self, digest: bytes, key: bytes) -> None:
        """Forgotten at once."""


def chain_hashes(seed: bytes, pieces: Sequence[int]) -> list[bytes]:
    """The key after each piece: a hash of the seed and of all pieces up to it."""
    keys = []
    key = seed
    for piece in pieces:
        key = blake2b(key + piece.to_bytes(4, "little"), digest_size=16).digest()
        keys.append(key)
    return keys
