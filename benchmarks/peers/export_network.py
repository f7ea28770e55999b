"""Export the bundled model's weights in float32, as a Wordgate bundle and for plain PyTorch.

`python export_network.py FOLDER` writes `FOLDER/float32/NAME/VERSION`, a bundle of the bfloat16
weights in `weights.safetensors`, and `FOLDER/plain`, the same weights for `network.py`. Run it in
Wordgate's environment with the extra `train`.
"""

import json
import shutil
from pathlib import Path

import click
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file

from wordgate.bundle import bundle as bundles
from wordgate.bundle.manifest import FileEntry, Manifest, SmokeCase
from wordgate.engine.onnx_model import NetworkModel
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import NullStateStore
from wordgate.lm.tokenizer import Tokenizer
from wordgate.scoring.scoring import score_texts
from wordgate.training.export import onnx_graphs
from wordgate.training.export.export import arrays
from wordgate.training.model.network import Network, NetworkConfig

ROOT = Path(__file__).parents[2]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--model", type=click.Path(path_type=Path, exists=True), default=ROOT / "models/en/3")
def main(folder: Path, model: Path) -> None:
    """Write the float32 network of MODEL to FOLDER."""
    manifest = bundles.read_manifest(model)
    write_plain(model, manifest, folder / "plain")
    write_bundle(model, manifest, folder / "float32" / manifest.name / str(manifest.version))


def write_plain(model: Path, manifest: Manifest, folder: Path) -> None:
    """Write the weights, the network's sizes, and its layers as a graph of `LSTM` operators."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(model / bundles.WEIGHTS_FILE, folder)
    sizes = manifest.network.model_dump(mode="json")
    (folder / "sizes.json").write_text(json.dumps(sizes), "utf-8")
    layers = lstm_graph(_weights(model, manifest))
    onnx.save(layers, folder / "lstm.onnx")


def lstm_graph(weights: onnx_graphs.Weights) -> onnx.ModelProto:
    """Build the graph: read [length, batch, width], length [batch]; hidden [length, batch, width].

    The operator has its gates in the order i, o, f, g.
    """
    width, below = weights.width, "read"
    order = np.concatenate([np.arange(width) + gate * width for gate in (0, 3, 1, 2)])
    nodes: list[onnx.NodeProto] = []
    constants = [numpy_helper.from_array(np.array([1]), "direction")]
    for layer, (matrix, bias) in enumerate(
        zip(weights.layer_weights, weights.layer_biases, strict=True)
    ):
        rows = np.ascontiguousarray(matrix.T[order])
        values = {
            f"input_{layer}": rows[:, :width],
            f"recurrent_{layer}": rows[:, width:],
            f"bias_{layer}": np.concatenate([bias[order], np.zeros_like(bias)]),
        }
        constants += [numpy_helper.from_array(v[None].copy(), name) for name, v in values.items()]
        above = "hidden" if layer == weights.layers - 1 else f"hidden_{layer}"
        named = [below, *values, "length"]
        nodes.append(helper.make_node("LSTM", named, [f"both_{layer}"], hidden_size=width))
        nodes.append(helper.make_node("Squeeze", [f"both_{layer}", "direction"], [above]))
        below = above
    sizes = ["length", "batch", width]
    inputs = [
        helper.make_tensor_value_info("read", TensorProto.FLOAT, sizes),
        helper.make_tensor_value_info("length", TensorProto.INT32, ["batch"]),
    ]
    output = helper.make_tensor_value_info("hidden", TensorProto.FLOAT, sizes)
    graph = helper.make_graph(nodes, "lstm", inputs, [output], constants)
    opsets = [helper.make_opsetid("", onnx_graphs.OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=onnx_graphs.IR_VERSION)


def write_bundle(model: Path, manifest: Manifest, folder: Path) -> None:
    """Write a float32 bundle of the weights, with the smoke set that it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    files = onnx_graphs.build(_weights(model, manifest), "float32")
    for name in (bundles.TOKENIZER_FILE, bundles.WORDS_FILE):
        files[name] = (model / name).read_bytes()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    entries = {
        name: FileEntry(sha256=bundles.file_sha256(folder / name), bytes=len(content))
        for name, content in files.items()
    }
    smoke = _smoke(folder, manifest)
    changed = manifest.model_copy(
        update={"precision": "float32", "files": entries, "smoke": smoke, "figures": {}}
    )
    document = json.dumps(changed.model_dump(mode="json"), ensure_ascii=False)
    (folder / bundles.MANIFEST_FILE).write_text(document, "utf-8")


def _weights(model: Path, manifest: Manifest) -> onnx_graphs.Weights:
    sizes = manifest.network
    network = Network(
        NetworkConfig(sizes.vocabulary, sizes.layers, sizes.width, sizes.cutoffs), torch.float32
    )
    network.load_weights(load_file(model / bundles.WEIGHTS_FILE))
    return arrays(network, AdaptiveSoftmaxLayout(sizes.cutoffs))


def _smoke(folder: Path, manifest: Manifest) -> tuple[SmokeCase, ...]:
    """Return the manifest's smoke cases with the log-probabilities of the graphs in `folder`."""
    model = NetworkModel(folder, manifest.network, "float32")
    tokenizer = Tokenizer.from_json((folder / bundles.TOKENIZER_FILE).read_text("utf-8"))
    language, store = Lexicon(tokenizer, model.levels), NullStateStore(model.start)
    cases = []
    for case in manifest.smoke:
        task = score_texts(language, store, case.history, [case.text])
        [scored] = run_to_completion(task, model)
        cases.append(case.model_copy(update={"log_prob": scored.log_prob}))
    return tuple(cases)


if __name__ == "__main__":
    main()
