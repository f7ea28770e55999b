"""Activation and temporal activation regularisation, worked by hand."""

import torch

from wordgate.training.model.activation_penalty import activation_penalty, temporal_penalty

VALUES = torch.tensor([[[0.5, -0.5]], [[0.5, 0.0]], [[-0.5, 1.0]]])
"""Three time steps, one column, width 2."""


def test_activation_penalty_is_the_mean_square() -> None:
    """Squares 1/4, 1/4, 1/4, 0, 1/4, 1: their mean is 1/3, times 2."""
    torch.testing.assert_close(activation_penalty(VALUES, 2.0), torch.tensor(2 / 3))


def test_temporal_penalty_is_the_mean_square_of_the_changes() -> None:
    """Changes 0, 1/2, -1, 1: the mean of their squares is 9/16, times 2."""
    torch.testing.assert_close(temporal_penalty(VALUES, 2.0), torch.tensor(9 / 8))


def test_one_step_has_no_changes() -> None:
    """A single time step has a temporal penalty of zero, not of 0 / 0."""
    assert float(temporal_penalty(VALUES[:1], 2.0)) == 0.0
