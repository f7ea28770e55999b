"""LSTM states, kept as rows of the arrays that an inference returned.

States are not copied until they are gathered for the next inference. Most states of a batch come
from a few arrays, and NumPy gathers adjacent states from the same array in one operation.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray


class StateBatch:
    """The states that one inference returned. Immutable.

    `hidden`: uint8 (float32 in float32 bundles) [rows, layers * width]. `cells`: float32, the same
    shape.
    """

    __slots__ = ("cells", "hidden")

    def __init__(self, hidden: NDArray[Any], cells: NDArray[np.float32]) -> None:
        self.hidden = hidden
        self.cells = cells

    def states(self) -> "list[NetworkState]":
        """Return the rows as states."""
        return list(map(NetworkState, repeat(self), range(len(self.hidden))))


class NetworkState:
    """The LSTM state after reading some tokens: a row of a `StateBatch`.

    A state keeps its whole batch in memory. Use `detach` for states that are kept for long.
    """

    __slots__ = ("block", "row")

    def __init__(self, block: StateBatch, row: int) -> None:
        self.block = block
        self.row = row

    @property
    def hidden(self) -> NDArray[Any]:
        """Hidden values: uint8 (float32 in float32 bundles) [layers * width]."""
        values: NDArray[Any] = self.block.hidden[self.row]
        return values

    @property
    def cells(self) -> NDArray[np.float32]:
        """Cell values: float32 [layers * width]."""
        values: NDArray[np.float32] = self.block.cells[self.row]
        return values

    @property
    def nbytes(self) -> int:
        """Size of the values in bytes."""
        block = self.block
        return (block.hidden.nbytes + block.cells.nbytes) // len(block.hidden)

    def detach(self) -> "NetworkState":
        """Return the same state in a batch of its own."""
        if len(self.block.hidden) == 1:
            return self
        rows = slice(self.row, self.row + 1)
        return NetworkState(
            StateBatch(self.block.hidden[rows].copy(), self.block.cells[rows].copy()), 0
        )


def gather(states: Sequence[NetworkState]) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the hidden and cell values of states, as inputs of the step graph."""
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
    """Return the last layer's hidden values [rows, width], as input of the output graphs."""
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
    """Group adjacent states of the same batch; return each batch with its rows."""
    runs: list[tuple[StateBatch, list[int]]] = []
    last = None
    for state in states:
        if state.block is not last:
            last = state.block
            rows: list[int] = []
            runs.append((last, rows))
        rows.append(state.row)
    return runs
