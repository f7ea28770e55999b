"""The sum of the training loss."""

import torch

from wordgate.training.loss_meter import LossMeter


def test_losses_are_added_in_float64_and_settled_once() -> None:
    """A million and a hundredth keep their digits; settling again adds nothing."""
    meter = LossMeter(surprisal=1.0, tokens=2)
    for loss in (1_000_000.0, 0.015625, 0.015625):
        meter.add(torch.tensor(loss, dtype=torch.float32), 10)
    assert meter.surprisal == 1.0
    assert meter.settle() == 1_000_000.03125
    assert meter.settle() == 0.0
    assert (meter.surprisal, meter.tokens) == (1_000_001.03125, 32)
