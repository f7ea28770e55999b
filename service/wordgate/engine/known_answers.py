"""Answers of the model that the next key will ask for again.

Knows questions, states and bytes; does not know text or searches. While a word is typed the state
before it stays the same, and with it the rows of the output levels after it and the states after
pieces that may begin the word. What is found here is bit for bit what asking again would give.
Not for several threads: as the state cache, it belongs to the engine's thread.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from wordgate.core.asks import Advance, Ask, Asks, LevelRows, Row, T
from wordgate.engine.states import NetworkState


class _Known:
    """What was answered after one state: rows by level, states by piece."""

    __slots__ = ("after", "nbytes", "rows")

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.after: dict[int, NetworkState] = {}
        self.nbytes = 0


class KnownAnswers:
    """Keeps answers by the state that they were asked after, least recently used first to go."""

    def __init__(self, max_bytes: int) -> None:
        self.nbytes = 0
        self._max_bytes = max_bytes
        self._known: OrderedDict[NetworkState, _Known] = OrderedDict()

    def kept(self) -> Iterator[NetworkState]:
        """The states that are kept, or after which something is."""
        for state, known in self._known.items():
            yield state
            yield from known.after.values()

    def recalling(self, asks: Asks[T]) -> Asks[T]:
        """The same generator; only what was not answered before is asked of the model."""
        try:
            ask = next(asks)
            while True:
                ask = asks.send((yield from self._answer(ask)))
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            asks.close()

    def _answer(self, ask: Ask) -> Asks[Any]:
        if isinstance(ask, LevelRows):
            return (yield from self._rows(ask.level, ask.states))
        if isinstance(ask, Advance) and ask.steps:
            return (yield from self._states(ask.steps))
        return (yield ask)

    def _rows(self, level: int, states: Sequence[NetworkState]) -> Asks[list[Row | None]]:
        answers = [self._row(state, level) for state in states]
        missing = [place for place, row in enumerate(answers) if row is None]
        if missing:
            asked = LevelRows(level, [states[place] for place in missing])
            for place, row in zip(missing, (yield asked), strict=True):
                answers[place] = self._keep_row(states[place], level, row)
        return answers

    def _states(self, steps: Sequence[tuple[NetworkState, int]]) -> Asks[list[NetworkState | None]]:
        answers = [self._after(state, piece) for state, piece in steps]
        missing = [place for place, state in enumerate(answers) if state is None]
        if missing:
            asked = Advance([steps[place] for place in missing])
            for place, state in zip(missing, (yield asked), strict=True):
                answers[place] = self._keep_state(*steps[place], state)
        return answers

    def _row(self, state: NetworkState, level: int) -> Row | None:
        known = self._known.get(state)
        if known is None:
            return None
        self._known.move_to_end(state)
        return known.rows.get(level)

    def _after(self, state: NetworkState, piece: int) -> NetworkState | None:
        known = self._known.get(state)
        return None if known is None else known.after.get(piece)

    def _keep_row(self, state: NetworkState, level: int, row: Row) -> Row:
        """Keep a row, out of the array of the call that answered it."""
        known = self._known.setdefault(state, _Known())
        alone = known.rows[level] = row.copy()
        self._grow(known, alone.nbytes)
        return alone

    def _keep_state(self, before: NetworkState, piece: int, state: NetworkState) -> NetworkState:
        """Keep a state in a search's tree; those on the way through a history are not kept."""
        known = self._known.get(before)
        if known is None:
            return state
        alone = known.after[piece] = state.alone()
        self._grow(known, alone.nbytes)
        return alone

    def _grow(self, known: _Known, nbytes: int) -> None:
        known.nbytes += nbytes
        self.nbytes += nbytes
        while self.nbytes > self._max_bytes:
            self.nbytes -= self._known.popitem(last=False)[1].nbytes
