"""The recurrent cells of a network: the LSTM that is served, and two that it is compared with.

The simple recurrent network (Elman 1990) and the gated recurrent unit (Cho et al. 2014) are for
experiments. They run PyTorch's own layers, in the precision of their weights.
"""

import torch
from torch import Tensor

from wordgate.training.model.lstm import LayerOutput, LayerWeights, lstm_layer
from wordgate.training.recipe import Cell

GATES: dict[Cell, int] = {"rnn": 1, "gru": 3, "lstm": 4}
"""Rows of a layer's weights, in units of its width. Order as in PyTorch: the new hidden values; or
reset, update, new values; or input, forget, cell, output. Where there are gates, the second one
keeps the old state when it is open."""


def recurrent_layer(
    cell: Cell,
    inputs: Tensor,
    hidden: Tensor,
    cells: Tensor,
    weights: LayerWeights,
    *,
    index: Tensor | None = None,
    products: torch.dtype = torch.bfloat16,
) -> LayerOutput:
    """Run a layer of any cell over a segment; arguments and results as in `lstm_layer`.

    Only the LSTM uses `products`. The others have no `cells` and return them unchanged. Their
    recurrent bias is zero: the GRU's reset gate multiplies the recurrent product without a bias.
    """
    if cell == "lstm":
        return lstm_layer(inputs, hidden, cells, weights, index=index, products=products)
    values = inputs if index is None else inputs[index]
    layer = torch.gru if cell == "gru" else torch.rnn_tanh
    flat = [*weights, torch.zeros_like(weights.bias)]
    read, last = layer(
        values, hidden[None].contiguous(), flat, True, 1, 0.0, torch.is_grad_enabled(), False, False
    )
    return LayerOutput(read, last[0], cells)
