"""Invalid bundles: the change to a valid one, and the reason for which it is rejected."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tests.bundles import rewrite_manifest

from wordgate.bundle.bundle import MANIFEST_FILE, TOKENIZER_FILE, file_sha256

Spoil = Callable[[Path], None]


def manifest_of(path: Path) -> dict[str, Any]:
    """Read `bundle.json`."""
    found: dict[str, Any] = json.loads((path / MANIFEST_FILE).read_text("utf-8"))
    return found


def publish_file(path: Path, name: str, content: bytes) -> None:
    """Replace a bundle's file and update its checksum in the manifest."""
    (path / name).write_bytes(content)
    entry = {"sha256": file_sha256(path / name), "bytes": len(content)}
    rewrite_manifest(path, files=manifest_of(path)["files"] | {name: entry})


def _manifest(**changes: Any) -> Spoil:
    return lambda path: rewrite_manifest(path, **changes)


def _network(**changes: Any) -> Spoil:
    return lambda path: rewrite_manifest(path, network=manifest_of(path)["network"] | changes)


def _tokenizer(change: Callable[[dict[str, Any]], object]) -> Spoil:
    def spoil(path: Path) -> None:
        document = json.loads((path / TOKENIZER_FILE).read_text("utf-8"))
        change(document)
        publish_file(path, TOKENIZER_FILE, json.dumps(document).encode())

    return spoil


def _graph(name: str, change: Callable[[Any], object]) -> Spoil:
    """Modify a graph. `change` receives its `ModelProto`."""

    def spoil(path: Path) -> None:
        model = onnx.load(str(path / name), load_external_data=False)
        change(model)
        publish_file(path, name, model.SerializeToString())

    return spoil


def _endless_loop(model: Any) -> None:
    """Add a loop of 2 ** 62 iterations before the answer."""
    rounds = numpy_helper.from_array(np.array(2**62, np.int64), "rounds")
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["on_again"]),
            helper.make_node("Add", ["carried", "carried"], ["grown"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on_again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("grown", TensorProto.FLOAT, None),
        ],
    )
    loop = helper.make_node("Loop", ["rounds", "", "cells"], ["looped"], body=body)
    model.graph.initializer.append(rounds)
    model.graph.node.insert(0, loop)
    _replace_input(model, "Split", "cells", "looped")


def _replace_input(model: Any, operator: str, before: str, now: str) -> None:
    for node in model.graph.node:
        if node.op_type == operator and before in node.input:
            node.input[list(node.input).index(before)] = now


def _doubled(model: Any) -> None:
    """Add 40 values, each twice as large as the one before."""
    name = "cells"
    for number in range(40):
        node = helper.make_node("Concat", [name, name], [f"doubled_{number}"], axis=0)
        model.graph.node.insert(number, node)
        name = f"doubled_{number}"
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))


def _cube(model: Any) -> None:
    """Multiply matrices that are outer products of a column and a row: 250,000 times the work."""
    ones = np.ones((500, 1), np.float32)
    model.graph.initializer.append(numpy_helper.from_array(ones, "column"))
    model.graph.initializer.append(numpy_helper.from_array(ones.T.copy(), "line"))
    model.graph.node.append(helper.make_node("Mul", ["column", "line"], ["square"]))
    model.graph.node.append(helper.make_node("MatMul", ["square", "square"], ["cube"]))


def _shared_external(model: Any) -> None:
    """Add a hundred constants, each of which is the whole embedding."""
    [embedding] = [tensor for tensor in model.graph.initializer if tensor.external_data]
    for number in range(100):
        copy = type(embedding).FromString(embedding.SerializeToString())
        copy.name = f"copy_{number}"
        model.graph.initializer.append(copy)


def _outer_product(model: Any) -> None:
    """Use a row instead of a column: the sum has the square of the number of entries."""
    first = helper.make_node("Unsqueeze", ["target", "nothing"], ["flat"])
    nothing = numpy_helper.from_array(np.array([0], np.int64), "nothing")
    model.graph.initializer.append(nothing)
    model.graph.node.append(first)


def _external(location: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = location

    return change


def _moved_external(model: Any) -> None:
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "offset":
                entry.value = str(10**12)


def _tensor(model: Any, name: str) -> Any:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def _fewer_tokens(model: Any) -> None:
    """Make the last token unreadable: its scale is missing."""
    scales = _tensor(model, "embedding_scales")
    values = numpy_helper.to_array(scales)[:-1]
    scales.CopyFrom(numpy_helper.from_array(values, "embedding_scales"))


def _not_finite(model: Any) -> None:
    scales = _tensor(model, "embedding_scales")
    values = numpy_helper.to_array(scales).copy()
    values[7] = np.nan
    scales.CopyFrom(numpy_helper.from_array(values, "embedding_scales"))


def _other_rows(model: Any) -> None:
    """Return twice as many states as requested."""
    join = next(node for node in model.graph.node if "next_cells" in node.output)
    join.output[0] = "next_cells_once"
    names = ["next_cells_once", "next_cells_once"]
    model.graph.node.append(helper.make_node("Concat", names, ["next_cells"], axis=0))


def _renamed(model: Any) -> None:
    for node in model.graph.node:
        for index, name in enumerate(node.output):
            node.output[index] = "cells_after" if name == "next_cells" else name
    model.graph.output[1].name = "cells_after"


def _swapped(model: Any) -> None:
    """Swap hidden values and cells."""
    first, second = [
        type(value).FromString(value.SerializeToString()) for value in model.graph.output
    ]
    del model.graph.output[:]
    model.graph.output.extend([second, first])


def _other_type(model: Any) -> None:
    node = next(node for node in model.graph.node if "log_probs" in node.output)
    node.output[0] = "log_probs_once"
    cast = helper.make_node("Cast", ["log_probs_once"], ["log_probs"], to=TensorProto.DOUBLE)
    model.graph.node.insert(list(model.graph.node).index(node) + 1, cast)
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.DOUBLE


def _other_shape(model: Any) -> None:
    """Transpose weights, so that no row can be multiplied by them."""
    weights = next(t for t in model.graph.initializer if t.name == "weights_0")
    values = numpy_helper.to_array(weights)
    weights.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values.T), "weights_0"))


def _huge_file(path: Path) -> None:
    os.truncate(path / "embedding.bin", 1 << 40)


def _huge_manifest(path: Path) -> None:
    with (path / MANIFEST_FILE).open("ab") as file:
        file.write(b" " * (2 << 20))


def _pipe(path: Path) -> None:
    (path / "words.tsv").unlink()
    os.mkfifo(path / "words.tsv")


def _manifest_pipe(path: Path) -> None:
    (path / MANIFEST_FILE).unlink()
    os.mkfifo(path / MANIFEST_FILE)


def _directory_link(path: Path) -> None:
    (path / "more").symlink_to("/usr")


def _without_node(place: int) -> Spoil:
    return _graph("step.onnx", lambda model: model.graph.node.pop(place))


_NAN = float("nan")
_TEXT = {"name": "a", "origin": "b", "licence": "c"}
_ENTRY = {"sha256": "0" * 64, "bytes": 1, "optional": True}

HOSTILE: dict[str, tuple[Spoil, str]] = {
    "a figure that is not a number": (_manifest(figures={"a": _NAN}), "manifest"),
    "an infinite figure": (_manifest(figures={"a": float("inf")}), "manifest"),
    "a figure beyond a double": (_manifest(figures={"a": 10**400}), "manifest"),
    "a surrogate for a figure's name": (_manifest(figures={"\ud800": 1.0}), "manifest"),
    "a surrogate in a licence": (_manifest(text=[_TEXT | {"licence": "\udfff"}]), "manifest"),
    "a surrogate for a language": (_manifest(language="\ud83d"), "manifest"),
    "a weight that is not a number": (_manifest(text=[_TEXT | {"weight": _NAN}]), "manifest"),
    "a smoke set that expects nothing": (
        _manifest(smoke=[{"history": "", "text": "", "log_prob": _NAN}]),
        "manifest",
    ),
    "a smoke set without end": (
        _manifest(smoke=[{"history": "x" * 30_000, "text": "", "log_prob": 0.0}]),
        "manifest",
    ),
    "a version beyond all numbers": (_manifest(version=10**30), "manifest"),
    "a state of gigabytes": (_network(width=10**9), "manifest"),
    "layers without end": (_network(layers=10**9), "manifest"),
    "a vocabulary without end": (_network(vocabulary=10**9, cutoffs=[10**9]), "manifest"),
    "cutoffs that fall": (_network(cutoffs=[300, 200]), "manifest"),
    "a cutoff at nothing": (_network(cutoffs=[0, 200]), "manifest"),
    "a file elsewhere": (_manifest(files={"../../secret": _ENTRY}), "manifest"),
    "files of terabytes": (_manifest(files={"a": _ENTRY | {"bytes": 1 << 40}}), "manifest"),
    "a thousand files": (_manifest(files={f"a{n}": _ENTRY for n in range(1000)}), "manifest"),
    "a manifest of megabytes": (_huge_manifest, "manifest"),
    "a file of a terabyte": (_huge_file, "checksum"),
    "an empty file": (lambda path: os.truncate(path / "embedding.bin", 0), "checksum"),
    "a pipe": (_pipe, "content"),
    "a pipe for a manifest": (_manifest_pipe, "content"),
    "a link to a folder": (_directory_link, "foreign_file"),
    "a tokenizer of numbers": (lambda path: publish_file(path, TOKENIZER_FILE, b"7"), "content"),
    "a tokenizer that is nested": (
        lambda path: publish_file(path, TOKENIZER_FILE, b"[" * 99_999),
        "content",
    ),
    "a token with a number of billions": (
        _tokenizer(lambda document: document["model"]["vocab"].update(the=4_000_000_000)),
        "content",
    ),
    "two tokens with one number": (
        _tokenizer(lambda document: document["model"]["vocab"].update(a=5)),
        "content",
    ),
    "a token of no bytes": (
        _tokenizer(lambda document: _rename(document, "\u0100</w>", "\N{SNOWMAN}")),
        "content",
    ),
    "a byte without a token": (
        _tokenizer(lambda document: _rename(document, "\u0100", "zzzzzz")),
        "content",
    ),
    "a merge of nothing": (
        _tokenizer(lambda document: document["model"]["merges"].append(["qqq", "q"])),
        "content",
    ),
    "another kind of tokenizer": (
        _tokenizer(lambda document: document["model"].update(type="WordPiece")),
        "content",
    ),
    "a tokenizer that drops tokens": (
        _tokenizer(lambda document: document["model"].update(dropout=0.5)),
        "content",
    ),
    "a tokenizer that normalises": (
        _tokenizer(lambda document: document.update(normalizer={"type": "Lowercase"})),
        "content",
    ),
    "a tokenizer without suffixes": (
        _tokenizer(lambda document: document["model"].update(end_of_word_suffix=None)),
        "content",
    ),
    "a word of megabytes": (
        lambda path: publish_file(path, "words.tsv", b"written\ta\t" + b"a" * (1 << 20)),
        "content",
    ),
    "a graph that never ends": (_graph("step.onnx", _endless_loop), "content"),
    "a graph of terabytes": (_graph("step.onnx", _doubled), "content"),
    "a graph of cubes": (_graph("step.onnx", _cube), "content"),
    "constants in one place": (_graph("step.onnx", _shared_external), "content"),
    "a graph of squares": (_graph("output-0.onnx", _outer_product), "content"),
    "constants in another folder": (_graph("step.onnx", _external("../embedding.bin")), "content"),
    "constants of the system": (_graph("step.onnx", _external("/etc/passwd")), "content"),
    "constants in another file": (_graph("step.onnx", _external("words.tsv")), "content"),
    "constants behind the file's end": (_graph("output-1.onnx", _moved_external), "content"),
    "a graph that ends too early": (_without_node(-1), "content"),
    "a graph that misses a value": (_without_node(0), "content"),
    "a graph that knows too few tokens": (_graph("step.onnx", _fewer_tokens), "content"),
    "weights that are not numbers": (_graph("step.onnx", _not_finite), "content"),
    "a graph that answers more rows": (_graph("step.onnx", _other_rows), "content"),
    "a graph with another answer": (_graph("step.onnx", _renamed), "content"),
    "a graph with answers exchanged": (_graph("step.onnx", _swapped), "content"),
    "a graph that answers another type": (_graph("output-1.onnx", _other_type), "content"),
    "a graph of another shape": (_graph("step.onnx", _other_shape), "content"),
}
"""The modification and the expected reason, by description."""


def _rename(document: dict[str, Any], before: str, now: str) -> None:
    vocabulary = document["model"]["vocab"]
    vocabulary[now] = vocabulary.pop(before)
