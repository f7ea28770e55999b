"""What is known of the words that may follow a context: states and rows asked for before.

Knows pieces and the store; does not know what is looked for. What is found is bit for bit what
asking again would give, so searches that share a store find the same and only ask for less: a
letter more of a word asks for what its beginning did not need.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import ModelTask, OutputRows, Row, State, Step
from wordgate.lm.state_store import StateStore, chain_hashes
from wordgate.lm.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class HashedState:
    """A state and the key of the pieces that were read to it (`state_store.chain_hashes`)."""

    key: bytes
    state: State

    def key_after(self, pieces: Sequence[int]) -> bytes:
        """The key when these are read too."""
        return chain_hashes(self.key, pieces)[-1] if pieces else self.key


class _Placed(Protocol):
    """A place in a search: what was read to it."""

    @property
    def context(self) -> HashedState: ...


class AskedRow(Protocol):
    """A row that a search wants: its output level, and the place that it comes after."""

    @property
    def level(self) -> int: ...

    @property
    def node(self) -> _Placed: ...


R = TypeVar("R", bound=AskedRow)


def advance(
    store: StateStore, steps: Sequence[tuple[HashedState, int]]
) -> ModelTask[list[HashedState]]:
    """Read one piece after each context; what the store has is not read again."""
    keys = [context.key_after([piece]) for context, piece in steps]
    found = [store.state(key) for key in keys]
    missing = [place for place, state in enumerate(found) if state is None]
    if missing:
        asked = [(steps[place][0].state, steps[place][1]) for place in missing]
        answers = yield Step(asked)
        for place, state in zip(missing, answers, strict=True):
            found[place] = store.keep(keys[place], state)
    return [HashedState(key, state) for key, state in zip(keys, found, strict=True)]


def level_rows(
    store: StateStore, level: int, contexts: Sequence[HashedState]
) -> ModelTask[list[Row]]:
    """All of one output level after each context; what the store has is not asked for again."""
    found = [store.row(context.key, level) for context in contexts]
    missing = [place for place, row in enumerate(found) if row is None]
    if missing:
        answers = yield OutputRows(level, [contexts[place].state for place in missing])
        for place, row in zip(missing, answers, strict=True):
            found[place] = store.keep_row(contexts[place].key, level, row)
    return [row for row in found if row is not None]


def answered(store: StateStore, asked: Sequence[R]) -> ModelTask[list[tuple[R, Row]]]:
    """Each with its row, level by level: all of a level are asked for together."""
    found: list[tuple[R, Row]] = []
    for level in sorted({each.level for each in asked}):
        here = [each for each in asked if each.level == level]
        rows = yield from level_rows(store, level, [each.node.context for each in here])
        found += zip(here, rows, strict=True)
    return found


def word_log_prob(
    pieces: Tokenizer,
    levels: AdaptiveSoftmaxLayout,
    start: HashedState,
    word: str,
    store: StateStore,
) -> ModelTask[float]:
    """The log-probability of one word in normal form after a context, by the model alone."""
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
    """The log-probability of a piece after a context."""
    [head] = yield from level_rows(store, 0, [context])
    level = levels.of(piece)
    if level == 0:
        return float(head[piece])
    [row] = yield from level_rows(store, level, [context])
    return float(head[levels.head + level - 1]) + float(row[piece - levels.first(level)])
