"""Several LSTM layers in one call of torch's kernel."""

import pytest
import torch

from wordgate.training.model import fused_lstm as module
from wordgate.training.model.fused_lstm import fused_lstm, kernel_type
from wordgate.training.model.lstm import LayerWeights, lstm_layer

WIDTH, TIMES, BATCH = 12, 7, 5


def test_equals_our_layers() -> None:
    """Two layers in one call give the values, states and gradients of our layer called twice."""
    random = torch.Generator().manual_seed(2)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64).mul_(0.3)

    layers = [
        LayerWeights(
            *(draw(4 * WIDTH, *rest).requires_grad_() for rest in ((WIDTH,), (WIDTH,), ()))
        )
        for _ in range(2)
    ]
    inputs = draw(TIMES, BATCH, WIDTH).requires_grad_()
    hidden, cells = draw(2, BATCH, WIDTH), draw(2, BATCH, WIDTH)
    found = fused_lstm(inputs, hidden, cells, layers, products=torch.float64)
    values, ends = inputs, []
    for layer, start, kept in zip(layers, hidden, cells, strict=True):
        read = lstm_layer(values, start, kept, layer, products=torch.float64)
        values = read.values
        ends.append((read.hidden, read.cells))
    torch.testing.assert_close(found.values, values)
    torch.testing.assert_close(found.hidden, torch.stack([last for last, _ in ends]))
    torch.testing.assert_close(found.cells, torch.stack([last for _, last in ends]))
    sources = [inputs, *(part for layer in layers for part in layer)]
    for one, other in zip(
        torch.autograd.grad(found.values.square().sum(), sources),
        torch.autograd.grad(values.square().sum(), sources),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("has_it", [True, False])
def test_without_bfloat16_in_cudnn_the_kernel_is_float32(
    monkeypatch: pytest.MonkeyPatch, has_it: bool
) -> None:
    """A cuDNN that lacks bfloat16 layers gets float32 tensors; nothing else is replaced."""
    monkeypatch.setattr(module, "_has_bfloat16", lambda: has_it)
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert kernel_type(torch.bfloat16, gpu) == (torch.bfloat16 if has_it else torch.float32)
    assert kernel_type(torch.bfloat16, cpu) == torch.bfloat16
    assert kernel_type(torch.float32, gpu) == torch.float32
