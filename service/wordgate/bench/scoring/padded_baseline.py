"""Baseline: score candidates as one padded batch of complete sequences in float32.

Builds a graph with onnxruntime's `LSTM` operator and the complete output layer from a bundle's
weights, as a plain export of the network would. Used for benchmarks only, not for serving.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from wordgate.lm.tokenizer import EOS
from wordgate.training.export.onnx_graphs import HIDDEN_SCALE, Graph

Array = NDArray[np.float32]


class PaddedBatch:
    """Scores all candidates of an utterance in one inference.

    `threads` is the number of threads within an inference.
    """

    def __init__(self, bundle: Path, threads: int) -> None:
        self.threads = threads
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            build(bundle), options, providers=["CPUExecutionProvider"]
        )

    def score(self, candidates: Sequence[Sequence[int]]) -> list[float]:
        """Return the log-probability of each candidate after `<eos>`, including its own `<eos>`."""
        lengths = np.array([len(candidate) + 1 for candidate in candidates])
        tokens = np.full((lengths.max(), len(candidates)), EOS, np.int64)
        targets = tokens.copy()
        for column, candidate in enumerate(candidates):
            tokens[1 : lengths[column], column] = candidate
            targets[: lengths[column] - 1, column] = candidate
        feed = {"token": tokens, "target": targets, "length": lengths.astype(np.int32)}
        [log_probs] = self._session.run(["target_log_probs"], feed)
        inside = np.arange(len(tokens))[:, None] < lengths[None, :]
        sums: list[float] = np.where(inside, log_probs, 0.0).sum(0, dtype=np.float64).tolist()
        return sums


def build(bundle: Path) -> bytes:
    """Build the graph.

    Inputs token [length, batch], length [batch], target [length, batch]; output log-probabilities
    of the targets [length, batch].
    """
    step = _constants(bundle / "step.onnx")
    levels = [_constants(path) for path in sorted(bundle.glob("output-*.onnx"))]
    graph = Graph("padded")
    graph.constant("embedding", _float_embedding(step))
    below = graph.add("Gather", ["embedding", "token"], "read")
    layers = sum(name.startswith("weights_") for name in step)
    for layer in range(layers):
        below = _layer(graph, step, layer, below)
    rows = _log_probs(graph, levels, below)
    graph.constant("last", np.array([2], np.int64))
    graph.add("Unsqueeze", ["target", "last"], "target_column")
    graph.add("GatherElements", [rows, "target_column"], "gathered", axis=2)
    graph.add("Squeeze", ["gathered", "last"], "target_log_probs")
    shape = ["length", "batch"]
    inputs = [
        helper.make_tensor_value_info("token", TensorProto.INT64, shape),
        helper.make_tensor_value_info("target", TensorProto.INT64, shape),
        helper.make_tensor_value_info("length", TensorProto.INT32, ["batch"]),
    ]
    output = helper.make_tensor_value_info("target_log_probs", TensorProto.FLOAT, shape)
    return graph.bytes(inputs, [output])


def _constants(path: Path) -> dict[str, NDArray[Any]]:
    """Return the weights of a graph by name."""
    model = onnx.load(str(path))
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def _float_embedding(step: dict[str, NDArray[Any]]) -> Array:
    if "embedding_scales" in step:
        values: Array = step["embedding"].astype(np.float32) * step["embedding_scales"]
        return values
    return step["embedding"].astype(np.float32)


def _layer(graph: Graph, step: dict[str, NDArray[Any]], layer: int, below: str) -> str:
    """Add one `LSTM` operator, whose gates are in the order i, o, f, g."""
    weights, bias = _float_gates(step, layer), step[f"bias_{layer}"]
    width = weights.shape[1] // 4
    order = np.concatenate([np.arange(width) + gate * width for gate in (0, 3, 1, 2)])
    weights, bias = weights[:, order], bias[order]
    names = [
        below,
        graph.constant(f"input_weights_{layer}", weights[:-width].T[None]),
        graph.constant(f"hidden_weights_{layer}", weights[-width:].T[None]),
        graph.constant(f"biases_{layer}", np.concatenate([bias, np.zeros_like(bias)])[None]),
        "length",
    ]
    outputs = graph.add("LSTM", names, f"directions_{layer}", hidden_size=width)
    graph.constant(f"direction_{layer}", np.array([1], np.int64))
    return graph.add("Squeeze", [outputs, f"direction_{layer}"], f"shown_{layer}")


def _float_gates(step: dict[str, NDArray[Any]], layer: int) -> Array:
    weights = step[f"weights_{layer}"].astype(np.float32)
    if f"scales_{layer}" not in step:
        return weights
    weights *= step[f"scales_{layer}"]
    width = weights.shape[1] // 4
    weights[:-width] /= np.float32(step["input_scale"]) if layer == 0 else HIDDEN_SCALE
    weights[-width:] /= HIDDEN_SCALE
    return weights


def _log_probs(graph: Graph, levels: Sequence[dict[str, NDArray[Any]]], top: str) -> str:
    """Add the log-probabilities of all tokens, [length, batch, vocabulary].

    A token of a cluster has its log-probability in the cluster plus the cluster's in the head.
    """
    clusters = len(levels) - 1
    for level, constants in enumerate(levels):
        rows, bias = _float_rows(constants), constants["bias_out"]
        graph.constant(f"rows_{level}", rows.T)
        graph.constant(f"row_bias_{level}", bias)
        graph.add("MatMul", [top, f"rows_{level}"], f"products_{level}")
        graph.add("Add", [f"products_{level}", f"row_bias_{level}"], f"logits_{level}")
        graph.add("LogSoftmax", [f"logits_{level}"], f"level_{level}", axis=-1)
    if not clusters:
        return "level_0"
    head = len(levels[0]["bias_out"]) - clusters
    ends = np.array([0, head, *range(head + 1, head + clusters + 1)], np.int64)
    graph.constant("sizes", np.diff(ends))
    parts = ["head", *(f"cluster_{level}" for level in range(1, clusters + 1))]
    graph.nodes.append(helper.make_node("Split", ["level_0", "sizes"], parts, axis=2))
    for level in range(1, clusters + 1):
        graph.add("Add", [f"level_{level}", f"cluster_{level}"], f"whole_{level}")
    whole = ["head", *(f"whole_{level}" for level in range(1, clusters + 1))]
    return graph.add("Concat", whole, "log_probs", axis=2)


def _float_rows(constants: dict[str, NDArray[Any]]) -> Array:
    rows = constants["rows"].astype(np.float32)
    if "clusters" in constants:
        rows = np.concatenate([rows, constants["clusters"].astype(np.float32)])
    if "scales_out" in constants:
        rows *= (constants["scales_out"] / np.float32(HIDDEN_SCALE))[:, None]
    return rows
