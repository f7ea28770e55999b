"""Model queries that are answered from the state store where possible.

Cached values are bit-identical to computed ones, so a cache hit never changes a result. A search
for a longer prefix only requests the rows that the search for the shorter prefix did not need.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol, TypeVar

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import ModelTask, OutputRows, Row, State, Step
from wordgate.lm.state_store import StateStore, chain_hashes
from wordgate.lm.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class HashedState:
    """A model state and the hash key of the tokens read so far (`state_store.chain_hashes`)."""

    key: bytes
    state: State

    def key_after(self, pieces: Sequence[int]) -> bytes:
        """Return the key after reading more tokens."""
        return chain_hashes(self.key, pieces)[-1] if pieces else self.key


class _Placed(Protocol):
    """A search node with the context that it has read."""

    @property
    def context(self) -> HashedState: ...


class PendingRow(Protocol):
    """An output row that a search needs: its level, and the node whose context it follows."""

    @property
    def level(self) -> int: ...

    @property
    def node(self) -> _Placed: ...


R = TypeVar("R", bound=PendingRow)


def advance(
    store: StateStore, steps: Sequence[tuple[HashedState, int]]
) -> ModelTask[list[HashedState]]:
    """Read one token after each context. States in the store are not computed again."""
    keys = [context.key_after([piece]) for context, piece in steps]
    found = [store.state(key) for key in keys]
    missing = [place for place, state in enumerate(found) if state is None]
    if missing:
        pending = [(steps[place][0].state, steps[place][1]) for place in missing]
        answers = yield Step(pending)
        for place, state in zip(missing, answers, strict=True):
            found[place] = store.keep(keys[place], state)
    return [HashedState(key, state) for key, state in zip(keys, found, strict=True)]


def output_rows(
    store: StateStore, wanted: Sequence[tuple[HashedState, int]]
) -> ModelTask[list[Row]]:
    """Return one output row per context and level. Rows in the store are reused."""
    rows = [store.row(context.key, level) for context, level in wanted]
    missing = [index for index, row in enumerate(rows) if row is None]
    if missing:
        request = OutputRows((wanted[index][0].state, wanted[index][1]) for index in missing)
        for index, row in zip(missing, (yield request), strict=True):
            context, level = wanted[index]
            rows[index] = store.keep_row(context.key, level, row)
    return [row for row in rows if row is not None]


def answered(store: StateStore, pending: Sequence[R]) -> ModelTask[list[tuple[R, Row]]]:
    """Return each pending row with its values, lower levels first, in one request."""
    ordered = sorted(pending, key=attrgetter("level"))
    rows = yield from output_rows(store, [(each.node.context, each.level) for each in ordered])
    return list(zip(ordered, rows, strict=True))


def word_log_prob(
    pieces: Tokenizer,
    levels: AdaptiveSoftmaxLayout,
    start: HashedState,
    word: str,
    store: StateStore,
) -> ModelTask[float]:
    """Return the log-probability of a word in normal form after a context, without biases."""
    total, context = 0.0, start
    sequence = pieces.encode_word(word)
    for place, piece in enumerate(sequence):
        total += yield from _log_prob(levels, context, piece, store)
        if place < len(sequence) - 1:
            [context] = yield from advance(store, [(context, piece)])
    return total


def _log_prob(
    levels: AdaptiveSoftmaxLayout, context: HashedState, piece: int, store: StateStore
) -> ModelTask[float]:
    """Return the log-probability of a token after a context."""
    [head] = yield from output_rows(store, [(context, 0)])
    level = levels.of(piece)
    if level == 0:
        return float(head[piece])
    [row] = yield from output_rows(store, [(context, level)])
    return float(head[levels.head + level - 1]) + float(row[piece - levels.first(level)])
