"""Generate a recipe for a user's own text, with sizes that suit its amount."""

import json
import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

from wordgate.bundle import bundle as bundles
from wordgate.bundle.manifest import Manifest
from wordgate.errors import InvalidBundle, InvalidFile, InvalidRecipe, empty
from wordgate.training import recipe as recipes
from wordgate.training import recipe_files
from wordgate.training.data import corpus
from wordgate.training.data.language_detection import detect

_BYTES_PER_TOKEN = 4.6
_BATCH, _LENGTH = 40, 35
_ENOUGH_TOKENS = 20_000_000
_MAX_READINGS = 10
_MAX_CONTINUED_READINGS = 4
_LEARNING_RATE, _CONTINUED_LEARNING_RATE = 3e-3, 1e-3
_PASSAGES_PER_FILE = 100
_HELD_OUT_PASSAGES = 50
"""Target number of held-out passages; at most 1/10 of the text is held out."""


@dataclass(frozen=True)
class _Plan:
    """Training sizes for an amount of text."""

    vocabulary: int
    cutoffs: tuple[int, ...]
    width: int
    dropout: float
    steps: int
    readings: float
    held_out_share: float
    layers: int = 2
    learning_rate: float = _LEARNING_RATE
    init_from: str = ""


def draft(
    path: Path,
    name: str,
    files: Sequence[Path],
    language: str | None = None,
    continued: Path | None = None,
) -> str:
    """Write a recipe for `files` to `path` unless one exists, and return its language.

    The language is a BCP 47 tag; if not given, it is that of the bundle `continued`, or else
    detected from the text. `continued` also determines the tokenizer and the network's sizes.

    Raises `InvalidRecipe` if a recipe for other files or another bundle exists or the name is not a
    valid model name, `InvalidBundle` for a bundle without weights, and `InvalidFile` if the files
    contain no text.
    """
    if path.exists():
        return _existing(path, files, language, continued)
    manifest = _continuable(continued) if continued else None
    size_bytes, passages = _amount(files)
    if not passages:
        raise empty(", ".join(map(str, files)), "text")
    plan = _plan(size_bytes / _BYTES_PER_TOKEN, passages)
    if manifest and continued:
        language = language or manifest.language
        plan = _continuing(plan, manifest, _place(continued, path.parent))
    language = language or detect(chain.from_iterable(_some(file) for file in files))
    document = _document(path, name, language, files, plan)
    recipes.parse(tomllib.loads(document), path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document, encoding="utf-8")
    return language


def _some(file: Path) -> Iterator[str]:
    """Return the first passages of a file, for language detection."""
    return islice(corpus.read_passages(file), _PASSAGES_PER_FILE)


def _existing(
    path: Path, files: Sequence[Path], language: str | None, continued: Path | None
) -> str:
    """Return the language of an existing recipe. Raises `InvalidRecipe` if it does not match."""
    recipe = recipes.load(path)
    if language is not None and language != recipe.language:
        problem = f"is already {recipe.language!r}, not {language!r}; change it in the recipe"
        raise InvalidRecipe(path, "language", problem)
    listed = recipe_files.text_paths(recipe, path)
    if {file.resolve() for file in listed} != {file.resolve() for file in files}:
        raise InvalidRecipe(
            path,
            "text.files",
            "already exists with other files; change it or use another --name",
        )
    begun = recipe_files.init_path(recipe, path)
    if (begun and begun.resolve()) != (continued and continued.resolve()):
        raise InvalidRecipe(
            path,
            "init_from",
            f"is already {recipe.init_from!r}, --continue is {str(continued or '')!r}; change it "
            "or use another --name",
        )
    return recipe.language


def _amount(files: Sequence[Path]) -> tuple[int, int]:
    """Return the number of bytes and of passages."""
    size_bytes = passages = 0
    for file in files:
        for passage in corpus.read_passages(file):
            size_bytes += len(passage.encode()) + 1
            passages += 1
    return size_bytes, passages


def _plan(tokens: float, passages: int) -> _Plan:
    held_out = round(min(max(_HELD_OUT_PASSAGES / passages, 0.01), 0.1), 3)
    readings = min(max(_ENOUGH_TOKENS / max(tokens, 1), 1), _MAX_READINGS)
    steps = max(round(tokens * readings / (_BATCH * _LENGTH)), 100)
    dropout = 0.0 if readings <= 1 else 0.2
    if tokens < 300_000:
        return _Plan(2000, (1000, 2000), 256, dropout, steps, readings, held_out)
    if tokens < 3_000_000:
        return _Plan(8000, (2000, 8000), 512, dropout, steps, readings, held_out)
    return _Plan(16000, (2000, 6000, 16000), 512, dropout, steps, readings, held_out)


def _continuable(bundle: Path) -> Manifest:
    """Return the bundle's manifest. Raises `InvalidBundle` if it has no weights."""
    manifest = bundles.read_manifest(bundle)
    if not (bundle / bundles.WEIGHTS_FILE).is_file():
        problem = f"has no {bundles.WEIGHTS_FILE}; continue a version published --with-weights"
        raise InvalidBundle(bundle, "missing_file", problem)
    return manifest


def _continuing(plan: _Plan, manifest: Manifest, place: str) -> _Plan:
    """Return the plan with the bundle's sizes, fewer passes and a lower learning rate."""
    sizes = manifest.network
    readings = plan.readings
    kept = min(readings, _MAX_CONTINUED_READINGS)
    return replace(
        plan,
        vocabulary=sizes.vocabulary,
        cutoffs=sizes.cutoffs if len(sizes.cutoffs) > 1 else (),
        layers=sizes.layers,
        width=sizes.width,
        steps=max(round(plan.steps * kept / readings), 100),
        learning_rate=_CONTINUED_LEARNING_RATE,
        init_from=place,
    )


def _place(file: Path, folder: Path) -> str:
    """Return the path of a file or folder relative to `folder`. Raises `InvalidFile`."""
    relative = os.path.relpath(file.resolve(), folder.resolve())
    try:
        relative.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidFile(ascii(relative), "the name is not UTF-8; rename it") from None
    return relative


def _quoted(text: str) -> str:
    """Quote a TOML string. JSON escaping matches TOML's except for one control character, DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _document(path: Path, name: str, language: str, files: Sequence[Path], plan: _Plan) -> str:
    common = Path(os.path.commonpath([file.resolve().parent for file in files]))
    places = [_place(file, common) for file in files]
    listed = "".join(
        f'\n[[text.files]]\npath = {_quoted(place)}\nweight = 1.0\norigin = ""\nlicence = ""\n'
        for place in places
    )
    begun = (
        f"init_from = {_quoted(plan.init_from):<22} # its weights, tokenizer and sizes are kept\n"
        if plan.init_from
        else ""
    )
    return f"""\
# Training recipe of the model {name}: wordgate train {path}

name = {_quoted(name)}
language = {_quoted(language):<23} # BCP 47 tag of the text: en, zh-Hans; und if unknown
{begun}
[text]
folder = {_quoted(_place(common, path.parent)):<25} # of the files below, relative to this recipe
unpunctuated_share = 0.15          # of passages: stripped of punctuation, like speech
held_out_share = {plan.held_out_share:<17} # of passages: held out for evaluation
exclude = []                       # files of phrases; passages that contain one are dropped
{listed}
[tokenizer]
vocabulary = {plan.vocabulary:<21}# tokens

[network]
layers = {plan.layers}
width = {plan.width}
output = {_quoted("two-level" if plan.cutoffs else "full"):<25} # two-level or full
cutoffs = {list(plan.cutoffs)!s:<24} # in tokens, by falling frequency
dropout = {plan.dropout}

[training]
batch = {_BATCH}                         # text columns in parallel
length = {_LENGTH}                        # tokens per column and update
steps = {plan.steps}
warmup_steps = {min(500, plan.steps // 10)}
decay_steps = {plan.steps // 2}
learning_rate = {plan.learning_rate}
minimum_learning_rate = 6e-5       # after the decay
weight_decay = 0.02
clip_norm = 1.0
restart_share = 0.08               # of segments: begin a new text from the zero state
precision = "auto"                 # of the matrix products; or "bfloat16", "float32"
device = "cpu"                     # or "cuda" (a GPU)
seed = 1
threads = 2
checkpoint_minutes = 5.0
evaluate_every = {min(1000, max(plan.steps // 10, 10))}
"""
