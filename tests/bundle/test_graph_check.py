"""Graphs are checked before onnxruntime reads them."""

from pathlib import Path

import pytest
from tests.bundles import write_bundle

from wordgate.bundle.bundle import read_manifest
from wordgate.bundle.graph_check import check_graph
from wordgate.bundle.protobuf_fields import BYTES, VARINT, FieldReader

_SHIPPED = Path(__file__).parents[2] / "models" / "en"


def _check_all(path: Path) -> None:
    sizes = read_manifest(path).network
    for graph in path.glob("*.onnx"):
        check_graph(graph.read_bytes(), sizes, (path / "embedding.bin").stat().st_size)


@pytest.mark.parametrize("precision", ["int8", "float32"])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 64), (2, 32), (12, 8)], ids=str)
def test_exported_graphs_pass(tmp_path: Path, precision: str, sizes: tuple[int, int]) -> None:
    """Graphs with one or several layers pass in both precisions."""
    layers, width = sizes
    _check_all(write_bundle(tmp_path, precision=precision, layers=layers, width=width))


@pytest.mark.parametrize("version", sorted(_SHIPPED.glob("[0-9]*")), ids=lambda path: path.name)
def test_published_graphs_pass(version: Path) -> None:
    """Graphs of all published versions pass."""
    _check_all(version)


def test_truncated_graphs_are_rejected(bundle: Path) -> None:
    """A graph truncated at any byte raises `ValueError`."""
    sizes, graph = read_manifest(bundle).network, (bundle / "output-0.onnx").read_bytes()
    size = (bundle / "embedding.bin").stat().st_size
    for length in range(1, len(graph), 7):
        with pytest.raises(ValueError):
            check_graph(graph[:length], sizes, size)


@pytest.mark.parametrize(
    "message",
    [
        b"\x08",
        b"\x08" + b"\xff" * 11,
        b"\x12\x05abc",
        b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0b",
        b"\x0d0000",
        b"\x18\x01",
        b"\x10\x01",
    ],
    ids=repr,
)
def test_malformed_messages_are_rejected(message: bytes) -> None:
    """Reject truncated messages, large numbers, groups, unknown fields and wrong wire types."""
    with pytest.raises(ValueError):
        FieldReader().read(memoryview(message), {1: (VARINT,), 2: (BYTES,)})


def test_the_number_of_fields_is_limited() -> None:
    """Parsing stops at 100,000 fields."""
    with pytest.raises(ValueError, match="more than 100000 fields"):
        FieldReader().read(memoryview(b"\x08\x01" * 200_000), {1: (VARINT,)})
    reader = FieldReader()
    packed = reader.read(memoryview(b"\x0a\x03\x01\x02\x03"), {1: (BYTES,)})
    assert reader.integers(packed[1]) == [1, 2, 3]
