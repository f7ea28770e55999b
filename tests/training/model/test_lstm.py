"""The custom LSTM layer against torch.nn.LSTM."""

import pytest
import torch
from torch import Tensor

from wordgate.training.model.lstm import LayerWeights, lstm_layer

WIDTH, TIMES, BATCH = 12, 7, 5


def made(dtype: torch.dtype) -> tuple[torch.nn.LSTM, LayerWeights, Tensor, Tensor, Tensor]:
    """Return torch's layer, the same weights for ours, inputs, hidden values and cells."""
    torch.manual_seed(5)
    theirs = torch.nn.LSTM(WIDTH, WIDTH).to(dtype)
    into, recurrent, *biases = (part.detach().clone() for part in theirs.parameters())
    parts = (into, recurrent, biases[0] + biases[1])
    ours = LayerWeights(*(part.requires_grad_() for part in parts))
    inputs = torch.randn(TIMES, BATCH, WIDTH, dtype=dtype)
    hidden, cells = torch.randn(2, BATCH, WIDTH, dtype=dtype).unbind()
    return theirs, ours, inputs, hidden.tanh(), cells


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_torch_s_layer(dtype: torch.dtype) -> None:
    """Values, last state and all gradients equal those of torch.nn.LSTM."""
    theirs, ours, inputs, hidden, cells = made(dtype)
    their_inputs = inputs.clone().requires_grad_()
    wanted, (last_hidden, last_cells) = theirs(their_inputs, (hidden[None], cells[None]))
    our_inputs = inputs.clone().requires_grad_()
    found = lstm_layer(our_inputs, hidden, cells, ours, products=dtype)
    slope = torch.randn_like(wanted)
    wanted.backward(slope)
    found.values.backward(slope)
    for mine, other in [
        (found.values, wanted),
        (found.hidden, last_hidden[0]),
        (found.cells, last_cells[0]),
        (our_inputs.grad, their_inputs.grad),
        (ours.into.grad, theirs.weight_ih_l0.grad),
        (ours.recurrent.grad, theirs.weight_hh_l0.grad),
        (ours.bias.grad, theirs.bias_ih_l0.grad),
    ]:
        torch.testing.assert_close(mine, other)


def test_repeated_rows_are_read_through_an_index() -> None:
    """Rows with an index give the same results and gradients as expanded rows."""
    _, ours, inputs, hidden, cells = made(torch.float64)
    rows = inputs[0].clone().requires_grad_()
    index = torch.randint(0, BATCH, (TIMES, BATCH), generator=torch.Generator().manual_seed(1))
    results = []
    for written_out in (False, True):
        read, where = (rows[index], None) if written_out else (rows, index)
        found = lstm_layer(read, hidden, cells, ours, index=where, products=torch.float64)
        sources = [rows, *ours]
        results.append([found.values, *torch.autograd.grad(found.values.pow(2).sum(), sources)])
    for short, long in zip(*results, strict=True):
        torch.testing.assert_close(short, long)


def test_bfloat16_products_stay_near() -> None:
    """With bfloat16 products, values differ by less than 0.02 and cells are float32."""
    _, ours, inputs, hidden, cells = made(torch.float32)
    exact = lstm_layer(inputs, hidden, cells, ours, products=torch.float32)
    near = lstm_layer(inputs, hidden, cells, ours, products=torch.bfloat16)
    assert near.values.dtype == near.cells.dtype == torch.float32
    assert float((near.values - exact.values).detach().abs().max()) < 0.02


def test_the_same_input_gives_the_same_bits() -> None:
    """Values and gradients of the same segment are bit-identical in two runs."""
    _, ours, inputs, hidden, cells = made(torch.float32)
    runs = []
    for _ in range(2):
        found = lstm_layer(inputs, hidden, cells, ours, products=torch.bfloat16)
        runs.append([found.values, *torch.autograd.grad(found.values.sum(), list(ours))])
    assert all(torch.equal(first, second) for first, second in zip(*runs, strict=True))
