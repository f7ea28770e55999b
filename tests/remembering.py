"""A store that forgets nothing."""

from collections.abc import Sequence

from wordgate.lm.requests import Row, State
from wordgate.lm.state_store import NullStateStore


class Remembering(NullStateStore):
    """Keeps all states, rows and keys of texts."""

    def __init__(self, start: State) -> None:
        super().__init__(start)
        self.states: dict[bytes, State] = {}
        self.rows: dict[tuple[bytes, int], Row] = {}
        self.keys: dict[bytes, bytes] = {}

    def longest(self, keys: Sequence[bytes]) -> tuple[State, int]:
        """The state of the longest beginning that was kept."""
        for place in range(len(keys), 0, -1):
            if keys[place - 1] in self.states:
                return self.states[keys[place - 1]], place
        return super().longest(keys)

    def keep(self, key: bytes, state: State) -> State:
        """For good."""
        self.states[key] = state
        return state

    def state(self, key: bytes) -> State:
        """If it was kept."""
        return self.states.get(key)

    def keep_row(self, key: bytes, level: int, row: Row) -> Row:
        """For good."""
        self.rows[key, level] = row
        return row

    def row(self, key: bytes, level: int) -> Row | None:  # type: ignore[override]
        """If it was kept."""
        return self.rows.get((key, level))

    def keep_key_of_text(self, digest: bytes, key: bytes) -> None:
        """For good."""
        self.keys[digest] = key

    def get_key(self, digest: bytes) -> bytes | None:  # type: ignore[override]
        """If it was kept."""
        return self.keys.get(digest)
