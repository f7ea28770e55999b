"""The ONNX graphs against a numpy implementation of the equations."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from tests.bundles import random_weights

from wordgate.engine.int8_probe import EXACT_SUMS_OPTION, int8_products_are_exact
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.training.export.onnx_graphs import CONTRIB_DOMAIN, IR_VERSION, OPSET, Weights, build

LEVELS = AdaptiveSoftmaxLayout((20, 50, 90))
WIDTH = 24
ROWS = 17
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Suggester:
    """Graphs in a folder, with their weights."""

    folder: Path
    weights: Weights

    def run(self, graph: str, wanted: list[str], **feed: NDArray[Any]) -> list[NDArray[Any]]:
        """Return intermediate values of a graph, exposed as outputs."""
        model = onnx.load(self.folder / f"{graph}.onnx", load_external_data=False)
        inferred = {value.name for value in model.graph.output}
        for name in set(wanted) - inferred:
            model.graph.output.append(onnx.ValueInfoProto(name=name))
        opened = self.folder / f"{graph}-opened.onnx"
        onnx.save(model, opened)
        options = onnxruntime.SessionOptions()
        if not int8_products_are_exact():
            options.add_session_config_entry(EXACT_SUMS_OPTION, "1")
        session = onnxruntime.InferenceSession(opened, options, providers=["CPUExecutionProvider"])
        found: list[NDArray[Any]] = session.run(wanted, feed)
        return found


@pytest.fixture(scope="module", params=[1, 2, 3])
def weights(request: pytest.FixtureRequest) -> Weights:
    """A random network of one to three layers."""
    return random_weights(LEVELS, request.param, WIDTH, seed=request.param)


def _place(weights: Weights, precision: str, folder: Path) -> Suggester:
    for name, content in build(weights, precision).items():
        (folder / name).write_bytes(content)
    return Suggester(folder, weights)


@pytest.fixture(scope="module")
def floats(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Suggester:
    """The float32 graphs."""
    return _place(weights, "float32", tmp_path_factory.mktemp("floats"))


@pytest.fixture(scope="module")
def eights(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Suggester:
    """The int8 graphs."""
    return _place(weights, "int8", tmp_path_factory.mktemp("eights"))


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-values)))


def _cell(gates: Floats, cells: Floats) -> tuple[Floats, Floats]:
    """Compute c' = f c + i g and h' = o tanh(c') for concatenated gates i, f, g, o."""
    i, f, g, o = np.split(gates, 4, axis=1)
    after = _sigmoid(f) * cells + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(after), after


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _level_vectors(weights: Weights, level: int) -> tuple[Floats, Floats]:
    """Return rows and biases of one output level: its tokens and, for the head, the clusters."""
    first, after = LEVELS.firsts[level], LEVELS.cutoffs[level]
    vectors = [weights.embedding[first:after]] + [weights.cluster_vectors] * (level == 0)
    biases = [weights.output_bias[first:after]] + [weights.cluster_bias] * (level == 0)
    return np.concatenate(vectors).astype(float), np.concatenate(biases).astype(float)


def _drawn(weights: Weights, kind: str) -> dict[str, NDArray[Any]]:
    """Draw random tokens and states; the first is the zero state."""
    generator = np.random.default_rng(4)
    size = weights.layers * WIDTH
    cells = generator.normal(size=(ROWS, size)).astype(np.float32)
    token = generator.integers(0, LEVELS.vocabulary, ROWS)
    cells[0] = 0
    if kind == "int8":
        hidden: NDArray[Any] = generator.integers(1, 256, (ROWS, size)).astype(np.uint8)
        hidden[0] = 128
    else:
        hidden = generator.uniform(-1, 1, (ROWS, size)).astype(np.float32)
        hidden[0] = 0
    return {"token": token, "hidden": hidden, "cells": cells}


def test_a_float_step_is_the_equations(floats: Suggester) -> None:
    """The step equals the LSTM equations in float64."""
    weights, feed = floats.weights, _drawn(floats.weights, "float32")
    hidden, cells = floats.run("step", ["next_hidden", "next_cells"], **feed)
    below: Floats = weights.embedding[feed["token"]].astype(float)
    before = np.split(feed["hidden"].astype(float), weights.layers, axis=1)
    stored = np.split(feed["cells"].astype(float), weights.layers, axis=1)
    for layer in range(weights.layers):
        from_below, from_before = np.split(weights.layer_weights[layer].astype(float), 2)
        gates = below @ from_below + before[layer] @ from_before + weights.layer_biases[layer]
        below, after = _cell(gates, stored[layer])
        mine = slice(layer * WIDTH, (layer + 1) * WIDTH)
        assert np.abs(hidden[:, mine] - below).max() < 1e-5
        assert np.abs(cells[:, mine] - after).max() < 1e-5


@pytest.mark.parametrize("level", range(LEVELS.count))
def test_a_float_output_is_the_equations(floats: Suggester, level: int) -> None:
    """The output equals hidden values times each token's vector plus bias, then softmax."""
    top = np.random.default_rng(5).uniform(-1, 1, (ROWS, WIDTH)).astype(np.float32)
    none = np.zeros(0, np.int64)
    [found] = floats.run(f"output-{level}", ["log_probs"], top=top, row=none, target=none)
    vectors, biases = _level_vectors(floats.weights, level)
    expected = _log_softmax(top.astype(float) @ vectors.T + biases)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 2e-5


def _column_steps(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Quantise a matrix to integers of -127 to 127 with a step per column."""
    steps = (np.abs(matrix).max(axis=0) / 127).astype(np.float32)
    return np.rint(matrix / steps).astype(np.int32), steps


def _read(weights: Weights, token: NDArray[np.int64]) -> tuple[NDArray[np.int32], np.float32]:
    """Return quantised embeddings and their step. Rows are first rounded to 127 steps per row,
    because the output layer stores them that way."""
    numbers, steps = _column_steps(weights.embedding.T)
    step = np.float32(np.abs(weights.embedding).max() / 127)
    values = numbers.T.astype(np.float32) * steps[:, None]
    return np.clip(np.rint(values[token] / step), -128, 127).astype(np.int32), step


WRONG_SUM = 0.4
"""Tolerance in units of the integer sum: an error of one in a sum is 1."""


def test_an_int8_step_is_the_equations_in_whole_numbers(eights: Suggester) -> None:
    """The products are exact integer sums; results agree to one step of 1/127."""
    weights, feed = eights.weights, _drawn(eights.weights, "int8")
    layers = range(weights.layers)
    wanted = [*(f"gates_{n}" for n in layers), "next_hidden", "next_cells"]
    *inside, hidden, cells = eights.run("step", wanted, **feed)
    below, step = _read(weights, feed["token"])
    for layer in layers:
        mine = slice(layer * WIDTH, (layer + 1) * WIDTH)
        matrix = weights.layer_weights[layer].copy()
        matrix[:WIDTH] *= step
        matrix[WIDTH:] *= np.float32(1 / 127)
        numbers, steps = _column_steps(matrix)
        before = feed["hidden"][:, mine].astype(np.int32) - 128
        sums = np.concatenate([below, before], axis=1) @ numbers
        gates = sums.astype(float) * steps + weights.layer_biases[layer]
        assert (np.abs(inside[layer] - gates) / steps).max() < WRONG_SUM
        shown, after = _cell(gates, feed["cells"][:, mine].astype(float))
        assert np.abs(cells[:, mine] - after).max() < 1e-4
        found = hidden[:, mine].astype(np.int32) - 128
        assert np.abs(found - np.rint(shown * 127)).max() <= 1
        assert (found == np.rint(shown * 127)).mean() > 0.99
        below, step = found, np.float32(1 / 127)


@pytest.mark.parametrize("level", range(LEVELS.count))
def test_an_int8_output_is_the_equations_in_whole_numbers(eights: Suggester, level: int) -> None:
    """Logits are exact integer sums times each token's step; the softmax agrees to a tolerance."""
    weights = eights.weights
    top = np.random.default_rng(6).integers(0, 256, (ROWS, WIDTH)).astype(np.uint8)
    none = np.zeros(0, np.int64)
    inside, found = eights.run(
        f"output-{level}", ["gates_out", "log_probs"], top=top, row=none, target=none
    )
    vectors, biases = _level_vectors(weights, level)
    numbers, steps = _column_steps(vectors.T.astype(np.float32))
    expected = (top.astype(np.int32) - 128) @ numbers
    logits = expected * steps.astype(float) / 127 + biases
    assert (np.abs(inside - logits) / (steps / 127)).max() < WRONG_SUM
    assert np.abs(found - _log_softmax(logits)).max() < 1e-4


@pytest.mark.parametrize("level", range(LEVELS.count))
def test_targets_are_entries_of_the_rows(eights: Suggester, level: int) -> None:
    """Target log-probabilities are bit-identical to the entries of the rows, also repeated ones."""
    generator = np.random.default_rng(7)
    top = generator.integers(0, 256, (ROWS, WIDTH)).astype(np.uint8)
    row = generator.integers(0, ROWS, 40)
    target = generator.integers(0, LEVELS.width(level), 40)
    named, whole = eights.run(
        f"output-{level}", ["target_log_probs", "log_probs"], top=top, row=row, target=target
    )
    assert named.tobytes() == whole[row, target].tobytes()


def test_int8_is_near_float32(floats: Suggester, eights: Suggester) -> None:
    """Both precisions differ by rounding only."""
    feed = _drawn(eights.weights, "int8")
    hidden, cells = eights.run("step", ["next_hidden", "next_cells"], **feed)
    feed["hidden"] = ((feed["hidden"].astype(np.float32) - 128) / 127).astype(np.float32)
    exact, exact_cells = floats.run("step", ["next_hidden", "next_cells"], **feed)
    assert np.abs((hidden.astype(float) - 128) / 127 - exact).max() < 0.05
    assert np.abs(cells - exact_cells).max() < 0.1


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_the_same_weights_give_the_same_bytes(weights: Weights, precision: str) -> None:
    """Graphs are deterministic, have a pinned opset, and store the embedding once."""
    files = build(weights, precision)
    assert files == build(weights, precision)
    assert set(files) == {"embedding.bin", "step.onnx", *(f"output-{n}.onnx" for n in range(3))}
    size = LEVELS.vocabulary * WIDTH * (1 if precision == "int8" else 4)
    assert len(files["embedding.bin"]) == size
    for name, content in files.items():
        if name.endswith(".onnx"):
            model = onnx.load_from_string(content)
            assert model.ir_version == IR_VERSION
            versions = {opset.domain: opset.version for opset in model.opset_import}
            assert versions.pop("") == OPSET
            assert versions in ({}, {CONTRIB_DOMAIN: 1})


def test_a_full_softmax_is_a_head_without_clusters(tmp_path: Path) -> None:
    """A single level has one output graph whose probabilities sum to one."""
    weights = random_weights(AdaptiveSoftmaxLayout((40,)), 1, WIDTH, seed=3)
    for precision in ("int8", "float32"):
        folder = tmp_path / precision
        folder.mkdir()
        place = _place(weights, precision, folder)
        kind = np.uint8 if precision == "int8" else np.float32
        feed = {"top": np.ones((2, WIDTH), kind), "row": np.zeros(0, np.int64)}
        [found] = place.run("output-0", ["log_probs"], **feed, target=np.zeros(0, np.int64))
        assert found.shape == (2, 40)
        assert np.exp(found.astype(float)).sum(1) == pytest.approx(1, abs=1e-5)
        assert not (folder / "output-1.onnx").exists()
