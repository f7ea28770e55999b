"""An LSTM layer over a segment, forward and backward, optimised for CPUs.

Three computations are batched over all time steps: the products with the inputs, the parts of the
gradients that do not depend on later steps, and the gradients of the weights. `fused_lstm` is for
CUDA devices.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor


class LayerWeights(NamedTuple):
    """Weights `into` [4 * width, inputs], `recurrent` [4 * width, width] and `bias` [4 * width].

    The gates are in the order input, forget, cell, output, as in torch.nn.LSTM.
    """

    into: Tensor
    recurrent: Tensor
    bias: Tensor


class LayerOutput(NamedTuple):
    """Hidden values [time, batch, width]; the last hidden values and cells [batch, width]."""

    values: Tensor
    hidden: Tensor
    cells: Tensor


def lstm_layer(
    inputs: Tensor,
    hidden: Tensor,
    cells: Tensor,
    weights: LayerWeights,
    *,
    index: Tensor | None = None,
    products: torch.dtype = torch.bfloat16,
) -> LayerOutput:
    """Run the layer over a segment, starting from `hidden` and `cells` [batch, width].

    `inputs` are [time, batch, inputs], or [rows, inputs] with `index` int64 [time, batch] selecting
    the row per step, so that products of repeated rows are computed once. Matrix products use
    `products` with float32 accumulation; everything else uses the type of the weights. Gradients
    flow to inputs and weights, not to `hidden` and `cells`: back-propagation is truncated between
    segments.
    """
    if index is None:
        places = torch.arange(inputs[:, :, 0].numel()).view(inputs.shape[:2])
        run = _Segment(places, False, products, hidden, cells)
        inputs = inputs.flatten(0, 1)
    else:
        run = _Segment(index, True, products, hidden, cells)
    return LayerOutput(*_LstmLayer.apply(run, inputs, *weights))  # type: ignore[no-untyped-call]


class _Segment(NamedTuple):
    """The inputs without gradients, see `lstm_layer`. `places` is the row index per step."""

    places: Tensor
    repeated: bool
    products: torch.dtype
    hidden: Tensor
    cells: Tensor


class _LstmLayer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, run: _Segment, inputs: Tensor, into: Tensor, recurrent: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        low_inputs = inputs.to(run.products)
        low = LayerWeights(*(_doubled(part, run.products) for part in (into, recurrent, bias)))
        input_gates = torch.addmm(low.bias, low_inputs, low.into.T)
        gates, cells, tanh_cells, values, low_hidden = _read(
            run, input_gates, low.recurrent, bias.dtype
        )
        ctx.run = run
        ctx.save_for_backward(low_inputs, *low[:2], gates, cells, tanh_cells, low_hidden)
        last_hidden, last_cells = values[-1].clone(), cells[-1].clone()
        ctx.mark_non_differentiable(last_hidden, last_cells)
        return values, last_hidden, last_cells

    @staticmethod
    def backward(ctx: Any, value_grads: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        low_inputs, into, recurrent, gates, cells, tanh_cells, low_hidden = ctx.saved_tensors
        run: _Segment = ctx.run
        slopes, to_cells = _slopes(gates, cells, tanh_cells)
        low_grads = _read_back(run, slopes, to_cells, gates, value_grads, recurrent)
        by_gate, low_gate = slopes.flatten(0, 1).flatten(1), low_grads.flatten(0, 1)
        recurrent_grad = low_gate.T @ low_hidden.flatten(0, 1)
        if run.repeated:
            summed = by_gate.new_zeros(len(low_inputs), by_gate.shape[1])
            low_gate = summed.index_add_(0, run.places.flatten(), by_gate).to(run.products)
        inputs_grad = (low_gate @ into).to(by_gate.dtype)
        weight_grads = (low_gate.T @ low_inputs, recurrent_grad, by_gate.sum(0))
        return None, inputs_grad, *(_doubled(grad, by_gate.dtype) for grad in weight_grads)


def _doubled(part: Tensor, dtype: torch.dtype) -> Tensor:
    """Copy `part` to `dtype` with the cell gate's rows doubled, which is exact.

    tanh(x) = 2 sigmoid(2 x) - 1, so one sigmoid call serves all four gates. Inside this module
    the cell gate's input is doubled; gradients of the original weights are doubled at the end.
    """
    width = len(part) // 4
    doubled = part.detach().to(dtype, copy=True)
    doubled[2 * width : 3 * width] *= 2
    return doubled


def _read(
    run: _Segment, input_gates: Tensor, recurrent: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Step through the segment. `input_gates` [rows, 4 * width] are the inputs' products.

    Returns the gates' sigmoids [time, batch, 4, width], cells [time + 1, ...] including the initial
    ones, their tanh, the hidden values, and the hidden values before each step in the type of
    the products.
    """
    (times, batch), width = run.places.shape, recurrent.shape[1]
    gates = input_gates.new_empty(times, batch, 4, width, dtype=dtype)
    cells = input_gates.new_empty(times + 1, batch, width, dtype=dtype)
    tanh_cells, values = torch.empty_like(cells[1:]), torch.empty_like(cells[1:])
    low_hidden = input_gates.new_empty(times + 1, batch, width)
    cells[0], low_hidden[0] = run.cells, run.hidden
    transposed = recurrent.T
    for time, rows in enumerate(run.places.unbind()):
        gate = gates[time]
        gate.view(batch, -1).copy_(torch.addmm(input_gates[rows], low_hidden[time], transposed))
        into, keep, new, out = gate.sigmoid_().unbind(1)
        cell = torch.mul(cells[time], keep, out=cells[time + 1])
        cell.sub_(into).addcmul_(into, new, value=2)
        torch.tanh(cell, out=tanh_cells[time])
        torch.mul(tanh_cells[time], out, out=values[time])
        low_hidden[time + 1] = values[time]
    return gates, cells, tanh_cells, values, low_hidden[:-1]


def _slopes(gates: Tensor, cells: Tensor, tanh_cells: Tensor) -> tuple[Tensor, Tensor]:
    """Return the local derivatives of each step.

    The first result [time, batch, 4, width] has the derivatives with respect to the gates' inputs
    (the cell gate's doubled): of the cells for the first three gates, of the hidden values for the
    last. The second [time, batch, width] has the derivatives of the hidden values with respect to
    the cells.
    """
    into, _, new, out = gates.unbind(2)
    slopes = torch.addcmul(gates, gates, gates, value=-1)
    slopes[:, :, 0] *= new * 2 - 1
    slopes[:, :, 1] *= cells[:-1]
    slopes[:, :, 2] *= into * 2
    slopes[:, :, 3] *= tanh_cells
    to_cells = out - out * tanh_cells * tanh_cells
    return slopes, to_cells


def _read_back(
    run: _Segment,
    slopes: Tensor,
    to_cells: Tensor,
    gates: Tensor,
    value_grads: Tensor,
    recurrent: Tensor,
) -> Tensor:
    """Step back through the segment, turning `slopes` into gradients of the gates' inputs in place.

    Returns the gradients in the type of the products, [time, batch, 4 * width].
    """
    times, batch, _, width = slopes.shape
    low = slopes.new_empty(times, batch, 4 * width, dtype=run.products)
    cell_grad = torch.zeros_like(run.cells)
    hidden_grad = value_grads[-1]
    for time in reversed(range(times)):
        if time < times - 1:
            hidden_grad = value_grads[time] + low[time + 1] @ recurrent
        slope = slopes[time]
        cell_grad.addcmul_(hidden_grad, to_cells[time])
        slope[:, :3] *= cell_grad[:, None]
        slope[:, 3] *= hidden_grad
        cell_grad *= gates[time, :, 1]
        low[time] = slope.view(batch, -1)
    return low
