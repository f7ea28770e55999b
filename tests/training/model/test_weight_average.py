"""Averages of weights: the trigger, the mean, the moving average, and exact resumption."""

import copy
from typing import Any

import pytest
import torch

from wordgate.training.model.network import Network, NetworkConfig
from wordgate.training.model.weight_average import WeightAverage, triggers


def _network() -> Network:
    return Network(NetworkConfig(9, 1, 4, (9,)), generator=torch.Generator().manual_seed(1))


def _set(network: Network, value: float) -> None:
    with torch.no_grad():
        for part in network.parameters():
            part.fill_(value)


@pytest.mark.parametrize(
    ("before", "perplexity", "patience", "due"),
    [
        ([], 9.0, 2, False),
        ([5.0, 4.0], 9.0, 2, False),
        ([5.0, 4.0, 4.0], 5.0, 2, False),
        ([5.0, 4.0, 4.0], 5.1, 2, True),
        ([5.0, 3.0, 4.0, 4.0], 4.0, 2, True),
        ([5.0, 3.0, 4.0, 4.0], 4.0, 3, False),
        ([5.0, 3.0, 4.0, 4.0], 9.0, 0, False),
    ],
)
def test_the_trigger_is_non_monotonic(
    before: list[float], perplexity: float, patience: int, due: bool
) -> None:
    """A perplexity above the best of more than `patience` evaluations ago triggers; 0 never."""
    assert triggers(before, perplexity, patience) is due


def test_the_average_is_the_mean_of_the_weights_since_the_trigger() -> None:
    """Weights before the trigger do not count; those at the trigger and after it do, equally."""
    network = _network()
    average = WeightAverage(network, patience=1)
    _set(network, 100.0)
    average.update()
    average.observe(5.0)
    average.observe(4.0)
    assert average.network is network
    _set(network, 1.0)
    average.observe(6.0)
    for value in (2.0, 3.0, 8.0):
        _set(network, value)
        average.update()
    assert average.network is not network
    for part in average.network.parameters():
        torch.testing.assert_close(part.detach(), torch.full_like(part, 3.5))
    assert float(network.output_bias.detach()[0]) == 8.0


def test_a_moving_average_follows_the_weights() -> None:
    """It begins at the first weights, then keeps a tenth of itself; evaluations change nothing."""
    network = _network()
    average = WeightAverage(network, decay=0.1)
    assert average.network is network
    for value in (4.0, 1.0, 2.0):
        _set(network, value)
        average.update()
        average.observe(100.0 * value)
    for part in average.network.parameters():  # 0.1 * (0.1 * 4 + 0.9 * 1) + 0.9 * 2
        torch.testing.assert_close(part.detach(), torch.full_like(part, 1.93))


def test_a_moving_average_of_few_weights_is_not_the_first_ones() -> None:
    """After two updates the second weights count 4/6, even if the average moves slowly."""
    network = _network()
    average = WeightAverage(network, decay=0.999)
    for value in (0.0, 1.0):
        _set(network, value)
        average.update()
    torch.testing.assert_close(float(average.network.output_bias.detach()[0]), 4 / 6)


@pytest.mark.parametrize("options", [{"patience": 1}, {"decay": 0.9}], ids=["mean", "moving"])
def test_an_average_resumes_with_the_same_bits(options: dict[str, Any]) -> None:
    """State and averaged weights restore the average and the number of weights in it."""
    network = _network()
    average = WeightAverage(network, **options)
    for perplexity in (4.0, 4.0, 5.0):
        average.observe(perplexity)
    for value in (0.1, 0.7):
        _set(network, value)
        average.update()
    resumed = WeightAverage(copy.deepcopy(network), **options)
    resumed.restore(average.state(), dict(average.network.named_parameters()))
    _set(network, 0.3)
    average.update()
    _set(resumed._network, 0.3)
    resumed.update()
    assert resumed.state() == average.state()
    assert torch.equal(resumed.network.embedding, average.network.embedding)
