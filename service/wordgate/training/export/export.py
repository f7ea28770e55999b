"""Export a checkpoint as a published bundle, after checking it against PyTorch.

A bundle is written to a temporary folder and renamed, so publication is atomic. `onnx_graphs`
builds the graphs.
"""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors.torch import save_file

from wordgate.bundle import bundle as bundles
from wordgate.bundle.manifest import (
    SCHEMA_VERSION,
    FileEntry,
    Manifest,
    NetworkSizes,
    Precision,
    SmokeCase,
    TextSource,
)
from wordgate.bundle.versions import is_version
from wordgate.engine.onnx_model import NetworkModel
from wordgate.errors import ExportError
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import NullStateStore
from wordgate.lm.tokenizer import Tokenizer
from wordgate.scoring.scoring import score_texts
from wordgate.training import checkpoint as checkpoints
from wordgate.training import held_out, recipe_files
from wordgate.training import recipe as recipes
from wordgate.training.checkpoint import Checkpoint
from wordgate.training.data import corpus, surface_forms, token_cache
from wordgate.training.data.seen_words import SeenWordCounter
from wordgate.training.data.token_cache import Report
from wordgate.training.export import model_card, onnx_graphs
from wordgate.training.export.lineage import Inheritance, inherit
from wordgate.training.export.parity import (
    Agreement,
    Passage,
    compare,
    served_log_probs,
    trained_log_probs,
)
from wordgate.training.metrics_log import CURVES_FILE
from wordgate.training.model.network import Network
from wordgate.training.recipe import Recipe
from wordgate.training.run import rules_of, sources_of
from wordgate.training.trainer import sizes_of

FLOAT_TOLERANCE = 1e-4
"""Maximum difference in a token's log-probability between PyTorch and float32 onnxruntime."""

INT8_TOLERANCE = 0.01
"""Maximum relative increase in perplexity due to int8."""

CHECKED_TOKENS = 30_000
"""Approximate number of held-out tokens for the comparison."""

CARD_FILE = "MODEL_CARD.md"
_SMOKE = (
    ("", "Hello, world!"),
    ("the clouds are in the", "sky"),
    ("The meeting is at", "half past nine tomorrow."),
    ("", "naïve café — ﬁve €, 日本 👍🏽"),
    ("I don't think", "that's what he meant"),
    ("", ""),
)

Measure = Callable[[Path], Mapping[str, float]]
"""Evaluates a finished bundle; returns metrics by name for the manifest and the model card."""


@dataclass(frozen=True)
class Settings:
    """Settings of an export.

    `folder` is the model's folder (`models/en`), which contains its recipe and versions.
    """

    checkpoint: Path
    folder: Path
    cache: Path
    text_folder: Path | None = None
    precision: Precision = "int8"
    with_weights: bool = False


@dataclass(frozen=True)
class _ExportInputs:
    """Everything needed to build a bundle."""

    saved: Checkpoint
    recipe: Recipe
    levels: AdaptiveSoftmaxLayout
    weights: onnx_graphs.Weights
    figures: dict[str, float]
    inherited: Inheritance


def publish(settings: Settings, measure: Measure, report: Report = print) -> Path:
    """Publish a checkpoint as the next version of a model and return its folder.

    Raises `ExportError` if float32 onnxruntime differs from PyTorch by more than 1e-4 in the
    log-probability of any compared token, if int8 increases perplexity by more than 1 %, if there
    is no held-out text, or if the network is not an LSTM. About `CHECKED_TOKENS` tokens are
    compared: held-out passages of all files by size and weight, truncated to 256 tokens each.

    The training settings come from the checkpoint's recipe. Name, language, text folder, origins,
    licences and never-suggested words come from the current recipe in the model's folder, so they
    can be corrected without retraining. A continued version inherits the words and lists the texts
    of the version it continues (`lineage`).
    """
    material = _collect(settings, report)
    version = next_version(settings.folder)
    draft = Path(tempfile.mkdtemp(prefix="unfinished-", dir=settings.folder))
    try:
        report(f"writing version {version}")
        _write_files(settings, material, draft)
        manifest = _manifest(settings, material, draft, version)
        _write_manifest(draft, manifest)
        report("measuring")
        figures = {**material.figures, **measure(draft)}
        manifest = manifest.model_copy(update={"figures": figures})
        (draft / CARD_FILE).write_text(model_card.write(manifest, material.recipe), "utf-8")
        _write_manifest(draft, manifest.model_copy(update={"files": _entries(draft)}))
        bundles.load(draft)
        draft.chmod(0o755)
        return draft.rename(settings.folder / str(version))
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _refuse_experiments(recipe: Recipe) -> None:
    if recipe.obstacle_to_serving:
        raise ExportError(
            "the server cannot run this model: the checkpoint was trained with "
            f"{recipe.obstacle_to_serving}; train without it"
        )


def next_version(folder: Path) -> int:
    """Return the highest version number in a model's folder plus one."""
    versions = [int(path.name) for path in folder.iterdir() if is_version(path)]
    return max(versions, default=0) + 1


def _collect(settings: Settings, report: Report) -> _ExportInputs:
    saved = checkpoints.load(settings.checkpoint)
    path = settings.folder / "recipe.toml"
    recipe = with_current_metadata(recipes.parse(saved.recipe, path), recipes.load(path))
    _refuse_experiments(recipe)
    inherited = inherit(recipe, path)
    tokenizer = Tokenizer.from_json(saved.tokenizer)
    sizes = sizes_of(recipe, tokenizer)
    network = Network(sizes, torch.float32)
    network.load_state_dict(saved.weights)
    levels = AdaptiveSoftmaxLayout(sizes.cutoffs)
    weights = arrays(network, levels)
    report("comparing with PyTorch on held-out text")
    passages = _held_out(settings, recipe, path, tokenizer, report)
    figures = _check(settings, weights, network, passages)
    return _ExportInputs(saved, recipe, levels, weights, figures, inherited)


def with_current_metadata(trained: Recipe, now: Recipe) -> Recipe:
    """Return a checkpoint's recipe with the metadata that does not affect weights taken from `now`.

    Files are matched by path; a file missing from `now` keeps its origin and licence.
    """
    current = {file.path: file for file in now.text.files}
    files = tuple(
        file.model_copy(
            update={"origin": current[file.path].origin, "licence": current[file.path].licence}
        )
        if file.path in current
        else file
        for file in trained.text.files
    )
    text = trained.text.model_copy(
        update={
            "folder": now.text.folder,
            "files": files,
            "never_suggested": now.text.never_suggested,
        }
    )
    return trained.model_copy(update={"name": now.name, "language": now.language, "text": text})


def arrays(network: Network, levels: AdaptiveSoftmaxLayout) -> onnx_graphs.Weights:
    """Return the network's weights in the layout of the ONNX graphs."""
    values = {name: value.detach().numpy() for name, value in network.named_parameters()}
    layers = range(network.sizes.layers)
    joined = [
        torch.cat(
            [
                network.get_parameter(f"layers.{layer}.input_weight"),
                network.get_parameter(f"layers.{layer}.hidden_weight"),
            ],
            dim=1,
        )
        .T.detach()
        .numpy()
        for layer in layers
    ]
    return onnx_graphs.Weights(
        embedding=values["embedding"],
        output_bias=values["output_bias"],
        cluster_vectors=values["cluster_vectors"],
        cluster_bias=values["cluster_bias"],
        layer_weights=joined,
        layer_biases=[values[f"layers.{layer}.bias"] for layer in layers],
        levels=levels,
    )


def _held_out(
    settings: Settings, recipe: Recipe, path: Path, tokenizer: Tokenizer, report: Report
) -> list[Passage]:
    sources = sources_of(recipe, path, settings.text_folder)
    rules = rules_of(recipe, path)
    text = token_cache.tokenise(sources, rules, tokenizer, settings.cache, report)
    passages = held_out.choose(text.held_out, [source.weight for source in sources], CHECKED_TOKENS)
    if not passages:
        raise ExportError("no held-out text to check against; set text.held_out_share")
    return passages


def _check(
    settings: Settings,
    weights: onnx_graphs.Weights,
    network: Network,
    passages: list[Passage],
) -> dict[str, float]:
    """Compare with PyTorch and return the metrics. Raises `ExportError`."""
    reference = trained_log_probs(network, passages)
    floats = _compare(weights, "float32", passages, reference)
    if not floats.largest_difference <= FLOAT_TOLERANCE:
        raise ExportError(
            f"float32 onnxruntime differs from PyTorch by {floats.largest_difference:.2g} in the "
            f"log-probability of a token; the limit is {FLOAT_TOLERANCE:g}"
        )
    figures = {
        "checked_tokens": floats.tokens,
        "float32_largest_difference": floats.largest_difference,
        "held_out_token_perplexity": floats.token_perplexity,
    }
    if settings.precision == "int8":
        eights = _compare(weights, "int8", passages, reference)
        if not eights.perplexity_ratio <= 1 + INT8_TOLERANCE:
            raise ExportError(
                f"int8 increases perplexity by {eights.perplexity_ratio - 1:.2%} over PyTorch; the "
                f"limit is {INT8_TOLERANCE:.0%}; use --precision float32"
            )
        figures["int8_perplexity_ratio"] = eights.perplexity_ratio
        figures["held_out_token_perplexity"] = eights.token_perplexity
    return figures


def _compare(
    weights: onnx_graphs.Weights,
    precision: Precision,
    passages: list[Passage],
    reference: list[float],
) -> Agreement:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_graphs(weights, precision, folder)
        sizes = _sizes(weights)
        model = NetworkModel(folder, sizes, precision)
        return compare(served_log_probs(model, passages), reference)


def _sizes(weights: onnx_graphs.Weights) -> NetworkSizes:
    cutoffs = weights.levels.cutoffs
    return NetworkSizes(
        vocabulary=cutoffs[-1], layers=weights.layers, width=weights.width, cutoffs=cutoffs
    )


def _write_graphs(weights: onnx_graphs.Weights, precision: Precision, folder: Path) -> None:
    for name, content in onnx_graphs.build(weights, precision).items():
        (folder / name).write_bytes(content)


def _write_files(settings: Settings, material: _ExportInputs, draft: Path) -> None:
    _write_graphs(material.weights, settings.precision, draft)
    (draft / bundles.TOKENIZER_FILE).write_text(material.saved.tokenizer, "utf-8")
    (draft / bundles.WORDS_FILE).write_text(_words(settings, material), "utf-8")
    curves = settings.checkpoint.parent.parent / CURVES_FILE
    if curves.is_file():
        shutil.copyfile(curves, draft / CURVES_FILE)
    if settings.with_weights:
        halves = {name: value.bfloat16() for name, value in material.saved.weights.items()}
        save_file(halves, draft / bundles.WEIGHTS_FILE)
        (draft / bundles.WEIGHTS_FILE).chmod(0o644)


def _words(settings: Settings, material: _ExportInputs) -> str:
    path, recipe, inherited = settings.folder / "recipe.toml", material.recipe, material.inherited
    forms, counted = _counted(recipe_files.text_paths(recipe, path, settings.text_folder))
    seen = frozenset(counted.words())
    suspect = counted.suspect() | (inherited.suspect - seen)
    never = {*inherited.never_suggested, *recipe_files.never_suggested(recipe, path)}
    return bundles.words_document(
        bundles.KnownWords(
            {**inherited.written, **forms},
            frozenset(never),
            seen | inherited.seen,
            inherited.masks,
            frozenset(suspect),
        )
    )


def _counted(files: Sequence[Path]) -> tuple[dict[str, str], SeenWordCounter]:
    """Count written forms and words in one pass over the text."""
    counts: Counter[str] = Counter()
    seen = SeenWordCounter()
    for file in files:
        passages = seen.passing(corpus.read_passages(file))
        counts.update(surface_forms.count_passages(passages))
    return surface_forms.usual_forms(counts), seen


def _manifest(settings: Settings, material: _ExportInputs, draft: Path, version: int) -> Manifest:
    recipe, saved = material.recipe, material.saved
    plan = recipe.training
    return Manifest(
        schema_version=SCHEMA_VERSION,
        name=recipe.name,
        version=version,
        precision=settings.precision,
        language=recipe.language,
        created=datetime.now(UTC).strftime("%Y-%m-%d"),
        network=_sizes(material.weights),
        files=_entries(draft),
        training={
            "steps": saved.step,
            "tokens": round(saved.step * recipe.expected_tokens_per_step),
            "init_from": recipe.init_from or None,
            "torch": str(saved.about["torch"]),
            "seed": plan.seed,
        },
        figures={},
        text=tuple(
            TextSource(name=f.path, origin=f.origin, licence=f.licence, weight=f.weight)
            for f in recipe.text.files
        )
        + material.inherited.text,
        smoke=_smoke(draft, material, settings.precision),
    )


def _smoke(draft: Path, material: _ExportInputs, precision: Precision) -> tuple[SmokeCase, ...]:
    """Return the bundle's smoke tests with the log-probabilities computed on this machine."""
    model = NetworkModel(draft, _sizes(material.weights), precision)
    language = Lexicon(Tokenizer.from_json(material.saved.tokenizer), material.levels)
    cases = []
    for history, text in _SMOKE:
        [scored] = run_to_completion(
            score_texts(language, NullStateStore(model.start), history, [text]), model
        )
        cases.append(SmokeCase(history=history, text=text, log_prob=scored.log_prob))
    return tuple(cases)


def _entries(draft: Path) -> dict[str, FileEntry]:
    return {
        file.name: FileEntry(
            sha256=bundles.file_sha256(file),
            bytes=file.stat().st_size,
            optional=file.name == bundles.WEIGHTS_FILE,
        )
        for file in sorted(draft.iterdir())
        if file.name != bundles.MANIFEST_FILE
    }


def _write_manifest(draft: Path, manifest: Manifest) -> None:
    document = json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False)
    (draft / bundles.MANIFEST_FILE).write_text(document + "\n", "utf-8")
