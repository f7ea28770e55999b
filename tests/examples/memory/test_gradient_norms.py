"""Gradient norms, where they can be worked out by hand."""

from itertools import pairwise

import pytest
import torch

from gradient_norms import gradient_norms
from wordgate.training.model.network import Network, NetworkConfig
from wordgate.training.recipe import Cell

WIDTH, TIMES, BATCH = 4, 6, 3


def made(cell: Cell) -> Network:
    """Return a network of one layer."""
    sizes = NetworkConfig(20, 1, WIDTH, (20,), cell)
    return Network(sizes, torch.float32, torch.Generator().manual_seed(1))


def measured(network: Network) -> dict[str, list[float]]:
    """Return the norms for a few texts."""
    random = torch.Generator().manual_seed(2)
    tokens = torch.randint(0, 20, (TIMES, BATCH), generator=random)
    return gradient_norms(network, tokens, torch.tensor([1, 2, 3]))


def test_a_linear_network_forgets_at_a_constant_rate() -> None:
    """With h' = tanh(h / 2) near zero, the gradient halves with each step."""
    network = made("rnn")
    with torch.no_grad():
        network.get_parameter("layers.0.input_weight").zero_()
        network.get_parameter("layers.0.hidden_weight").copy_(torch.eye(WIDTH) / 2)
    found = measured(network)
    assert found.keys() == {"hidden"}
    assert found["hidden"] == pytest.approx([0.5**step for step in range(TIMES)])


@pytest.mark.parametrize(("bias", "kept"), [(0.0, 0.5), (50.0, 1.0)])
def test_cells_forget_as_the_forget_gate_says(bias: float, kept: float) -> None:
    """An open forget gate keeps the gradient of the cells whole: the constant error carousel."""
    network = made("lstm")
    with torch.no_grad():
        for part in network.layers.parameters():
            part.zero_()
        network.get_parameter("layers.0.bias")[WIDTH : 2 * WIDTH] = bias
    cells = measured(network)["cells"]
    ratios = [later / earlier for earlier, later in pairwise(cells)]
    assert ratios == pytest.approx([kept] * (TIMES - 1))


def test_an_update_gate_keeps_the_hidden_values() -> None:
    """A GRU whose update gate is open keeps the gradient of its hidden values whole."""
    network = made("gru")
    with torch.no_grad():
        for part in network.layers.parameters():
            part.zero_()
        network.get_parameter("layers.0.bias")[WIDTH : 2 * WIDTH] = 50.0
    assert measured(network)["hidden"] == pytest.approx([1.0] * TIMES)
