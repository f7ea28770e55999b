"""Minimum error rate training."""

import numpy as np
import pytest

from wordgate.evaluation import weight_search
from wordgate.evaluation.weight_search import NBestLists

LM = 1


def _drawn(seed: int = 0, utterances: int = 200, noise: float = 0.3) -> NBestLists:
    """Draw five candidates per utterance; 1 * acoustic + 3 * lm - 2 * words finds the good one."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(utterances * 5, 3))
    totals = features @ np.array([1.0, 3.0, -2.0]) + noise * generator.normal(size=len(features))
    good = totals.reshape(-1, 5).argmax(1)
    errors = np.ones((utterances, 5))
    errors[np.arange(utterances), good] = 0
    first = np.arange(0, len(features), 5)
    return NBestLists(features, errors.ravel(), first, np.full(utterances, 10.0))


def test_the_search_finds_weights_that_point_to_the_good_candidates() -> None:
    """The search removes most errors of the acoustic score, also on unseen lists."""
    lists, others = _drawn(), _drawn(seed=1)
    alone = np.array([1.0, 0.0, 0.0])
    weights = weight_search.search(lists, alone, [1, 2], np.ones(3), LM)
    assert weights[0] == 1.0
    assert lists.errors_of(alone).sum() > 100
    assert lists.errors_of(weights).sum() < 25
    assert others.errors_of(weights).sum() < 30
    assert 2 < weights[1] < 5


def test_rates_along_one_weight_leave_the_others_alone() -> None:
    """Each rate is that of the weights with one value replaced."""
    lists, weights = _drawn(), np.array([1.0, 3.0, -2.0])
    rates = weight_search.rates_along(lists, weights, LM, [0.0, 3.0])
    assert rates == [
        lists.rate(lists.errors_of(np.array([1.0, 0.0, -2.0]))),
        lists.rate(lists.errors_of(weights)),
    ]
    assert weights.tolist() == [1.0, 3.0, -2.0]


def test_a_useless_model_gets_no_weight_below_zero() -> None:
    """A harmful model gets weight 0, not a negative weight."""
    lists = _drawn()
    features = lists.features * np.array([1.0, -1.0, 1.0])
    turned = NBestLists(features, lists.errors, lists.first, lists.lengths)
    weights = weight_search.search(turned, np.array([1.0, 0.0, 0.0]), [1], np.ones(3), LM)
    assert weights[LM] >= 0


def test_the_earliest_of_equal_candidates_is_chosen() -> None:
    """On ties the recogniser's order decides."""
    lists = _drawn()
    assert (lists.chosen(np.zeros(3)) == lists.first).all()
    assert lists.errors_of(np.zeros(3)) == pytest.approx(lists.errors[lists.first])


def test_parts_of_lists_are_lists() -> None:
    """Selected utterances keep their own candidates, errors and lengths."""
    lists = _drawn(utterances=7)
    part = lists.part([1, 3])
    weights = np.array([1.0, 3.0, -2.0])
    assert part.errors_of(weights) == pytest.approx(lists.errors_of(weights)[[1, 3]])
    assert part.oracle().sum() == 0


def test_sums_of_other_features_are_found() -> None:
    """A linearly dependent feature, up to a constant per utterance, is found."""
    lists = _drawn()
    total = lists.features @ np.array([1.0, 9.5, -3.0])
    total += np.repeat(np.arange(200.0), 5)
    features = np.column_stack([lists.features, total, np.full(len(total), 7.0)])
    assert weight_search.dependent(features, lists.first) == [3, 4]


def test_flat_stretches_end_where_errors_rise() -> None:
    """Within the flat range the rate stays near; outside it rises."""
    lists = _drawn()
    weights = np.array([1.0, 3.0, -2.0])
    low, high = weight_search.flat_range(lists, weights, LM, 1.0, 0.001)
    rate = lists.rate(lists.errors_of(weights))
    assert low < 3.0 < high
    assert lists.rate(lists.errors_of(np.array([1.0, low, -2.0]))) > rate
    assert lists.rate(lists.errors_of(np.array([1.0, high, -2.0]))) > rate


def test_the_scale_makes_posteriors_as_sure_as_they_are_right() -> None:
    """Totals 100 times too large need a scale 100 times as large."""
    lists = _drawn(noise=2.0)
    weights = np.array([1.0, 3.0, -2.0])
    scale = weight_search.posterior_scale(lists, weights)
    assert weight_search.posterior_scale(lists, 100 * weights) == pytest.approx(
        100 * scale, rel=0.1
    )
