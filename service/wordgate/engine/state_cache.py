"""States kept for later, least recently used first to go.

Knows bytes and keys; does not know what was read. Not for several threads: the engine's thread
owns it. A state found here is bit for bit what reading again would give.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from wordgate.engine.states import NetworkState

DEFAULT_CACHE_BYTES = 256 * 1024 * 1024
_ENTRY_BYTES = 400
"""Python's own cost of an entry: the key, the dictionary's place, three objects."""


class StateCache:
    """Keeps states under chain hashes (`core.state_store`), bounded in bytes."""

    def __init__(
        self, start: NetworkState, seed: bytes, max_bytes: int = DEFAULT_CACHE_BYTES
    ) -> None:
        self.start = start
        self.seed = seed
        self.hits = 0
        self.misses = 0
        self.evictions = 0
        self._max_entries = max_bytes // (start.nbytes + _ENTRY_BYTES)
        self._entry_bytes = start.nbytes + _ENTRY_BYTES
        self._states: OrderedDict[bytes, NetworkState] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes that the kept states take, Python's own cost included."""
        return len(self._states) * self._entry_bytes

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
                self._states.move_to_end(keys[place])
                self.hits += place + 1
                self.misses += len(keys) - place - 1
                return state, place + 1
        self.misses += len(keys)
        return self.start, 0

    def keep(self, key: bytes, state: NetworkState) -> NetworkState:
        """Keep a state, alone; the least recently used ones make room."""
        kept = self._states[key] = state.alone()
        self._states.move_to_end(key)
        while len(self._states) > self._max_entries:
            self._states.popitem(last=False)
            self.evictions += 1
        return kept
