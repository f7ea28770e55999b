"""Bootstrap intervals against values known without them."""

import numpy as np
import pytest

from wordgate.evaluation import bootstrap
from wordgate.evaluation.bootstrap import RESAMPLES, interval, percentiles, resampled_sums


def test_intervals_hold_the_rate_and_narrow_with_more_utterances() -> None:
    """Four times as many utterances halve the bootstrap interval."""
    errors, lengths = np.arange(400.0) % 5, np.full(400, 10.0)
    low, high = interval(errors, lengths)
    assert low < 0.2 < high
    few_low, few_high = interval(errors[:100], lengths[:100])
    assert 1.6 < (few_high - few_low) / (high - low) < 2.4


def test_an_interval_is_that_of_the_normal_distribution() -> None:
    """Of 400 fair coin tosses, the 95 % interval is 0.5 ± 1.96 · 0.5 / √400, to a tenth of it."""
    low, high = interval(np.arange(400.0) % 2, np.ones(400))
    assert low == pytest.approx(0.5 - 0.049, abs=0.005)
    assert high == pytest.approx(0.5 + 0.049, abs=0.005)


def test_columns_are_resampled_together() -> None:
    """A constant difference has no spread, however much the columns themselves vary."""
    old = np.random.default_rng(1).exponential(size=100)
    sums, other = resampled_sums(old, old - 0.25)
    assert np.ptp(sums) > 10
    assert sums - other == pytest.approx(np.full(RESAMPLES, 25.0))
    assert percentiles(sums - other) == pytest.approx([25.0, 25.0])


def test_parts_give_the_same_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing part by part, to bound memory, does not change a resample."""
    column = np.arange(50.0)
    whole = resampled_sums(column)
    monkeypatch.setattr(bootstrap, "_MAX_DRAWN", 50 * 7)
    assert np.array_equal(resampled_sums(column), whole)
