"""Check an ONNX graph before onnxruntime reads it.

onnxruntime runs any graph: endless loops, operators that allocate without bound, constants in
other files. Graphs of ours are a few dozen plain operators, so all others are refused here, and the
size of every value is computed.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wordgate.bundle import protobuf_fields as protobuf
from wordgate.bundle.bundle_files import EMBEDDING_FILE
from wordgate.bundle.manifest import NetworkSizes
from wordgate.bundle.protobuf_fields import BYTES, VARINT, FieldReader

_V, _B, _REPEATED = (VARINT,), (BYTES,), (VARINT, BYTES)
_MODEL = {1: _V, 2: _B, 3: _B, 4: _B, 5: _V, 6: _B, 7: _B, 8: _B}
_GRAPH = {1: _B, 2: _B, 5: _B, 10: _B, 11: _B, 12: _B}
_NODE = {1: _B, 2: _B, 3: _B, 4: _B, 5: _B, 6: _B, 7: _B}
_ATTRIBUTE = {1: _B, 3: _V, 8: _REPEATED, 13: _B, 20: _V}
_TENSOR = {1: _REPEATED, 2: _V, 8: _B, 9: _B, 12: _B, 13: _B, 14: _V}
_EXTERNAL_ENTRY = {1: _B, 2: _B}
"""Fields that our graphs have, of the messages in https://github.com/onnx/onnx onnx.proto."""

_DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64}
"""By ONNX's numbers of types."""

_MAX_RANK = 3
_ROWS = 64
"""Of the largest call: `model.MAX_ROWS`."""

_SAME = {"Cast", "Identity", "LogSoftmax", "QuantizeLinear", "Sigmoid", "Tanh"}
_ELEMENTWISE = {"Add", "Mul"}
_PRODUCTS = {"MatMul", "MatMulInteger", "MatMulIntegerToFloat"}
_OTHERS = {"Concat", "Gather", "GatherND", "Split", "Transpose", "Unsqueeze"}
_OPERATORS = _SAME | _ELEMENTWISE | _PRODUCTS | _OTHERS
Shape = tuple[int, ...]


@dataclass(frozen=True)
class _Value:
    """A tensor's shape; its one integer, where it is a constant of one."""

    shape: Shape
    integer: int | None = None


@dataclass(frozen=True)
class _Node:
    """An operator with names of its inputs and outputs and its attributes, integers all."""

    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, list[int]]


def check_graph(document: bytes, sizes: NetworkSizes, embedding_bytes: int) -> None:
    """Raise `ValueError` unless a graph is made of plain operators on values of bounded size.

    `embedding_bytes`: size of `embedding.bin`, 0 where there is none.
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
    left_products = 2 * _ROWS * constants
    for message in protobuf.messages(graph, 1):
        node = _node(reader, message)
        shape = _shape(node, values)
        left_products -= _products(node, values)
        for name in node.outputs:
            _add(values, name, _Value(shape))
            left -= math.prod(shape)
        if left < 0 or len(shape) > _MAX_RANK:
            raise ValueError(f"{node.operator} makes values too large for a network of this size")
        if left_products < 0:
            raise ValueError(f"{node.operator} multiplies more than the graph's constants need")


def _inputs(sizes: NetworkSizes) -> dict[str, _Value]:
    """What `model.NetworkModel` feeds, in the largest call."""
    rows, state = _Value((_ROWS,)), _Value((_ROWS, sizes.layers * sizes.width))
    top = _Value((_ROWS, sizes.width))
    return {
        "token": rows,
        "hidden": state,
        "cells": state,
        "top": top,
        "row": rows,
        "target": rows,
    }


def _most_elements(sizes: NetworkSizes, constants: int) -> int:
    """More than a graph of ours makes: transposed constants, and values of each row.

    `constants`: elements of all constants. They are in the bundle, whereas sizes are only claimed.
    """
    row = 64 * sizes.layers * sizes.width + 8 * (sizes.vocabulary + len(sizes.cuts)) + 64
    return 4 * constants + _ROWS * row


def _products(node: _Node, values: Mapping[str, _Value]) -> int:
    """Multiplications of a matrix product; 0 for other operators."""
    if node.operator not in _PRODUCTS:
        return 0
    first, second = (values[name].shape for name in node.inputs[:2])
    return math.prod(first) * second[1]


def _add(values: dict[str, _Value], name: str, value: _Value) -> None:
    if name in values:
        raise ValueError(f"two values are called {name[:50]!a}")
    values[name] = value


def _constants(
    reader: FieldReader, tensors: Sequence[memoryview], embedding: int
) -> Iterator[tuple[str, _Value]]:
    """Constants by name. Raises `ValueError` where several share bytes of `embedding.bin`.

    Each would have a copy of them.
    """
    left = embedding
    for tensor in tensors:
        name, value, external = _constant(reader, tensor, embedding)
        left -= external
        if left < 0:
            raise ValueError(f"constants share parts of {EMBEDDING_FILE}")
        yield name, value


def _constant(reader: FieldReader, tensor: memoryview, embedding: int) -> tuple[str, _Value, int]:
    """A constant whose values are all there, and its bytes in `embedding.bin`.

    Raises `ValueError`.
    """
    fields = reader.read(tensor, _TENSOR)
    name = protobuf.one_text(fields, 8)
    dtype = _DTYPES.get(protobuf.one_integer(fields, 2))
    shape = tuple(reader.integers(fields.get(1, [])))
    if dtype is None or len(shape) > _MAX_RANK or any(size <= 0 for size in shape):
        raise ValueError(f"constant {name[:50]!a} has a type or shape that is not served")
    needed = math.prod(shape) * np.dtype(dtype).itemsize
    if 13 in fields or protobuf.one_integer(fields, 14):
        entries = protobuf.messages(fields, 13)
        if 9 in fields or not _lies_inside(reader, entries, needed, embedding):
            raise ValueError(f"constant {name[:50]!a} is not a part of {EMBEDDING_FILE}")
        return name, _Value(shape), needed
    raw = protobuf.one_message(fields, 9)
    if len(raw) != needed:
        raise ValueError(f"constant {name[:50]!a} has {len(raw)} bytes, its shape {needed}")
    numbers = np.frombuffer(raw, dtype)
    if dtype is np.float32 and not np.isfinite(numbers).all():
        raise ValueError(f"constant {name[:50]!a} has values that are not finite")
    is_one = dtype is np.int64 and len(numbers) == 1
    return name, _Value(shape, int(numbers[0]) if is_one else None), 0


def _lies_inside(
    reader: FieldReader, entries: Sequence[memoryview], needed: int, embedding: int
) -> bool:
    """Return whether a constant is `needed` bytes of the embedding's file, and of no other."""
    place: dict[str, str] = {}
    for entry in entries:
        fields = reader.read(entry, _EXTERNAL_ENTRY)
        place[protobuf.one_text(fields, 1)] = protobuf.one_text(fields, 2)
    offset, length = place.get("offset", ""), place.get("length", "")
    if place != {"location": EMBEDDING_FILE, "offset": offset, "length": length}:
        return False
    if not all(0 < len(n) < 20 and n.isascii() and n.isdecimal() for n in (offset, length)):
        return False
    return int(length) == needed and int(offset) + needed <= embedding


def _node(reader: FieldReader, message: memoryview) -> _Node:
    fields = reader.read(message, _NODE)
    operator, domain = protobuf.one_text(fields, 4), protobuf.one_text(fields, 7)
    contributed = "com.microsoft" if operator == "MatMulIntegerToFloat" else ""
    if operator not in _OPERATORS or domain != contributed:
        raise ValueError(f"operator {operator[:50]!a} is not served")
    attributes = {}
    for each in protobuf.messages(fields, 5):
        attribute = reader.read(each, _ATTRIBUTE)
        integers = [*attribute.get(3, []), *attribute.get(8, [])]
        attributes[protobuf.one_text(attribute, 1)] = reader.integers(integers)
    return _Node(operator, protobuf.texts(fields, 1), protobuf.texts(fields, 2), attributes)


def _shape(node: _Node, values: Mapping[str, _Value]) -> Shape:
    """The shape of each output of a node. Raises `ValueError` for one that cannot be run."""
    try:
        return _shape_of(node, [values[name] for name in node.inputs if name])
    except (KeyError, IndexError, TypeError, ZeroDivisionError):
        raise ValueError(f"{node.operator} has inputs that it cannot have") from None


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
            raise ValueError(f"{node.operator} has attributes or inputs that are not served")
    return shape


def _concatenated(inputs: Sequence[Shape], axis: int) -> Shape:
    sizes = [max(shape[place] for shape in inputs) for place in range(len(inputs[0]))]
    sizes[axis] = sum(shape[axis] for shape in inputs)
    return tuple(sizes)


def _broadcast(first: Shape, second: Shape) -> Shape:
    rank = max(len(first), len(second))
    padded = [(1,) * (rank - len(shape)) + shape for shape in (first, second)]
    return tuple(map(max, *padded))
