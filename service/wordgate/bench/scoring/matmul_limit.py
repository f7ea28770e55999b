"""Upper bound of the engine's speed: time a network's integer matrix products alone on one core.

Graphs that contain only `MatMulInteger` are timed at several batch sizes.
"""

import statistics
from collections.abc import Sequence
from time import perf_counter

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from wordgate.bundle.manifest import ZERO_POINT, NetworkSizes
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.training.export.onnx_graphs import IR_VERSION, OPSET

ROWS = (16, 32, 48, 64, 96, 128)
_CALLS = 5


class MatmulLimit:
    """The matrix products of each graph of a network, as separate onnxruntime sessions."""

    def __init__(self, sizes: NetworkSizes) -> None:
        levels = AdaptiveSoftmaxLayout(sizes.cutoffs)
        layer = (2 * sizes.width, 4 * sizes.width)
        shapes = {"step": [layer] * sizes.layers}
        for level in range(levels.count):
            shapes[f"output-{level}"] = [(sizes.width, levels.width(level))]
        self._products = {name: _Products(each) for name, each in shapes.items()}
        self._seconds = {(name, rows): list[float]() for name in shapes for rows in ROWS}

    def measure(self) -> None:
        """Time each product once at each batch size."""
        for (name, rows), taken in self._seconds.items():
            taken.append(self._products[name].seconds(rows))

    def seconds_per_row(self, name: str) -> float:
        """Return the time per row of a graph's products at the fastest batch size."""
        return min(statistics.median(self._seconds[name, rows]) / rows for rows in ROWS)


class _Products:
    def __init__(self, shapes: Sequence[tuple[int, int]]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._shapes = shapes
        self._session = onnxruntime.InferenceSession(
            _products(shapes), options, providers=["CPUExecutionProvider"]
        )
        for rows in ROWS:
            self.seconds(rows)

    def seconds(self, rows: int) -> float:
        """Return the time of one inference with `rows` rows."""
        feed = {
            f"rows_{index}": np.full((rows, inner), 3, np.uint8)
            for index, (inner, _) in enumerate(self._shapes)
        }
        began = perf_counter()
        for _ in range(_CALLS):
            self._session.run(None, feed)
        return (perf_counter() - began) / _CALLS


def _products(shapes: Sequence[tuple[int, int]]) -> bytes:
    generator = np.random.default_rng(0)
    zero_point = numpy_helper.from_array(np.array(ZERO_POINT, np.uint8), "zero_point")
    nodes, constants, inputs, outputs = [], [zero_point], [], []
    for index, (inner, outer) in enumerate(shapes):
        weights = generator.integers(-127, 128, (inner, outer)).astype(np.int8)
        constants.append(numpy_helper.from_array(weights, f"weights_{index}"))
        names = [f"rows_{index}", f"weights_{index}", "zero_point"]
        nodes.append(helper.make_node("MatMulInteger", names, [f"sums_{index}"]))
        kinds = (
            (f"rows_{index}", TensorProto.UINT8, inner),
            (f"sums_{index}", TensorProto.INT32, outer),
        )
        rows, sums = (
            helper.make_tensor_value_info(n, kind, ["rows", size]) for n, kind, size in kinds
        )
        inputs.append(rows)
        outputs.append(sums)
    graph = helper.make_graph(nodes, "products", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", OPSET)]
    return bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()
    )
