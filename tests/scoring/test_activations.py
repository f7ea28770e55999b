"""Summaries of activations, against numbers worked out by hand."""

import math

import numpy as np
import pytest

from wordgate.scoring.activations import summarise

STEP = np.array(
    [
        [  # layer 0: input gate, forget gate, candidate, output gate, cell state
            [0.05, 0.5, 0.95, 0.5],
            [0.5, 0.5, 0.25, 0.95],
            [-1.0, 0.5, 0.25, 0.25],
            [0.05, 0.05, 0.05, 0.45],
            [-3.0, 1.0, 0.0, 0.0],
        ],
        [[1.0] * 4, [1.0] * 4, [0.0] * 4, [1.0] * 4, [0.0] * 4],
    ],
    np.float32,
)


def test_figures_are_means_and_shares_over_units() -> None:
    """A gate is nearly shut below 0.1 and nearly open above 0.9."""
    [[layer, _]] = summarise([STEP], with_units=False)
    assert layer.input_mean == pytest.approx(0.5)
    assert (layer.input_shut, layer.input_open) == (0.25, 0.25)
    assert layer.forget_mean == pytest.approx(0.55)
    assert (layer.forget_shut, layer.forget_open) == (0.0, 0.25)
    assert layer.output_mean == pytest.approx(0.15)
    assert (layer.output_shut, layer.output_open) == (0.75, 0.0)
    assert layer.candidate_mean == pytest.approx(0.0)
    assert layer.candidate_mean_abs == pytest.approx(0.5)
    assert layer.cell_mean == pytest.approx(-0.5)
    assert layer.cell_mean_abs == pytest.approx(1.0)
    assert layer.cell_max_abs == pytest.approx(3.0)
    assert layer.units is None


def test_the_half_life_is_that_of_the_median_cell() -> None:
    """A median forget gate of one half halves a cell in one token."""
    [[layer, _]] = summarise([STEP], with_units=False)
    assert layer.half_life == pytest.approx(1.0)


def test_the_half_life_is_finite() -> None:
    """A forget gate of exactly 1 keeps a cell for millions of tokens, and 0 for no time."""
    shut = np.zeros_like(STEP)
    [[_, open_layer], [shut_layer, _]] = summarise([STEP, shut], with_units=False)
    assert 1e7 < open_layer.half_life < 1.2e7
    assert 0.0 < shut_layer.half_life < 0.02


@pytest.mark.parametrize("tokens", [1, 2, 5, 20, 100])
def test_a_cell_halves_in_its_half_life(tokens: int) -> None:
    """With the forget gate of that half-life, half of a cell is left after so many tokens."""
    step = STEP.copy()
    step[0, 1] = forget = math.exp(-math.log(2) / tokens)
    [[layer, _]] = summarise([step], with_units=False)
    assert layer.half_life == pytest.approx(tokens, rel=1e-4)
    assert forget**tokens == pytest.approx(0.5)


def test_steps_are_summarised_alone() -> None:
    """Each step has the figures that it has without the others."""
    other = np.roll(STEP, 1, axis=2) / np.float32(2)
    together = summarise([STEP, other, STEP], with_units=False)
    assert together == [
        *summarise([STEP], with_units=False),
        *summarise([other], with_units=False),
        *summarise([STEP], with_units=False),
    ]


def test_units_are_the_values_themselves() -> None:
    """On request, each layer has the activations of all of its units."""
    [[layer, _]] = summarise([STEP], with_units=True)
    assert layer.units is not None
    assert layer.units.input.tolist() == STEP[0, 0].tolist()
    assert layer.units.forget.tolist() == STEP[0, 1].tolist()
    assert layer.units.candidate.tolist() == STEP[0, 2].tolist()
    assert layer.units.output.tolist() == STEP[0, 3].tolist()
    assert layer.units.cell.tolist() == STEP[0, 4].tolist()
