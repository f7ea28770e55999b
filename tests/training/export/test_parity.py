"""Parity of the ONNX graphs with the PyTorch network."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fake_model import FakeModel

from wordgate.bundle.manifest import NetworkSizes
from wordgate.engine.onnx_model import NetworkModel
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.training.export import onnx_graphs
from wordgate.training.export.export import arrays
from wordgate.training.export.parity import Passage, compare, served_log_probs, trained_log_probs
from wordgate.training.model.network import Network, NetworkConfig

LEVELS = AdaptiveSoftmaxLayout((20, 45, 80))


def _passages(count: int) -> list[Passage]:
    generator = np.random.default_rng(2)
    lengths = generator.integers(0, 20, count)
    return [generator.integers(1, LEVELS.vocabulary, length) for length in lengths]


@pytest.fixture(scope="module")
def network() -> Network:
    """An untrained network with non-zero biases."""
    torch.manual_seed(5)
    network = Network(
        NetworkConfig(vocabulary=80, layers=2, width=24, cutoffs=LEVELS.cutoffs), torch.float32
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return network


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_network_and_its_graphs_agree(network: Network, tmp_path: Path, precision: str) -> None:
    """float32 agrees to 1e-4 per token, even with dropout; int8 agrees in perplexity."""
    for name, content in onnx_graphs.build(arrays(network, LEVELS), precision).items():
        (tmp_path / name).write_bytes(content)
    sizes = NetworkSizes(vocabulary=80, layers=2, width=24, cutoffs=LEVELS.cutoffs)
    model = NetworkModel(tmp_path, sizes, "int8" if precision == "int8" else "float32")
    passages = _passages(70)
    network.train()
    found = compare(served_log_probs(model, passages), trained_log_probs(network, passages))
    assert found.tokens == sum(len(passage) + 1 for passage in passages)
    assert found.largest_difference < (1e-4 if precision == "float32" else 0.5)
    assert found.perplexity_ratio == pytest.approx(1, abs=1e-5 if precision == "float32" else 0.02)


def test_every_token_is_asked_before_it_is_read() -> None:
    """Tokens are scored in order, starting after `<eos>` and ending with `<eos>`."""
    model = FakeModel.random(LEVELS, 3)
    passages = _passages(70)
    expected = []
    for passage in passages:
        sequence = [0, *passage.tolist(), 0]
        expected += [model.log_prob(a, b) for a, b in itertools.pairwise(sequence)]
    assert served_log_probs(model, passages) == expected


def test_long_passages_count_with_their_beginning(network: Network) -> None:
    """Long passages are truncated to 256 tokens without a final `<eos>`."""
    model = FakeModel.random(LEVELS, 3)
    tokens = np.random.default_rng(4).integers(1, LEVELS.vocabulary, 300)
    for length, asked in ((255, 256), (256, 256), (257, 256), (300, 256)):
        sequence = [0, *tokens[:length].tolist(), 0][: asked + 1]
        expected = [model.log_prob(a, b) for a, b in itertools.pairwise(sequence)]
        assert served_log_probs(model, [tokens[:length]]) == expected
        assert len(trained_log_probs(network, [tokens[:length]])) == asked
    assert sequence[-1] != 0


def test_figures_of_a_comparison() -> None:
    """A comparison has the largest difference, both perplexities and their ratio."""
    found = compare([-1.0, -3.0], [-1.5, -2.0])
    assert found.largest_difference == 1.0
    assert found.token_perplexity == pytest.approx(math.exp(2.0))
    assert found.reference_token_perplexity == pytest.approx(math.exp(1.75))
    assert found.perplexity_ratio == pytest.approx(math.exp(0.25))
    assert found.tokens == 2


def test_a_boundless_surprisal_is_a_great_number() -> None:
    """An extreme perplexity is reported as a number and does not raise."""
    assert compare([-9000.0], [-1.0]).perplexity_ratio > 1e300


def test_a_difference_that_is_no_number_is_not_small() -> None:
    """NaN on either side counts as a difference."""
    assert not compare([math.nan], [-1.0]).largest_difference <= 1e-4
