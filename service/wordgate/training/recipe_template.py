"""A recipe for somebody's own text.

Knows sensible sizes for an amount of text; writes a file for a person to read and change.
"""

import json
import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from wordgate.errors import InvalidFile, InvalidRecipe, empty
from wordgate.training import recipe as recipes
from wordgate.training.data import corpus
from wordgate.training.data.language_detection import detect

_BYTES_A_PIECE = 4.6
_BATCH, _LENGTH = 40, 35
_ENOUGH_PIECES = 20_000_000
_MAX_READINGS = 10
_PASSAGES_A_FILE = 100
_HELD_OUT_PASSAGES = 50
"""Fewer say little; of little text, a tenth is held out at most."""


@dataclass(frozen=True)
class _Plan:
    """Sizes that suit an amount of text."""

    vocabulary: int
    cuts: tuple[int, ...]
    width: int
    dropout: float
    steps: int
    held_out_share: float


def draft(path: Path, name: str, files: Sequence[Path], language: str | None = None) -> str:
    """Write a recipe for `files` to `path`, unless it is there already; return its language.

    The language is a BCP 47 tag, found from the text where none is given.

    Raises `InvalidRecipe` when there is one for other files, or the name is none for a model,
    `InvalidFile` when there is no text in the files.
    """
    if path.exists():
        return _existing(path, files, language)
    size_bytes, passages = _amount(files)
    if not passages:
        raise empty(", ".join(map(str, files)), "text")
    language = language or detect(chain.from_iterable(_some(file) for file in files))
    plan = _plan(size_bytes / _BYTES_A_PIECE, passages)
    document = _document(path, name, language, files, plan)
    recipes.parse(tomllib.loads(document), path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document, encoding="utf-8")
    return language


def _some(file: Path) -> Iterator[str]:
    """Passages from the beginning of a file, enough to tell its language."""
    return islice(corpus.read_passages(file), _PASSAGES_A_FILE)


def _existing(path: Path, files: Sequence[Path], language: str | None) -> str:
    """The language of a recipe that is there already."""
    recipe = recipes.load(path)
    if language is not None and language != recipe.language:
        problem = f"is {recipe.language!r} there already, not {language!r}; change it in the recipe"
        raise InvalidRecipe(path, "language", problem)
    listed = recipes.text_paths(recipe, path)
    if {file.resolve() for file in listed} != {file.resolve() for file in files}:
        raise InvalidRecipe(
            path,
            "text.files",
            "is there already with other files; change it, or take another --name",
        )
    return recipe.language


def _amount(files: Sequence[Path]) -> tuple[int, int]:
    """Bytes and passages."""
    size_bytes = passages = 0
    for file in files:
        for passage in corpus.read_passages(file):
            size_bytes += len(passage.encode()) + 1
            passages += 1
    return size_bytes, passages


def _plan(pieces: float, passages: int) -> _Plan:
    held_out = round(min(max(_HELD_OUT_PASSAGES / passages, 0.01), 0.1), 3)
    readings = min(max(_ENOUGH_PIECES / max(pieces, 1), 1), _MAX_READINGS)
    steps = max(round(pieces * readings / (_BATCH * _LENGTH)), 100)
    dropout = 0.0 if readings <= 1 else 0.2
    if pieces < 300_000:
        return _Plan(2000, (1000, 2000), 256, dropout, steps, held_out)
    if pieces < 3_000_000:
        return _Plan(8000, (2000, 8000), 512, dropout, steps, held_out)
    return _Plan(16000, (2000, 6000, 16000), 512, dropout, steps, held_out)


def _place(file: Path, folder: Path) -> str:
    """Where a file or folder lies, relative to a folder, as text."""
    place = os.path.relpath(file.resolve(), folder.resolve())
    try:
        place.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidFile(ascii(place), "has a name that is not UTF-8; rename it") from None
    return place


def _quoted(text: str) -> str:
    """A TOML string. JSON escapes what TOML wants escaped, but for one control character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _document(path: Path, name: str, language: str, files: Sequence[Path], plan: _Plan) -> str:
    common = Path(os.path.commonpath([file.resolve().parent for file in files]))
    places = [_place(file, common) for file in files]
    listed = "".join(
        f'\n[[text.files]]\npath = {_quoted(place)}\nweight = 1.0\norigin = ""\nlicence = ""\n'
        for place in places
    )
    return f"""\
# How the model {name} is trained: wordgate train {path}

name = {_quoted(name)}
language = {_quoted(language):<23} # of the text, a BCP 47 tag: en, zh-Hans; und if unknown

[text]
folder = {_quoted(_place(common, path.parent)):<25} # of the files below, relative to this recipe
unpunctuated_share = 0.15          # of the passages: read without punctuation, as speech comes
held_out_share = {plan.held_out_share:<17} # of the passages: set apart for measuring
exclude = []                       # files of phrases that no passage may hold
{listed}
[tokenizer]
vocabulary = {plan.vocabulary:<21}# pieces

[network]
layers = 2
width = {plan.width}
output = "two-level"               # or "full"
cuts = {list(plan.cuts)!s:<27}# pieces, by falling frequency
dropout = {plan.dropout}

[training]
batch = {_BATCH}                         # columns of text
length = {_LENGTH}                        # pieces of a column in an update
steps = {plan.steps}
warmup_steps = {min(500, plan.steps // 10)}
decay_steps = {plan.steps // 2}
learning_rate = 3e-3
minimum_learning_rate = 6e-5       # after the decay
weight_decay = 0.02
clip_norm = 1.0
restart_share = 0.08               # of the segments: begin a new text from the zero state
precision = "bfloat16"             # of the matrix products; or "float32"
device = "cpu"                     # or "cuda"
seed = 1
threads = 2
checkpoint_minutes = 5.0
evaluate_every = {min(1000, max(plan.steps // 10, 10))}
"""
