"""Small model bundles with random weights, in real graphs and files.

Needs onnx (through `wordgate.training.export.onnx_graphs`), but not torch. The answers of such a
bundle make no sense, but it is a valid model: its probabilities sum to one and its smoke set
matches.
"""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from wordgate.bundle.bundle import MANIFEST_FILE, TOKENIZER_FILE, WORDS_FILE
from wordgate.bundle.manifest import SCHEMA_VERSION, Manifest
from wordgate.engine.onnx_model import NetworkModel
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import NullStateStore
from wordgate.lm.tokenizer import BYTE_CHARACTERS, END_OF_WORD, EOS, Tokenizer, byte_level
from wordgate.scoring.scoring import score_texts
from wordgate.text import words
from wordgate.text.normalization import normalise
from wordgate.training.export.onnx_graphs import Array, Weights, build

CHINESE_TEXT = "我在法国长大，所以我会说法语。今天天气很好！明天我们去学校看书，好不好？"
TEXT = """
the clouds are in the sky and the sun is in the sea . the keys to the cabinet are on the table .
i don't know what london was like in the rain , but we were there all day long . it is a long way
to the station ; can you tell me where the next train goes ? she said that he would come to see us
in the morning , and that they had been happy together in a house by the sea . the cat sat on the
mat . the dog ate the cake . nobody knows the reason why ! one two three four five six seven eight
"""
WRITTEN = {"i": "I", "london": "London"}
NEVER = ("cabinet",)
_SMOKE = (("", "the clouds are in the sky"), ("the keys to the", "cabinet are on"), ("", "ﬁn 🦆"))


def write_bundle(
    folder: Path,
    *,
    name: str = "tiny",
    version: int = 1,
    precision: str = "int8",
    layers: int = 2,
    width: int = 32,
    seed: int = 0,
    endless: bool = False,
    language: str = "en",
    text: str = TEXT,
) -> Path:
    """Write a bundle into `folder/name/version` and return that path.

    The same arguments give the same bytes. Both precisions of one seed are the same network. An
    `endless` model gives the end of a text almost no probability. The words of `text` are tokens.
    """
    path = folder / name / str(version)
    path.mkdir(parents=True)
    tokenizer = _tokenizer(text)
    levels = AdaptiveSoftmaxLayout((tokenizer.size // 4, tokenizer.size // 2, tokenizer.size))
    weights = random_weights(levels, layers, width, seed)
    if endless:
        weights.output_bias[EOS] = -100.0
    files = build(weights, precision)
    files[TOKENIZER_FILE] = tokenizer.to_json().encode("utf-8")
    files[WORDS_FILE] = _words_table().encode("utf-8")
    for file, content in files.items():
        (path / file).write_bytes(content)
    document = _document(name, version, precision, language, files)
    document["network"] = {
        "vocabulary": tokenizer.size,
        "layers": layers,
        "width": width,
        "cutoffs": levels.cutoffs,
    }
    document["smoke"] = _smoke(path, Manifest.model_validate(document), tokenizer)
    (path / MANIFEST_FILE).write_text(json.dumps(document, indent=1), "utf-8")
    return path


def random_weights(levels: AdaptiveSoftmaxLayout, layers: int, width: int, seed: int) -> Weights:
    """Return the weights of an untrained network that favours tokens with small ids."""
    generator = np.random.default_rng(seed)

    def draw(*shape: int, spread: float) -> Array:
        return generator.normal(scale=spread, size=shape).astype(np.float32)

    rank = np.arange(1, levels.vocabulary + 1)
    clusters = levels.count - 1
    return Weights(
        embedding=draw(levels.vocabulary, width, spread=1.0),
        output_bias=(-np.log(rank)).astype(np.float32),
        cluster_vectors=draw(clusters, width, spread=1.0),
        cluster_bias=np.zeros(clusters, np.float32),
        layer_weights=[draw(2 * width, 4 * width, spread=width**-0.5) for _ in range(layers)],
        layer_biases=[draw(4 * width, spread=0.5) for _ in range(layers)],
        levels=levels,
    )


def rewrite_manifest(path: Path, **changes: Any) -> None:
    """Change top-level values of a bundle's `bundle.json`, to test what is rejected."""
    document = json.loads((path / MANIFEST_FILE).read_text("utf-8"))
    (path / MANIFEST_FILE).write_text(json.dumps(document | changes), "utf-8")


def _tokenizer(text: str) -> Tokenizer:
    """Build a tokenizer:

    all bytes, then left-to-right merges for each word of the text. The library that learns merges
    breaks ties at random; these merges are deterministic.
    """
    merges: dict[tuple[str, str], None] = {}
    for word, _ in Counter(words.split(normalise(text))).most_common():
        written = list(byte_level(word))
        merged, *rest = [*written[:-1], written[-1] + END_OF_WORD]
        for part in rest:
            merges[merged, part] = None
            merged += part
    whole = [first + second for first, second in merges]
    names = [*whole, *(c + END_OF_WORD for c in BYTE_CHARACTERS), *BYTE_CHARACTERS]
    return Tokenizer.from_merges(dict.fromkeys(names), list(merges))


def _words_table() -> str:
    written = [f"written\t{word}\t{form}\n" for word, form in WRITTEN.items()]
    return "".join([*written, *(f"never\t{word}\n" for word in NEVER)])


def _document(
    name: str, version: int, precision: str, language: str, files: dict[str, bytes]
) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "version": version,
        "precision": precision,
        "language": language,
        "created": "2026-01-01T00:00:00Z",
        "files": {
            file: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for file, content in sorted(files.items())
        },
        "network": {"vocabulary": 1, "layers": 1, "width": 1, "cutoffs": [1]},
        "training": {"tokens": 0},
        "figures": {"word_perplexity": 1000.0},
        "text": [{"name": "none", "origin": "drawn at random", "licence": "Apache-2.0"}],
        "smoke": [{"history": "", "text": "", "log_prob": 0.0}],
    }


def _smoke(path: Path, manifest: Manifest, tokenizer: Tokenizer) -> list[dict[str, Any]]:
    """Compute the smoke set: the written graphs' answers to a few requests."""
    network = NetworkModel(path, manifest.network, manifest.precision)
    language = Lexicon(tokenizer, network.levels)
    cases = []
    for history, text in _SMOKE:
        [found] = run_to_completion(
            score_texts(language, NullStateStore(network.start), history, [text]), network
        )
        cases.append({"history": history, "text": text, "log_prob": found.log_prob})
    return cases
