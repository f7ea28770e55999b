"""Add the gates of every layer to the outputs of a step graph.

The graph computes them anyway. Merging two serialised protobuf messages means concatenating them,
so a second `ModelProto` with only the further outputs follows the graph. No file changes, and
weights are neither stored nor loaded twice. An output that an inference does not fetch costs
nothing.

Field numbers are those of onnx.proto in github.com/onnx/onnx; the rule for merging is in
https://protobuf.dev/programming-guides/encoding#last-one-wins.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wordgate.bundle.protobuf_fields import bytes_field

_GATES = ("i", "f", "g", "o")
_FLOAT_TENSOR = b"\x0a\x02\x08\x01"
"""`TypeProto.tensor_type` with `elem_type` FLOAT."""


def gate_names(layers: int) -> list[str]:
    """Return the names of the gates in a step graph: input, forget, candidate, output per layer."""
    return [f"{gate}_{layer}" for layer in range(layers) for gate in _GATES]


def with_gate_outputs(step_graph: bytes, layers: int) -> bytes:
    """Return a serialised step graph whose outputs also include the gates of all layers."""
    outputs = [
        bytes_field(
            12, bytes_field(1, name.encode("ascii")) + bytes_field(2, _FLOAT_TENSOR)
        )  # ValueInfoProto
        for name in gate_names(layers)
    ]
    return step_graph + bytes_field(7, b"".join(outputs))  # ModelProto.graph, GraphProto.output


def activations(
    gates: Sequence[NDArray[np.float32]], cells: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return float32 [rows, layers, 5, width] from the `gate_names` outputs and the new cells.

    `gates` are float32 [rows, width] each, `cells` float32 [rows, layers * width].
    """
    rows, width = gates[0].shape
    layers = len(gates) // len(_GATES)
    found = np.empty((rows, layers, len(_GATES) + 1, width), np.float32)
    for index, values in enumerate(gates):
        found[:, index // len(_GATES), index % len(_GATES)] = values
    found[:, :, -1] = cells.reshape(rows, layers, width)
    return found
