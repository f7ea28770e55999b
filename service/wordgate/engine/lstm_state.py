"""What the network remembers, as rows of the arrays that a call answered.

Knows arrays and rows; does not know graphs. States that one call answered stay together in its
arrays, so that nothing is copied until they are gathered for the next call: most of them come from
few arrays, and a run of neighbours is gathered by one instruction of numpy.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray


class StateBatch:
    """States of one call: `hidden` [rows, layers * width], uint8 (float32 in float32 bundles);
    `cells` float32 of that shape. Never changed once made."""

    __slots__ = ("cells", "hidden")

    def __init__(self, hidden: NDArray[Any], cells: NDArray[np.float32]) -> None:
        self.hidden = hidden
        self.cells = cells

    def states(self) -> "list[NetworkState]":
        """Its rows as states."""
        return list(map(NetworkState, repeat(self), range(len(self.hidden))))


class NetworkState:
    """What the network remembers after reading some pieces: a row of a block.

    It keeps the whole block alive; what is kept for long is `alone`.
    """

    __slots__ = ("block", "row")

    def __init__(self, block: StateBatch, row: int) -> None:
        self.block = block
        self.row = row

    @property
    def hidden(self) -> NDArray[Any]:
        """[layers * width], uint8 (float32 in float32 bundles)."""
        values: NDArray[Any] = self.block.hidden[self.row]
        return values

    @property
    def cells(self) -> NDArray[np.float32]:
        """[layers * width], float32."""
        values: NDArray[np.float32] = self.block.cells[self.row]
        return values

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the values take."""
        return int(self.hidden.nbytes + self.cells.nbytes)

    def alone(self) -> "NetworkState":
        """The same state in a block of its own."""
        if len(self.block.hidden) == 1:
            return self
        rows = slice(self.row, self.row + 1)
        return NetworkState(
            StateBatch(self.block.hidden[rows].copy(), self.block.cells[rows].copy()), 0
        )


def gather(states: Sequence[NetworkState]) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """The hidden values and the cells of states, as the step's graph reads them."""
    runs = _runs(states)
    if len(runs) == 1:
        block, rows = runs[0]
        return block.hidden[rows], block.cells[rows]
    first = states[0].block
    hidden = np.empty((len(states), first.hidden.shape[1]), first.hidden.dtype)
    cells = np.empty((len(states), first.cells.shape[1]), np.float32)
    start = 0
    for block, rows in runs:
        end = start + len(rows)
        block.hidden.take(rows, 0, hidden[start:end], "clip")
        block.cells.take(rows, 0, cells[start:end], "clip")
        start = end
    return hidden, cells


def gather_top(states: Sequence[NetworkState], width: int) -> NDArray[Any]:
    """The last layer's hidden values of states, [rows, width], as the output graphs read them."""
    runs = _runs(states)
    if len(runs) == 1:
        block, rows = runs[0]
        alone: NDArray[Any] = block.hidden[rows, -width:]
        return alone
    top = np.empty((len(states), width), states[0].block.hidden.dtype)
    start = 0
    for block, rows in runs:
        end = start + len(rows)
        top[start:end] = block.hidden[rows, -width:]
        start = end
    return top


def _runs(states: Sequence[NetworkState]) -> list[tuple[StateBatch, list[int]]]:
    """Neighbours of the same block together, with their rows."""
    runs: list[tuple[StateBatch, list[int]]] = []
    last = None
    for state in states:
        if state.block is not last:
            last = state.block
            rows: list[int] = []
            runs.append((last, rows))
        rows.append(state.row)
    return runs
