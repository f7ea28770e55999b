"""Check an ONNX graph before onnxruntime reads it.

onnxruntime runs any graph, including endless loops, operators that allocate without bound, and
constants in other files. Exported graphs consist of a few dozen plain operators. All other
operators are rejected here, and the size of every value is computed.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wordgate.bundle import protobuf_fields as protobuf
from wordgate.bundle.bundle_files import EMBEDDING_FILE
from wordgate.bundle.manifest import NetworkSizes
from wordgate.bundle.protobuf_fields import BYTES, VARINT, FieldReader
from wordgate.lm.requests import MAX_ROWS

_V, _B, _REPEATED = (VARINT,), (BYTES,), (VARINT, BYTES)
_MODEL = {1: _V, 2: _B, 3: _B, 4: _B, 5: _V, 6: _B, 7: _B, 8: _B}
_GRAPH = {1: _B, 2: _B, 5: _B, 10: _B, 11: _B, 12: _B}
_NODE = {1: _B, 2: _B, 3: _B, 4: _B, 5: _B, 6: _B, 7: _B}
_ATTRIBUTE = {1: _B, 3: _V, 8: _REPEATED, 13: _B, 20: _V}
_TENSOR = {1: _REPEATED, 2: _V, 8: _B, 9: _B, 12: _B, 13: _B, 14: _V}
_EXTERNAL_ENTRY = {1: _B, 2: _B}
"""Field numbers used by exported graphs, per message of onnx.proto in github.com/onnx/onnx."""

_DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64}
"""NumPy types by ONNX data-type number."""

_MAX_RANK = 3

_SAME = {"Cast", "Identity", "LogSoftmax", "QuantizeLinear", "Sigmoid", "Tanh"}
_ELEMENTWISE = {"Add", "Mul"}
_PRODUCTS = {"MatMul", "MatMulInteger", "MatMulIntegerToFloat"}
_OTHERS = {"Concat", "Gather", "GatherND", "Split", "Transpose", "Unsqueeze"}
_OPERATORS = _SAME | _ELEMENTWISE | _PRODUCTS | _OTHERS
Shape = tuple[int, ...]


@dataclass(frozen=True)
class _Value:
    """A tensor's shape, and its value if it is a constant with a single integer."""

    shape: Shape
    integer: int | None = None


@dataclass(frozen=True)
class _Node:
    """An operator with the names of its inputs and outputs and its integer attributes."""

    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, list[int]]


def check_graph(document: bytes, sizes: NetworkSizes, embedding_bytes: int) -> None:
    """Raise `ValueError` unless a graph uses known operators on values of bounded size.

    `embedding_bytes` is the size of `embedding.bin`, 0 if there is none.
    """
    reader = FieldReader()
    model = reader.read(memoryview(document), _MODEL)
    graph = reader.read(protobuf.one_message(model, 7), _GRAPH)
    values = _inputs(sizes)
    constants = 0
    for name, value in _constants(reader, protobuf.messages(graph, 5), embedding_bytes):
        _add(values, name, value)
        constants += math.prod(value.shape)
    left = _most_elements(sizes, constants)
    left_products = 2 * MAX_ROWS * constants
    for message in protobuf.messages(graph, 1):
        node = _node(reader, message)
        shape = _shape(node, values)
        left_products -= _products(node, values)
        for name in node.outputs:
            _add(values, name, _Value(shape))
            left -= math.prod(shape)
        if left < 0 or len(shape) > _MAX_RANK:
            raise ValueError(f"{node.operator} creates values too large for a network of this size")
        if left_products < 0:
            raise ValueError(f"{node.operator} multiplies more than the graph's constants need")


def _inputs(sizes: NetworkSizes) -> dict[str, _Value]:
    """Return the inputs that `onnx_model.NetworkModel` feeds in the largest inference."""
    rows, state = _Value((MAX_ROWS,)), _Value((MAX_ROWS, sizes.layers * sizes.width))
    top = _Value((MAX_ROWS, sizes.width))
    return {
        "token": rows,
        "hidden": state,
        "cells": state,
        "top": top,
        "row": rows,
        "target": rows,
    }


def _most_elements(sizes: NetworkSizes, constants: int) -> int:
    """Return an upper bound on the elements that an exported graph creates.

    These are transposed constants and values per row. `constants` is the number of elements of all
    constants; these are present in the bundle, whereas the sizes are only claimed by its manifest.
    """
    row = 64 * sizes.layers * sizes.width + 8 * (sizes.vocabulary + len(sizes.cutoffs)) + 64
    return 4 * constants + MAX_ROWS * row


def _products(node: _Node, values: Mapping[str, _Value]) -> int:
    """Return the multiplications of a matrix product; 0 for other operators."""
    if node.operator not in _PRODUCTS:
        return 0
    first, second = (values[name].shape for name in node.inputs[:2])
    return math.prod(first) * second[1]


def _add(values: dict[str, _Value], name: str, value: _Value) -> None:
    if name in values:
        raise ValueError(f"two values are named {name[:50]!a}")
    values[name] = value


def _constants(
    reader: FieldReader, tensors: Sequence[memoryview], embedding: int
) -> Iterator[tuple[str, _Value]]:
    """Yield the constants by name.

    Raises `ValueError` if several share bytes of `embedding.bin`; each would have its own copy.
    """
    left = embedding
    for tensor in tensors:
        name, value, external = _constant(reader, tensor, embedding)
        left -= external
        if left < 0:
            raise ValueError(f"constants share parts of {EMBEDDING_FILE}")
        yield name, value


def _constant(reader: FieldReader, tensor: memoryview, embedding: int) -> tuple[str, _Value, int]:
    """Parse a constant; return its name, its value and its size in `embedding.bin` in bytes.

    Raises `ValueError` for an unsupported type or shape, and for missing or non-finite values.
    """
    fields = reader.read(tensor, _TENSOR)
    name = protobuf.one_text(fields, 8)
    dtype = _DTYPES.get(protobuf.one_integer(fields, 2))
    shape = tuple(reader.integers(fields.get(1, [])))
    if dtype is None or len(shape) > _MAX_RANK or any(size <= 0 for size in shape):
        raise ValueError(f"constant {name[:50]!a} has an unsupported type or shape")
    needed = math.prod(shape) * np.dtype(dtype).itemsize
    if 13 in fields or protobuf.one_integer(fields, 14):
        entries = protobuf.messages(fields, 13)
        if 9 in fields or not _lies_inside(reader, entries, needed, embedding):
            raise ValueError(f"constant {name[:50]!a} is not within {EMBEDDING_FILE}")
        return name, _Value(shape), needed
    raw = protobuf.one_message(fields, 9)
    if len(raw) != needed:
        raise ValueError(f"constant {name[:50]!a} has {len(raw)} bytes; its shape needs {needed}")
    numbers = np.frombuffer(raw, dtype)
    if dtype is np.float32 and not np.isfinite(numbers).all():
        raise ValueError(f"constant {name[:50]!a} has values that are not finite")
    is_one = dtype is np.int64 and len(numbers) == 1
    return name, _Value(shape, int(numbers[0]) if is_one else None), 0


def _lies_inside(
    reader: FieldReader, entries: Sequence[memoryview], needed: int, embedding: int
) -> bool:
    """Return whether a constant refers to `needed` bytes within `embedding.bin`."""
    reference: dict[str, str] = {}
    for entry in entries:
        fields = reader.read(entry, _EXTERNAL_ENTRY)
        reference[protobuf.one_text(fields, 1)] = protobuf.one_text(fields, 2)
    offset, length = reference.get("offset", ""), reference.get("length", "")
    if reference != {"location": EMBEDDING_FILE, "offset": offset, "length": length}:
        return False
    if not all(0 < len(n) < 20 and n.isascii() and n.isdecimal() for n in (offset, length)):
        return False
    return int(length) == needed and int(offset) + needed <= embedding


def _node(reader: FieldReader, message: memoryview) -> _Node:
    fields = reader.read(message, _NODE)
    operator, domain = protobuf.one_text(fields, 4), protobuf.one_text(fields, 7)
    contributed = "com.microsoft" if operator == "MatMulIntegerToFloat" else ""
    if operator not in _OPERATORS or domain != contributed:
        raise ValueError(f"operator {operator[:50]!a} is not supported")
    attributes = {}
    for each in protobuf.messages(fields, 5):
        attribute = reader.read(each, _ATTRIBUTE)
        integers = [*attribute.get(3, []), *attribute.get(8, [])]
        attributes[protobuf.one_text(attribute, 1)] = reader.integers(integers)
    return _Node(operator, protobuf.texts(fields, 1), protobuf.texts(fields, 2), attributes)


def _shape(node: _Node, values: Mapping[str, _Value]) -> Shape:
    """Return the shape of a node's outputs. Raises `ValueError` for a node that cannot run."""
    try:
        return _shape_of(node, [values[name] for name in node.inputs if name])
    except (KeyError, IndexError, TypeError, ZeroDivisionError):
        raise ValueError(f"{node.operator} has invalid inputs") from None


def _shape_of(node: _Node, inputs: Sequence[_Value]) -> Shape:
    first, *others = [value.shape for value in inputs]
    shape: Shape
    match node.operator:
        case operator if operator in _SAME:
            shape = first
        case operator if operator in _ELEMENTWISE:
            shape = _broadcast(first, others[0])
        case operator if operator in _PRODUCTS and len(first) == len(others[0]) == 2:
            shape = first[0], others[0][1]
        case "Concat":
            shape = _concatenated([first, *others], node.attributes["axis"][0])
        case "Gather" if node.attributes.get("axis", [0]) == [0]:
            shape = (*others[0], *first[1:])
        case "GatherND" if node.attributes.get("batch_dims", [0]) == [0]:
            shape = (*others[0][:-1], *first[others[0][-1] :])
        case "Split" if node.attributes["axis"] == [len(first) - 1] and not others:
            shape = (*first[:-1], -(-first[-1] // len(node.outputs)))
        case "Transpose" if len(first) == 2 and node.attributes["perm"] == [1, 0]:
            shape = first[1], first[0]
        case "Unsqueeze" if len(first) == 1 and inputs[1].integer == 1:
            shape = first[0], 1
        case _:
            raise ValueError(f"{node.operator} has unsupported attributes or inputs")
    return shape


def _concatenated(inputs: Sequence[Shape], axis: int) -> Shape:
    sizes = [max(shape[index] for shape in inputs) for index in range(len(inputs[0]))]
    sizes[axis] = sum(shape[axis] for shape in inputs)
    return tuple(sizes)


def _broadcast(first: Shape, second: Shape) -> Shape:
    rank = max(len(first), len(second))
    padded = [(1,) * (rank - len(shape)) + shape for shape in (first, second)]
    return tuple(map(max, *padded))
