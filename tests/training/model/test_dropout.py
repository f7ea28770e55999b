"""Dropout of activations, weights and embeddings."""

from collections.abc import Callable

import pytest
import torch

from wordgate.training.model.dropout import embedding_dropout, locked_dropout, weight_drop

Drop = Callable[[torch.Tensor, float, torch.Generator | None], torch.Tensor]


def _random() -> torch.Generator:
    return torch.Generator().manual_seed(9)


def test_a_locked_mask_is_the_same_at_all_steps_and_differs_between_rows() -> None:
    """One mask per column holds for all time steps; kept values are scaled to keep the mean."""
    dropped = locked_dropout(torch.ones(5, 4, 50), 0.5, _random())
    assert bool((dropped == dropped[0]).all())
    assert len(dropped[0].unique(dim=0)) == 4
    assert set(dropped.unique().tolist()) == {0.0, 2.0}


def test_weight_drop_zeroes_single_weights() -> None:
    """The given share of a matrix is zero, in no whole row or column; the rest is scaled."""
    dropped = weight_drop(torch.ones(400, 100), 0.75, _random())
    assert float((dropped == 0).float().mean()) == pytest.approx(0.75, abs=0.01)
    assert set(dropped.unique().tolist()) == {0.0, 4.0}
    assert bool(dropped.any(0).all()) and bool(dropped.any(1).all())


def test_embedding_dropout_drops_whole_rows() -> None:
    """A token's row is dropped or kept as a whole."""
    dropped = embedding_dropout(torch.ones(2000, 3), 0.5, _random())
    assert bool((dropped == dropped[:, :1]).all())
    assert float((dropped == 0).float().mean()) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("drop", [locked_dropout, weight_drop, embedding_dropout])
def test_the_generator_determines_the_masks(drop: Drop) -> None:
    """Equal seeds give equal masks, the next draw another; a rate of 0 draws nothing."""
    values = torch.ones(30, 20, 10) if drop is locked_dropout else torch.ones(30, 20)
    random = _random()
    before = random.get_state()
    assert drop(values, 0.0, random) is values
    assert torch.equal(random.get_state(), before)
    first, second = drop(values, 0.5, random), drop(values, 0.5, random)
    assert torch.equal(first, drop(values, 0.5, _random()))
    assert not torch.equal(first, second)


def test_masks_are_drawn_where_the_generator_is() -> None:
    """Masks are drawn on the generator's device, so runs can resume on another device."""
    generator = _random()
    before = generator.get_state()
    values = torch.ones(3, 2, 4, device="meta")
    assert locked_dropout(values, 0.5, generator).device.type == "meta"
    assert not torch.equal(generator.get_state(), before)
