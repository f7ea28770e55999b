"""Summaries of a layer's activations in one step: gates, candidate and cell state.

A gate counts as nearly shut below 0.1 and as nearly open above 0.9 (Karpathy et al. 2015, arXiv
1506.02078).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

SHUT = 0.1
OPEN = 0.9

_MIN_FORGET, _MAX_FORGET = 1e-30, 1.0 - 2.0**-24
"""Bounds for a finite logarithm. The upper one is the largest float32 below 1."""


@dataclass(frozen=True, slots=True)
class UnitActivations:
    """The activations of each unit of a layer: float32 [width] each."""

    input: NDArray[np.float32]
    forget: NDArray[np.float32]
    candidate: NDArray[np.float32]
    output: NDArray[np.float32]
    cell: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LayerActivations:
    """Summary of one layer's activations in one step. Means and shares are over its units.

    `*_shut` and `*_open` are the shares of units whose gate is nearly shut and nearly open.
    `half_life` is that of a cell in tokens at this forget gate: ln(1/2) / ln(f), with f the median
    of the forget gate. `units` is None unless it was requested.
    """

    input_mean: float
    input_shut: float
    input_open: float
    forget_mean: float
    forget_shut: float
    forget_open: float
    output_mean: float
    output_shut: float
    output_open: float
    candidate_mean: float
    candidate_mean_abs: float
    cell_mean: float
    cell_mean_abs: float
    cell_max_abs: float
    half_life: float
    units: UnitActivations | None = field(default=None, compare=False)


FIGURES = tuple(each.name for each in fields(LayerActivations) if each.name != "units")
"""The names of the figures of a layer, in order."""


def summarise(
    steps: Sequence[NDArray[np.float32]], *, with_units: bool
) -> list[tuple[LayerActivations, ...]]:
    """Return the activations of each layer per step. `steps`: float32 [layers, 5, width] each."""
    values = np.stack(steps)
    input_gate, forget, candidate, output, cell = np.moveaxis(values, 2, 0)
    columns = [
        statistic
        for gate in (input_gate, forget, output)
        for statistic in (gate.mean(-1), (gate < SHUT).mean(-1), (gate > OPEN).mean(-1))
    ]
    columns += [candidate.mean(-1), np.abs(candidate).mean(-1)]
    size = np.abs(cell)
    columns += [cell.mean(-1), size.mean(-1), size.max(-1), _half_life(forget)]
    figures = np.stack(columns, -1).astype(np.float32)  # as the protocol carries them
    return [
        tuple(
            LayerActivations(
                **dict(zip(FIGURES, layer, strict=True)),
                units=UnitActivations(*units) if with_units else None,
            )
            for layer, units in zip(layers.tolist(), step, strict=True)
        )
        for layers, step in zip(figures, steps, strict=True)
    ]


def _half_life(forget: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the half-life of a cell in tokens at the median forget gate of each layer."""
    median = np.median(forget, axis=-1).astype(np.float64)
    kept: NDArray[np.float64] = np.log(0.5) / np.log(np.clip(median, _MIN_FORGET, _MAX_FORGET))
    return kept
