"""How much an answer depends on the network's state at each earlier step.

The norm of the gradient of the answer's loss with respect to the state after each token, as in
Bengio et al. 1994, Hochreiter and Schmidhuber 1997 and Pascanu et al. 2013.
"""

from copy import deepcopy

import torch
from torch import Tensor

from wordgate.training.model.network import Network


def gradient_norms(network: Network, tokens: Tensor, answers: Tensor) -> dict[str, list[float]]:
    """Return the gradient norms by distance, as fractions of the norm at distance 1.

    `tokens` int64 [time, batch] are read from the zero state; `answers` int64 [batch] come next.
    Item d - 1 of a list is for the state after the token that lies d tokens before the answer: for
    its `hidden` values and, in an LSTM, for its `cells`. The reference is the norm for the hidden
    values at distance 1, from which the answer is predicted. The values are geometric means over
    the batch, in float64. The network must have one layer.
    """
    network = deepcopy(network).double().eval()
    hidden, cells = _read(network, tokens)
    network.loss(hidden[-1], answers).backward()
    norms = {"hidden": _norms(hidden)}
    if network.sizes.cell == "lstm":
        norms["cells"] = _norms(cells)
    reference = norms["hidden"][-1]
    return {
        name: (found - reference).mean(1).exp().flip(0).tolist() for name, found in norms.items()
    }


def _read(network: Network, tokens: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return hidden values and cells [batch, width] after each token; both keep their gradients."""
    [layer] = network.layers
    into, recurrent, bias = layer.parameters()
    weights = (into, recurrent, bias, torch.zeros_like(bias))
    start = network.start(tokens.shape[1])
    hidden, cells = [start.hidden[0]], [start.cells[0]]
    for values in torch.nn.functional.embedding(tokens, network.embedding):
        if network.sizes.cell == "lstm":
            new, cell = torch.lstm_cell(values, (hidden[-1], cells[-1]), *weights)
            cell.retain_grad()
            cells.append(cell)
        else:
            step = torch.gru_cell if network.sizes.cell == "gru" else torch.rnn_tanh_cell
            new = step(values, hidden[-1], *weights)
        new.retain_grad()
        hidden.append(new)
    return hidden[1:], cells[1:]


def _norms(states: list[Tensor]) -> Tensor:
    """Return the logarithms of the gradients' norms, [time, batch]."""
    gradients = torch.stack([state.grad for state in states if state.grad is not None])
    norms: Tensor = gradients.norm(dim=2)
    return norms.log()
