"""The cells for experiments against their published equations."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from wordgate.training.model.cells import GATES, recurrent_layer
from wordgate.training.model.lstm import LayerWeights
from wordgate.training.model.network import Network, NetworkConfig
from wordgate.training.recipe import Cell

WIDTH, TIMES, BATCH = 6, 5, 3
CELLS: tuple[Cell, ...] = get_args(Cell)


def made(cell: Cell) -> tuple[LayerWeights, Tensor, Tensor]:
    """Return weights, inputs [time, batch, width] and initial hidden values, in float64."""
    random = torch.Generator().manual_seed(4)
    rows = GATES[cell] * WIDTH

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64)

    weights = LayerWeights(draw(rows, WIDTH), draw(rows, WIDTH), draw(rows))
    return weights, draw(TIMES, BATCH, WIDTH), draw(BATCH, WIDTH).tanh()


def run(cell: Cell, index: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Run a layer and return its values and last hidden values."""
    weights, inputs, hidden = made(cell)
    inputs = inputs if index is None else inputs[0]
    found = recurrent_layer(
        cell, inputs, hidden, torch.zeros_like(hidden), weights, index=index, products=torch.float64
    )
    assert not found.cells.any() or cell == "lstm"
    return found.values, found.hidden


def test_the_simple_network_is_elman_s() -> None:
    """h' = tanh(W x + U h + b), Elman 1990."""
    (into, recurrent, bias), inputs, hidden = made("rnn")
    values, last = run("rnn")
    for time in range(TIMES):
        hidden = torch.tanh(inputs[time] @ into.T + hidden @ recurrent.T + bias)
        torch.testing.assert_close(values[time], hidden)
    torch.testing.assert_close(last, hidden)


def test_the_gated_unit_is_cho_s() -> None:
    """h' = (1 - z) n + z h, Cho et al. 2014, with the reset gate after the recurrent product."""
    (into, recurrent, bias), inputs, hidden = made("gru")
    values, last = run("gru")
    for time in range(TIMES):
        reset, update, new = (inputs[time] @ into.T + bias).chunk(3, dim=1)
        from_reset, from_update, from_new = (hidden @ recurrent.T).chunk(3, dim=1)
        keep = torch.sigmoid(update + from_update)
        new = torch.tanh(new + torch.sigmoid(reset + from_reset) * from_new)
        hidden = (1 - keep) * new + keep * hidden
        torch.testing.assert_close(values[time], hidden)
    torch.testing.assert_close(last, hidden)


@pytest.mark.parametrize("cell", CELLS)
def test_an_index_selects_the_rows(cell: Cell) -> None:
    """A layer with an index reads the selected rows at each step."""
    weights, inputs, hidden = made(cell)
    index = torch.tensor([[0, 1, 2], [2, 2, 0], [1, 0, 1], [0, 0, 0], [2, 1, 0]])
    values, _ = run(cell, index)
    written_out = recurrent_layer(
        cell, inputs[0][index], hidden, torch.zeros_like(hidden), weights, products=torch.float64
    )
    torch.testing.assert_close(values, written_out.values)


@pytest.mark.parametrize("cell", CELLS)
def test_a_network_of_any_cell_carries_its_state(cell: Cell) -> None:
    """Reading in two segments equals reading in one."""
    sizes = NetworkConfig(40, 2, 12, (8, 20, 40), cell)
    network = Network(sizes, torch.float32, torch.Generator().manual_seed(1)).eval()
    read = torch.randint(0, 40, (8, 3), generator=torch.Generator().manual_seed(2))
    whole, last = network(read, network.start(3))
    first, state = network(read[:5], network.start(3))
    second, state = network(read[5:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(state, last)


@pytest.mark.parametrize(("cell", "ones"), [("rnn", 0), ("gru", 12), ("lstm", 12)])
def test_gates_that_keep_the_state_begin_half_open(cell: Cell, ones: int) -> None:
    """The forget gate's and the update gate's biases begin at 1, all others at 0."""
    network = Network(NetworkConfig(40, 1, 12, (40,), cell), torch.float32)
    bias = network.get_parameter("layers.0.bias")
    assert bias.shape == (GATES[cell] * 12,)
    assert bias[12:24].sum() == bias.sum() == ones
