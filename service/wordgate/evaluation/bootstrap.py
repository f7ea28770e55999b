"""Bootstrap confidence intervals over the independent units of a test set.

Units are utterances, texts or messages. Columns that are resampled together are paired: each
resample contains the same units for all of them (Bisani and Ney 2004, "Bootstrap estimates for
confidence intervals in ASR performance evaluation"; Koehn 2004, "Statistical significance tests for
machine translation evaluation").
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESAMPLES = 2000

FEWEST = 30
"""Minimum number of units for a verdict. Intervals of fewer units are too narrow."""

_MAX_DRAWN = 4_000_000
"""Units drawn at a time, which bounds memory."""


def resampled_sums(*columns: Array) -> Array:
    """Return the sums of columns [units] over the same resamples: [columns, resamples]."""
    generator = np.random.default_rng(0)
    count = len(columns[0])
    at_once = max(1, _MAX_DRAWN // count)
    sums = np.empty((len(columns), RESAMPLES))
    for first in range(0, RESAMPLES, at_once):
        part = slice(first, min(first + at_once, RESAMPLES))
        drawn = generator.integers(0, count, (part.stop - part.start, count))
        for place, column in enumerate(columns):
            sums[place, part] = column[drawn].sum(1)
    return sums


def interval(numbers: Array, lengths: Array) -> list[float]:
    """Return the 95 % interval of sum(numbers) / sum(lengths) over utterances."""
    sums, sizes = resampled_sums(numbers, lengths)
    return percentiles(sums / np.maximum(1.0, sizes))


def percentiles(values: Array | Sequence[float]) -> list[float]:
    """Return the ends of the middle 95 % of resampled values."""
    return [float(end) for end in np.percentile(values, [2.5, 97.5])]
