"""Perplexity of held-out running text."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from wordgate.training.held_out import Perplexities, measure_in_order
from wordgate.training.model.network import Network, NetworkConfig

EOS, VOCABULARY = 0, 30


def _network() -> Network:
    """Return a network with layers of two widths and weights large enough to remember."""
    sizes = NetworkConfig(VOCABULARY, 2, 8, (VOCABULARY,), hidden_width=12)
    network = Network(sizes, torch.bfloat16, torch.Generator().manual_seed(1))
    for parameter in network.parameters():
        parameter.data.mul_(2)
    return network


def _stream(length: int = 205) -> NDArray[np.int64]:
    return np.random.default_rng(2).integers(0, VOCABULARY, length)


def _log_probs(network: Network, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the log-probabilities of `tokens`, read after `<eos>` by equations in numpy."""
    names = ("input_weight", "hidden_weight", "bias")
    layers = [
        [layer.get_parameter(name).detach().double().numpy() for name in names]
        for layer in network.layers
    ]
    table = network.embedding.detach().double().numpy()
    bias = network.output_bias.detach().double().numpy()
    states = [(np.zeros(w.shape[1]), np.zeros(w.shape[1])) for _, w, _ in layers]
    found = []
    for read, target in zip([EOS, *tokens[:-1]], tokens, strict=True):
        values = table[read]
        for index, (into, recurrent, offset) in enumerate(layers):
            hidden, cells = states[index]
            gates = np.split(into @ values + recurrent @ hidden + offset, 4)
            i, f, o = (1 / (1 + np.exp(-gates[number])) for number in (0, 1, 3))
            cells = f * cells + i * np.tanh(gates[2])
            values = o * np.tanh(cells)
            states[index] = values, cells
        scores = table @ values + bias
        found.append(scores[target] - np.log(np.exp(scores).sum()))
    return np.array(found)


def _measured(columns: int) -> Perplexities:
    every = np.ones(VOCABULARY, dtype=bool)
    return measure_in_order(_network(), _stream(), every, EOS, columns)


def test_one_column_carries_the_state_over_the_whole_text() -> None:
    """Each of 205 tokens is predicted from all before it, in several segments, as in numpy."""
    wanted = _log_probs(_network(), _stream())
    found = _measured(1)
    assert found.tokens == found.words == 205
    assert found.token_perplexity == pytest.approx(math.exp(-wanted.mean()), rel=1e-5)
    assert found.word_perplexity == found.token_perplexity


def test_columns_are_texts_of_equal_length() -> None:
    """In 10 columns the text has 10 beginnings, each after the token before it, and 5 are left."""
    stream, network = _stream(), _network()
    parts = [stream[start : start + 20] for start in range(0, 200, 20)]
    before = [EOS, *(int(part[-1]) for part in parts[:-1])]
    wanted: list[float] = []
    for first, part in zip(before, parts, strict=True):
        tokens = np.concatenate([[first], part])
        network.eval()
        with torch.no_grad():
            top, _ = network(torch.from_numpy(tokens[:-1, None]), network.start(1))
            found = network.log_probs(top.flatten(0, 1), torch.from_numpy(part))
        wanted += found.tolist()
    measured = _measured(10)
    assert measured.tokens == 200
    assert measured.token_perplexity == pytest.approx(math.exp(-np.mean(wanted)), rel=1e-5)


def test_the_first_words_are_those_after_eos() -> None:
    """One perplexity is of the five tokens after each `<eos>` and of the text's first five."""
    log_probs, stream = _log_probs(_network(), _stream()), _stream()
    starts = [0, *(np.flatnonzero(stream == EOS) + 1)]
    near = sorted({t for start in starts for t in range(start, start + 5) if t < len(stream)})
    assert 20 < len(near) < 150
    found = _measured(1).first_words_perplexity
    assert found == pytest.approx(math.exp(-log_probs[near].mean()), rel=1e-5)


def test_a_text_shorter_than_the_columns_is_read() -> None:
    """Three tokens are three columns."""
    every = np.ones(VOCABULARY, dtype=bool)
    assert measure_in_order(_network(), _stream(3), every, EOS).tokens == 3
