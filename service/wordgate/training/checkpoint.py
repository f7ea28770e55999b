"""Checkpoints: everything that a training run needs to resume exactly where it stopped.

A checkpoint is a single safetensors file. Its header holds everything that is not a tensor as
JSON, so the file is written atomically with one rename and loading it runs no code.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from wordgate.errors import InvalidFile

KEPT = 2
_FORMAT = 2
_SUFFIX = ".safetensors"
_PREFIX = "step-"
_DRAFT = "unfinished-"
_WEIGHTS = "weights/"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training run after one step.

    `weights` maps parameter names to float32 tensors. `tensors` holds all other tensors (optimiser,
    carried state, random state). `about` holds the JSON-serialisable rest (sampler, metrics,
    optimiser's numbers). `recipe` is the recipe as a document, `tokenizer` the tokenizer.json.
    """

    step: int
    recipe: dict[str, Any]
    tokenizer: str
    weights: dict[str, torch.Tensor]
    tensors: dict[str, torch.Tensor]
    about: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint to `folder` atomically and delete all but the last two.

    Raises `InvalidFile` if it cannot be written (for example, disk full); older ones are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = path_of(folder, checkpoint.step)
    draft = folder / f"{_DRAFT}{path.name}"
    tensors = {f"{_WEIGHTS}{name}": value for name, value in checkpoint.weights.items()}
    tensors |= checkpoint.tensors
    header = {
        "format": _FORMAT,
        "step": checkpoint.step,
        "recipe": checkpoint.recipe,
        "tokenizer": checkpoint.tokenizer,
        "about": checkpoint.about,
    }
    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        save_file(whole, draft, metadata={"wordgate": json.dumps(header)})
        draft.chmod(0o644)
        _flush(draft)
        draft.replace(path)
        _flush(folder)
    except (OSError, SafetensorError) as error:
        draft.unlink(missing_ok=True)
        raise InvalidFile(path, f"cannot be written: {error}") from error
    for old in [*checkpoints(folder)[:-KEPT], *folder.glob(f"{_DRAFT}*")]:
        old.unlink(missing_ok=True)
    return path


def load(path: Path) -> Checkpoint:
    """Load a checkpoint without running code from the file. Raises `InvalidFile`."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("wordgate", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InvalidFile(path, "does not exist") from None
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise InvalidFile(path, f"is not a checkpoint: {error}") from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise InvalidFile(path, "is not a checkpoint of this version of Wordgate")
    weights = {
        name.removeprefix(_WEIGHTS): value
        for name, value in tensors.items()
        if name.startswith(_WEIGHTS)
    }
    others = {name: value for name, value in tensors.items() if not name.startswith(_WEIGHTS)}
    return Checkpoint(
        header["step"], header["recipe"], header["tokenizer"], weights, others, header["about"]
    )


def path_of(folder: Path, step: int) -> Path:
    """Return the path of the checkpoint of a step."""
    return folder / f"{_PREFIX}{step:08d}{_SUFFIX}"


def checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints in a folder, oldest first."""
    return sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"))


def latest(folder: Path) -> Path | None:
    """Return the last complete checkpoint in a folder, or None."""
    complete = checkpoints(folder)
    return complete[-1] if complete else None


def flatten(document: Any, prefix: str) -> tuple[Any, dict[str, torch.Tensor]]:
    """Split a nested document into its structure and its tensors, keyed by path."""
    if isinstance(document, torch.Tensor):
        return {"tensor": prefix}, {prefix: document}
    tensors: dict[str, torch.Tensor] = {}
    if isinstance(document, dict):
        pairs = []
        for key, value in document.items():
            rest, inner = flatten(value, f"{prefix}/{key}")
            pairs.append([key, rest])
            tensors |= inner
        return {"pairs": pairs}, tensors
    if isinstance(document, list | tuple):
        items = []
        for index, value in enumerate(document):
            rest, inner = flatten(value, f"{prefix}/{index}")
            items.append(rest)
            tensors |= inner
        return {"items": items}, tensors
    return {"value": document}, tensors


def restore(document: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Rebuild the document that `flatten` split. Tuples become lists."""
    if "tensor" in document:
        return tensors[document["tensor"]]
    if "pairs" in document:
        return {key: restore(value, tensors) for key, value in document["pairs"]}
    if "items" in document:
        return [restore(value, tensors) for value in document["items"]]
    return document["value"]


def _flush(path: Path) -> None:
    """Flush a file or a folder's entries to disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
