"""Activations of the served step graph, against a numpy implementation of the LSTM equations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.bundles import random_weights

from wordgate.bundle import bundle as bundles
from wordgate.bundle.bundle_files import STEP_FILE
from wordgate.bundle.manifest import NetworkSizes
from wordgate.engine.gate_outputs import gate_names, with_gate_outputs
from wordgate.engine.loaded_model import network_of
from wordgate.engine.onnx_model import NetworkModel
from wordgate.errors import InvalidBundle
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import State
from wordgate.training.export.onnx_graphs import Weights

LAYERS, WIDTH = 2, 32
TOKENS = (5, 9, 0, 300, 9, 77, 1)
Floats = NDArray[np.floating[Any]]


@pytest.fixture(scope="module", params=["bundle", "float_bundle"])
def network(request: pytest.FixtureRequest) -> NetworkModel:
    """The int8 and the float32 network of the same weights."""
    return network_of(bundles.load(request.getfixturevalue(request.param)))


@pytest.fixture(scope="module")
def weights(network: NetworkModel) -> Weights:
    """The weights of both."""
    levels = AdaptiveSoftmaxLayout(network.levels.cutoffs)
    return random_weights(levels, LAYERS, WIDTH, seed=0)


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-values)))


def _grid(matrix: NDArray[np.float32]) -> Floats:
    """Round each column to 127 steps of equal size, as an int8 matrix is stored."""
    steps = (np.abs(matrix).max(axis=0) / 127).astype(np.float32)
    return np.asarray(np.rint(matrix / steps) * steps.astype(float))


def _hidden(state: State, layer: int) -> Floats:
    """Return the hidden values of a layer, -1 to 1."""
    values = state.hidden[layer * WIDTH : (layer + 1) * WIDTH].astype(float)
    return np.asarray((values - 128) / 127) if state.hidden.dtype == np.uint8 else values


def _read(weights: Weights, token: int, is_int8: bool) -> Floats:
    """Return the embedding of a token as the first layer reads it."""
    if not is_int8:
        return np.asarray(weights.embedding[token], float)
    row = _grid(weights.embedding.T).T[token]
    step = np.float32(np.abs(weights.embedding).max() / 127)
    return np.asarray(np.clip(np.rint(row.astype(np.float32) / step), -128, 127) * float(step))


def _matrix(weights: Weights, layer: int, is_int8: bool) -> Floats:
    """Return the weights of a layer, int8 ones as stored: scaled by what they multiply."""
    matrix = weights.layer_weights[layer].copy()
    if not is_int8:
        return matrix.astype(float)
    below = np.abs(weights.embedding).max() / 127 if layer == 0 else 1 / 127
    scales = np.repeat([below, 1 / 127], WIDTH)[:, None].astype(np.float32)
    return np.asarray(_grid((matrix * scales).astype(np.float32)) / scales.astype(float))


def test_activations_are_those_of_the_equations(network: NetworkModel, weights: Weights) -> None:
    """i, f, o = σ(Wx + Uh + b), g = tanh(Wx + Uh + b), c' = f c + i g, for each layer and step."""
    state = network.start
    is_int8 = state.hidden.dtype == np.uint8
    for token in TOKENS:
        [(after, found)] = network.step_activations([(state, token)])
        assert found.shape == (LAYERS, 5, WIDTH)
        assert found.dtype == np.float32
        below = _read(weights, token, is_int8)
        for layer in range(LAYERS):
            joined = np.concatenate([below, _hidden(state, layer)])
            sums = joined @ _matrix(weights, layer, is_int8) + weights.layer_biases[layer]
            i, f, g, o = np.split(sums, 4)
            i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
            cell = f * state.cells[layer * WIDTH : (layer + 1) * WIDTH] + i * g
            assert np.abs(found[layer] - [i, f, g, o, cell]).max() < 1e-5
            below = _hidden(after, layer)
            assert np.abs(below - o * np.tanh(cell)).max() < (0.6 / 127 if is_int8 else 1e-5)
        state = after


def test_the_cells_are_those_of_the_new_state(network: NetworkModel) -> None:
    """The fifth activation is the cell state, bit for bit."""
    [(state, found)] = network.step_activations([(network.start, 5)])
    assert found[:, 4].tobytes() == state.cells.tobytes()


def test_outputs_are_added_without_changing_the_graph(bundle: Path) -> None:
    """The bytes of the graph are kept, followed by less than 30 bytes per gate and layer."""
    graph = (bundle / STEP_FILE).read_bytes()
    added = with_gate_outputs(graph, LAYERS)
    assert added.startswith(graph)
    assert len(added) - len(graph) < 30 * len(gate_names(LAYERS))


def test_many_layers_have_names_of_two_digits_and_long_messages() -> None:
    """Lengths above 127 bytes take a varint of two bytes."""
    assert gate_names(12)[-1] == "o_11"
    added = with_gate_outputs(b"", 12)
    assert added[0] == 7 << 3 | 2
    size = (added[1] & 0x7F) | added[2] << 7
    assert added[1] & 0x80
    assert len(added) == 3 + size


def test_a_graph_without_gates_is_rejected(bundle: Path, tmp_path: Path) -> None:
    """A graph whose values have other names cannot be loaded, and the error names the file."""
    for name in bundle.iterdir():
        content = name.read_bytes()
        if name.name == STEP_FILE:
            content = content.replace(b"\x03f_1", b"\x03f_9")
        (tmp_path / name.name).write_bytes(content)
    sizes = NetworkSizes.model_validate(bundles.load(bundle).manifest.network.model_dump())
    with pytest.raises(InvalidBundle, match=r"step\.onnx"):
        NetworkModel(tmp_path, sizes, "int8")
