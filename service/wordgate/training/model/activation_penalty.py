"""Activation regularisation and temporal activation regularisation (AR and TAR).

AR keeps the hidden values of the top layer small, TAR keeps them from changing fast. Merity et al.
2017, "Revisiting activation regularization for language RNNs", arXiv 1708.01009.
"""

from torch import Tensor


def activation_penalty(dropped: Tensor, rate: float) -> Tensor:
    """Return `rate` times the mean square of the top layer's values after dropout (AR).

    `dropped` [time, batch, width].
    """
    return rate * dropped.square().mean()


def temporal_penalty(values: Tensor, rate: float) -> Tensor:
    """Return `rate` times the mean square of the changes between time steps (TAR).

    `values` [time, batch, width] are the top layer's values without dropout. A single time step has
    no changes: the penalty is zero.
    """
    changes = values[1:] - values[:-1]
    return rate * changes.square().sum() / max(changes.numel(), 1)
