"""LSTM layers over a segment in one call of torch's kernel, which is cuDNN's on CUDA devices.

Untried on a GPU. The tests compare it with our own layers on the CPU.
"""

import warnings
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from wordgate.training.model.lstm import LayerOutput, LayerWeights

_CUDNN_WITH_BFLOAT16 = 91_300
# cuDNN wants the weights in one buffer. They are copied there on each call anyway, because their
# type changes; that takes microseconds.
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous")


def fused_lstm(
    inputs: Tensor,
    hidden: Tensor,
    cells: Tensor,
    layers: Sequence[LayerWeights],
    *,
    products: torch.dtype,
) -> LayerOutput:
    """Run the layers over a segment, starting from `hidden` and `cells` [layers, batch, width].

    `inputs` and the values returned are [time, batch, width], in the type of the weights, like the
    last hidden values and cells returned, [layers, batch, width]. The computation is in `products`,
    cells included; see `kernel_type`. Gradients flow to inputs and weights.
    """
    dtype = inputs.dtype
    lower = kernel_type(products, inputs.device)
    flat = [part.to(lower) for layer in layers for part in (*layer, torch.zeros_like(layer.bias))]
    state = (hidden.to(lower).contiguous(), cells.to(lower).contiguous())
    if inputs.is_cuda:
        _allow_tf32(products != dtype)
    values, hidden, cells = torch.lstm(
        inputs.to(lower),
        state,
        flat,
        has_biases=True,
        num_layers=len(layers),
        dropout=0.0,
        train=torch.is_grad_enabled(),
        bidirectional=False,
        batch_first=False,
    )
    return LayerOutput(values.to(dtype), hidden.to(dtype), cells.to(dtype))


def kernel_type(products: torch.dtype, device: torch.device) -> torch.dtype:
    """Return the type in which the kernel computes.

    It is `products`, except for bfloat16 with a torch or cuDNN that lacks it: then the tensors are
    float32 and the kernel multiplies in TF32. Autocast is not used: it runs cuDNN's layers in
    float16, whatever type is asked for.
    """
    is_missing = products == torch.bfloat16 and device.type == "cuda" and not _has_bfloat16()
    return torch.float32 if is_missing else products


@cache
def _has_bfloat16() -> bool:
    """Return whether torch runs cuDNN's layers in bfloat16: from torch 2.10 with cuDNN 9.13.

    https://github.com/pytorch/pytorch/pull/164411
    """
    version = torch.backends.cudnn.version() or 0
    return version >= _CUDNN_WITH_BFLOAT16 and torch.__version__ >= "2.10"


def _allow_tf32(allowed: bool) -> None:
    """Let cuDNN multiply float32 in TF32, its default in torch, only if bfloat16 is asked for."""
    layers = torch.backends.cudnn.rnn
    layers.fp32_precision = "tf32" if allowed else "ieee"  # type: ignore[attr-defined]
