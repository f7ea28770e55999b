"""Build the ONNX graphs of a bundle node by node.

`step` reads one token: token and state to the next state. `output` computes one output level: top
hidden rows to the log-probabilities of given targets or of complete rows. Both take any number of
rows. Weights are constants, so onnxruntime packs them once. The embedding is tied to the output
layer and stored once, in a separate file that all graphs reference.

Activations are quantised with constant scales, never with a range computed from the batch, so a
row's result does not depend on the other rows of the batch. Hidden values are in (-1, 1) and become
uint8 with zero point 128 and scale 1/127.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from wordgate.bundle.bundle_files import EMBEDDING_FILE
from wordgate.bundle.manifest import ZERO_POINT
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout

OPSET = 21
IR_VERSION = 10
CONTRIB_DOMAIN = "com.microsoft"
HIDDEN_SCALE = 1.0 / 127.0
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Weights:
    """The trained network as float32 arrays.

    `embedding` [vocabulary, width], `output_bias` [vocabulary], `cluster_vectors` [clusters,
    width], `cluster_bias` [clusters]. Per layer: `layer_weights` [2 * width, 4 * width] (input
    weights, then recurrent weights; gates i, f, g, o) and `layer_biases` [4 * width].
    """

    embedding: Array
    output_bias: Array
    cluster_vectors: Array
    cluster_bias: Array
    layer_weights: Sequence[Array]
    layer_biases: Sequence[Array]
    levels: AdaptiveSoftmaxLayout

    @property
    def width(self) -> int:
        """Size of a hidden row."""
        return int(self.embedding.shape[1])

    @property
    def layers(self) -> int:
        """Number of LSTM layers."""
        return len(self.layer_weights)


@dataclass
class Graph:
    """Nodes and constants of a graph under construction."""

    name: str
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, values: NDArray[np.generic]) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def embedding_rows(self, name: str, like: NDArray[np.generic], first: int, after: int) -> str:
        """Add rows [first, after) of the embedding file. `like` is the complete matrix."""
        tensor = TensorProto()
        tensor.name = name
        tensor.data_type = helper.np_dtype_to_tensor_dtype(like.dtype)
        tensor.dims.extend([after - first, like.shape[1]])
        tensor.data_location = TensorProto.EXTERNAL
        row_bytes = like.shape[1] * like.itemsize
        location = {
            "location": EMBEDDING_FILE,
            "offset": str(first * row_bytes),
            "length": str((after - first) * row_bytes),
        }
        for key, value in location.items():
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        self.constants.append(tensor)
        return name

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def split(self, value: str, outputs: Sequence[str]) -> None:
        """Split a value [rows, columns] into equal column blocks."""
        node = helper.make_node("Split", [value], list(outputs), axis=1, num_outputs=len(outputs))
        self.nodes.append(node)

    def bytes(
        self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
    ) -> bytes:
        """Return the serialized model with these inputs and outputs."""
        graph = helper.make_graph(self.nodes, self.name, inputs, outputs, self.constants)
        domains = {node.domain for node in self.nodes}
        opsets = [helper.make_opsetid("", OPSET)]
        if CONTRIB_DOMAIN in domains:
            opsets.append(helper.make_opsetid(CONTRIB_DOMAIN, 1))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        model.producer_name = "wordgate"
        return bytes(model.SerializeToString(deterministic=True))


@dataclass(frozen=True)
class Quantised:
    """int8 values with a scale per row or column: value = scale * int8."""

    values: NDArray[np.int8]
    scales: Array


def quantise(matrix: Array, axis: int) -> Quantised:
    """Quantise to symmetric int8 with one scale per slice along the other axis."""
    largest = np.maximum(np.abs(matrix).max(axis=axis, keepdims=True), 1e-12)
    scales = (largest / 127.0).astype(np.float32)
    values = np.clip(np.rint(matrix / scales), -127, 127).astype(np.int8)
    return Quantised(values, scales.squeeze(axis))


def build(weights: Weights, precision: str) -> dict[str, bytes]:
    """Build all network files: `step.onnx`, one `output-N.onnx` per level, `embedding.bin`.

    `precision` is "int8" or "float32". The output is deterministic.
    """
    if precision == "float32":
        files = {EMBEDDING_FILE: weights.embedding.astype(np.float32).tobytes()}
        files["step.onnx"] = _float_step(weights)
        for level in range(weights.levels.count):
            files[f"output-{level}.onnx"] = _float_output(weights, level)
        return files
    embedding = quantise(weights.embedding, axis=1)
    files = {EMBEDDING_FILE: embedding.values.tobytes(), "step.onnx": _step(weights, embedding)}
    for level in range(weights.levels.count):
        files[f"output-{level}.onnx"] = _output(weights, embedding, level)
    return files


def _step(weights: Weights, embedding: Quantised) -> bytes:
    graph = Graph("step")
    input_scale = float(np.abs(weights.embedding).max()) / 127.0
    graph.constant("zero_point", np.array(ZERO_POINT, np.uint8))
    graph.constant("one", np.array(1.0, np.float32))
    graph.constant("input_scale", np.array(input_scale, np.float32))
    graph.constant("hidden_scale", np.array(HIDDEN_SCALE, np.float32))
    rows = graph.embedding_rows("embedding", embedding.values, 0, len(embedding.values))
    graph.constant("embedding_scales", embedding.scales[:, None])
    graph.add("Gather", [rows, "token"], "read")
    graph.add("Cast", ["read"], "read_float", to=TensorProto.FLOAT)
    graph.add("Gather", ["embedding_scales", "token"], "read_scale")
    graph.add("Mul", ["read_float", "read_scale"], "read_value")
    below = graph.add("QuantizeLinear", ["read_value", "input_scale", "zero_point"], "below")
    _split_state(graph, weights.layers)
    scale = input_scale
    for layer in range(weights.layers):
        graph.add("Concat", [below, f"hidden_{layer}"], f"joined_{layer}", axis=1)
        _quantised_gates(graph, weights, layer, scale)
        below = _cell(graph, layer)
        below = graph.add(
            "QuantizeLinear", [below, "hidden_scale", "zero_point"], f"next_hidden_{layer}"
        )
        scale = HIDDEN_SCALE
    return _join_state(graph, weights, TensorProto.UINT8)


def _quantised_gates(graph: Graph, weights: Weights, layer: int, below_scale: float) -> None:
    """Add the gate pre-activations: an exact integer product, then one scale per column."""
    width = weights.width
    matrix = weights.layer_weights[layer].copy()
    matrix[:width] *= np.float32(below_scale)
    matrix[width:] *= np.float32(HIDDEN_SCALE)
    quantised = quantise(matrix, axis=0)
    graph.constant(f"weights_{layer}", quantised.values)
    graph.constant(f"scales_{layer}", quantised.scales)
    graph.constant(f"bias_{layer}", weights.layer_biases[layer])
    _integer_product(graph, f"joined_{layer}", str(layer))


def _integer_product(graph: Graph, value: str, name: str) -> None:
    """Add `gates_NAME` = (value - 128) @ weights_NAME * scales_NAME + bias_NAME as one operator.

    onnxruntime's `MatMulIntegerToFloat` gives bit-identical results to `MatMulInteger`, a cast, a
    product and a sum, and saves three passes over memory.
    """
    names = [value, f"weights_{name}", "one", f"scales_{name}", "zero_point", "", f"bias_{name}"]
    graph.add("MatMulIntegerToFloat", names, f"gates_{name}", domain=CONTRIB_DOMAIN)


def _float_step(weights: Weights) -> bytes:
    graph = Graph("step")
    rows = graph.embedding_rows("embedding", weights.embedding, 0, len(weights.embedding))
    below = graph.add("Gather", [rows, "token"], "below")
    _split_state(graph, weights.layers)
    for layer in range(weights.layers):
        graph.constant(f"weights_{layer}", weights.layer_weights[layer])
        graph.constant(f"bias_{layer}", weights.layer_biases[layer])
        graph.add("Concat", [below, f"hidden_{layer}"], f"joined_{layer}", axis=1)
        graph.add("MatMul", [f"joined_{layer}", f"weights_{layer}"], f"product_{layer}")
        graph.add("Add", [f"product_{layer}", f"bias_{layer}"], f"gates_{layer}")
        below = graph.add("Identity", [_cell(graph, layer)], f"next_hidden_{layer}")
    return _join_state(graph, weights, TensorProto.FLOAT)


def _split_state(graph: Graph, layers: int) -> None:
    if layers == 1:
        graph.add("Identity", ["hidden"], "hidden_0")
        graph.add("Identity", ["cells"], "cells_0")
        return
    graph.split("hidden", [f"hidden_{layer}" for layer in range(layers)])
    graph.split("cells", [f"cells_{layer}" for layer in range(layers)])


def _cell(graph: Graph, layer: int) -> str:
    """Add the LSTM cell after its gates (Hochreiter & Schmidhuber 1997, with forget gate)."""
    gates = [f"{gate}_{layer}" for gate in ("i", "f", "g", "o")]
    graph.split(f"gates_{layer}", [f"{gate}_raw" for gate in gates])
    for gate, function in zip(gates, ("Sigmoid", "Sigmoid", "Tanh", "Sigmoid"), strict=True):
        graph.add(function, [f"{gate}_raw"], gate)
    i, f, g, o = gates
    graph.add("Mul", [f, f"cells_{layer}"], f"kept_{layer}")
    graph.add("Mul", [i, g], f"written_{layer}")
    graph.add("Add", [f"kept_{layer}", f"written_{layer}"], f"next_cells_{layer}")
    graph.add("Tanh", [f"next_cells_{layer}"], f"squashed_{layer}")
    return graph.add("Mul", [o, f"squashed_{layer}"], f"shown_{layer}")


def _join_state(graph: Graph, weights: Weights, hidden_type: int) -> bytes:
    for part in ("next_hidden", "next_cells"):
        names = [f"{part}_{layer}" for layer in range(weights.layers)]
        graph.add("Concat", names, part, axis=1)
    shape: list[str | int] = ["rows", weights.layers * weights.width]

    def state(name: str, kind: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    token = helper.make_tensor_value_info("token", TensorProto.INT64, ["rows"])
    inputs = [token, state("hidden", hidden_type), state("cells", TensorProto.FLOAT)]
    outputs = [state("next_hidden", hidden_type), state("next_cells", TensorProto.FLOAT)]
    return graph.bytes(inputs, outputs)


def _output(weights: Weights, embedding: Quantised, level: int) -> bytes:
    graph = Graph(f"output-{level}")
    first, after = weights.levels.firsts[level], weights.levels.cutoffs[level]
    scales = embedding.scales[first:after]
    rows = graph.embedding_rows("rows", embedding.values, first, after)
    if level == 0 and len(weights.cluster_vectors):
        clusters = quantise(weights.cluster_vectors, axis=1)
        graph.constant("clusters", clusters.values)
        rows = graph.add("Concat", [rows, "clusters"], "all_rows", axis=0)
        scales = np.concatenate([scales, clusters.scales])
    graph.add("Transpose", [rows], "weights_out", perm=[1, 0])
    graph.constant("zero_point", np.array(ZERO_POINT, np.uint8))
    graph.constant("one", np.array(1.0, np.float32))
    graph.constant("scales_out", (scales * np.float32(HIDDEN_SCALE)).astype(np.float32))
    graph.constant("bias_out", _output_bias(weights, level))
    _integer_product(graph, "top", "out")
    return _log_probs(graph, weights, level, TensorProto.UINT8)


def _float_output(weights: Weights, level: int) -> bytes:
    graph = Graph(f"output-{level}")
    first, after = weights.levels.firsts[level], weights.levels.cutoffs[level]
    rows = graph.embedding_rows("rows", weights.embedding, first, after)
    if level == 0 and len(weights.cluster_vectors):
        graph.constant("clusters", weights.cluster_vectors)
        rows = graph.add("Concat", [rows, "clusters"], "all_rows", axis=0)
    graph.add("Transpose", [rows], "weights_out", perm=[1, 0])
    graph.constant("bias_out", _output_bias(weights, level))
    graph.add("MatMul", ["top", "weights_out"], "product")
    graph.add("Add", ["product", "bias_out"], "gates_out")
    return _log_probs(graph, weights, level, TensorProto.FLOAT)


def _output_bias(weights: Weights, level: int) -> Array:
    bias = weights.output_bias[weights.levels.firsts[level] : weights.levels.cutoffs[level]]
    return np.concatenate([bias, weights.cluster_bias]) if level == 0 else bias


def _log_probs(graph: Graph, weights: Weights, level: int, top_type: int) -> bytes:
    """Add outputs `log_probs` [rows, entries] and `target_log_probs` at (`row`, `target`)."""
    graph.add("LogSoftmax", ["gates_out"], "log_probs", axis=-1)
    graph.constant("last", np.array([1], np.int64))
    graph.add("Unsqueeze", ["row", "last"], "row_column")
    graph.add("Unsqueeze", ["target", "last"], "target_column")
    graph.add("Concat", ["row_column", "target_column"], "places", axis=1)
    graph.add("GatherND", ["log_probs", "places"], "target_log_probs")
    inputs = [
        helper.make_tensor_value_info("top", top_type, ["rows", weights.width]),
        helper.make_tensor_value_info("row", TensorProto.INT64, ["targets"]),
        helper.make_tensor_value_info("target", TensorProto.INT64, ["targets"]),
    ]
    entries = weights.levels.width(level)
    outputs = [
        helper.make_tensor_value_info("target_log_probs", TensorProto.FLOAT, ["targets"]),
        helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["rows", entries]),
    ]
    return graph.bytes(inputs, outputs)
