"""LSTM states as rows of the arrays that an inference returned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgate.engine.lstm_state import NetworkState, StateBatch, gather, gather_top

_generator = np.random.default_rng(0)
BLOCKS = [
    StateBatch(
        _generator.integers(0, 256, (rows, 6)).astype(np.uint8),
        _generator.normal(size=(rows, 6)).astype(np.float32),
    )
    for rows in (1, 3, 5)
]
STATES = [state for block in BLOCKS for state in block.states()]


@given(st.lists(st.sampled_from(STATES), min_size=1, max_size=12))
def test_states_are_gathered_in_order(states: list[NetworkState]) -> None:
    """Rows from any batches are in the order given, also for the last layer only."""
    hidden, cells = gather(states)
    assert hidden.dtype == np.uint8
    assert [row.tolist() for row in hidden] == [s.hidden.tolist() for s in states]
    assert [row.tolist() for row in cells] == [s.cells.tolist() for s in states]
    top = gather_top(states, 2)
    assert [row.tolist() for row in top] == [s.hidden[-2:].tolist() for s in states]


@pytest.mark.parametrize("state", STATES)
def test_alone_copies_a_state_bit_for_bit(state: NetworkState) -> None:
    """Values are equal; a state that is already detached is not copied."""
    detached = state.detach()
    assert detached.hidden.tolist() == state.hidden.tolist()
    assert detached.cells.tolist() == state.cells.tolist()
    assert detached.detach() is detached
    assert detached.nbytes == 6 + 24
