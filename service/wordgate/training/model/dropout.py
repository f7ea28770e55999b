"""Dropout of activations, weights and embeddings, as in the AWD-LSTM.

Each mask is drawn once per segment, so it is the same for all its time steps. Masks are drawn on
the generator's device, so that a run that resumes on another device draws the same ones. Kept
values are scaled by 1 / (1 - rate). Merity et al. 2017, "Regularizing and optimizing LSTM language
models", arXiv 1708.02182.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DropoutRates:
    """Dropout rates of one forward pass; 0 drops nothing and draws nothing.

    `input`: values of the embeddings read; `layer`: values between layers; `output`: values of the
    top layer; `embedding`: whole rows of the embedding; `recurrent`: recurrent weights.
    """

    input: float = 0.0
    layer: float = 0.0
    output: float = 0.0
    embedding: float = 0.0
    recurrent: float = 0.0


def locked_dropout(values: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Apply dropout with one mask [batch, width] for all steps of `values` [time, batch, width].

    Gal & Ghahramani 2016, "A theoretically grounded application of dropout in recurrent neural
    networks".
    """
    return _masked(values, (1, *values.shape[1:]), rate, generator)


def embedding_dropout(rows: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Drop whole rows of `rows` [tokens, width], one per token type.

    All occurrences of a dropped token in the segment are read as zeros (Gal & Ghahramani 2016).
    """
    return _masked(rows, (len(rows), 1), rate, generator)


def weight_drop(weights: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Drop single weights of a matrix (DropConnect, Wan et al. 2013)."""
    return _masked(weights, weights.shape, rate, generator)


def _masked(
    values: Tensor, shape: tuple[int, ...], rate: float, generator: torch.Generator | None
) -> Tensor:
    if not rate:
        return values
    device = values.device if generator is None else generator.device
    mask = torch.rand(shape, generator=generator, device=device) >= rate
    return values * (mask.to(values.device, values.dtype) / (1 - rate))
