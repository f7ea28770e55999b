"""Model queries that are answered from the state store where possible.

Cached values are bit-identical to computed ones, so a cache hit never changes a result. A search
for a longer prefix only requests the rows that the search for the shorter prefix did not need.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import ModelTask, OutputRows, Row, State, Step, TimeSlice
from wordgate.lm.state_store import StateStore, chain_hashes
from wordgate.lm.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class HashedState:
    """A model state and the hash key of the tokens read so far (`state_store.chain_hashes`)."""

    key: bytes
    state: State

    def key_after(self, tokens: Sequence[int]) -> bytes:
        """Return the key after reading more tokens."""
        return chain_hashes(self.key, tokens)[-1] if tokens else self.key


class _Placed(Protocol):
    """A search node with the context that it has read."""

    @property
    def context(self) -> HashedState: ...


class _RowQuery(Protocol):
    """An output row that a search needs: its level, and the node whose context it follows."""

    @property
    def level(self) -> int: ...

    @property
    def node(self) -> _Placed: ...


R = TypeVar("R", bound=_RowQuery)


class CachedQueries:
    """The model queries of one task, which restart its time slice: a request is a yield."""

    def __init__(
        self, tokenizer: Tokenizer, layout: AdaptiveSoftmaxLayout, store: StateStore
    ) -> None:
        self.tokenizer = tokenizer
        self.layout = layout
        self.time_slice = TimeSlice()
        self._store = store

    def advance(self, steps: Sequence[tuple[HashedState, int]]) -> ModelTask[list[HashedState]]:
        """Read one token after each context. States in the store are not computed again."""
        keys = [context.key_after([token]) for context, token in steps]
        states = [self._store.state(key) for key in keys]
        missing = [index for index, state in enumerate(states) if state is None]
        if missing:
            answers = yield Step([(steps[index][0].state, steps[index][1]) for index in missing])
            self.time_slice.restart()
            for index, state in zip(missing, answers, strict=True):
                states[index] = self._store.put(keys[index], state)
        return [HashedState(key, state) for key, state in zip(keys, states, strict=True)]

    def output_rows(self, wanted: Sequence[tuple[HashedState, int]]) -> ModelTask[list[Row]]:
        """Return one output row per context and level. Rows in the store are reused."""
        store = self._store
        rows: list[Any] = []
        missing: list[int] = []
        request = OutputRows()
        for context, level in wanted:
            row = store.row(context.key, level)
            if row is None:
                missing.append(len(rows))
                request.append((context.state, level))
            rows.append(row)
        if request:
            answers = yield request
            self.time_slice.restart()
            for index, row in zip(missing, answers, strict=True):
                context, level = wanted[index]
                rows[index] = store.put_row(context.key, level, row)
        return rows

    def answered(self, pending: Sequence[R]) -> ModelTask[list[tuple[R, Row]]]:
        """Return each pending row with its values, lower levels first, in one request."""
        if len(pending) > 1:
            pending = sorted(pending, key=attrgetter("level"))
        rows = yield from self.output_rows([(each.node.context, each.level) for each in pending])
        return list(zip(pending, rows, strict=True))

    def read_word(self, context: HashedState, word: str) -> ModelTask[HashedState]:
        """Read a word in normal form after a context."""
        for token in self.tokenizer.encode_word(word):
            [context] = yield from self.advance([(context, token)])
        return context

    def word_log_prob(self, context: HashedState, word: str) -> ModelTask[float]:
        """Return the log-probability of a word in normal form after a context, without biases."""
        total = 0.0
        tokens = self.tokenizer.encode_word(word)
        for index, token in enumerate(tokens):
            if index:
                [context] = yield from self.advance([(context, tokens[index - 1])])
            total += yield from self._log_prob(context, token)
        return total

    def _log_prob(self, context: HashedState, token: int) -> ModelTask[float]:
        """Return the log-probability of a token after a context."""
        [head] = yield from self.output_rows([(context, 0)])
        level = self.layout.of(token)
        if level == 0:
            return float(head[token])
        [row] = yield from self.output_rows([(context, level)])
        cluster = float(head[self.layout.head + level - 1])
        return cluster + float(row[token - self.layout.firsts[level]])
