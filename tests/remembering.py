"""A state store without eviction."""

from collections.abc import Sequence

from wordgate.lm.requests import Row, State
from wordgate.lm.state_store import NullStateStore


class Remembering(NullStateStore):
    """A store that keeps all states, rows and text keys."""

    def __init__(self, start: State) -> None:
        super().__init__(start)
        self.states: dict[bytes, State] = {}
        self.rows: dict[tuple[bytes, int], Row] = {}
        self.keys: dict[bytes, bytes] = {}

    def longest_prefix(self, keys: Sequence[bytes]) -> tuple[State, int]:
        """Return the state of the longest stored prefix."""
        for place in range(len(keys), 0, -1):
            if keys[place - 1] in self.states:
                return self.states[keys[place - 1]], place
        return super().longest_prefix(keys)

    def put(self, key: bytes, state: State) -> State:
        """Store a state permanently."""
        self.states[key] = state
        return state

    def state(self, key: bytes) -> State:
        """Return a state if it is stored."""
        return self.states.get(key)

    def put_row(self, key: bytes, level: int, row: Row) -> Row:
        """Store a row permanently."""
        self.rows[key, level] = row
        return row

    def row(self, key: bytes, level: int) -> Row | None:  # type: ignore[override]
        """Return a row if it is stored."""
        return self.rows.get((key, level))

    def put_key_of_text(self, digest: bytes, key: bytes) -> None:
        """Store the key of a text permanently."""
        self.keys[digest] = key

    def get_key(self, digest: bytes) -> bytes | None:  # type: ignore[override]
        """Return the key of a text if it is stored."""
        return self.keys.get(digest)
