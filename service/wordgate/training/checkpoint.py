"""Checkpoints: all that a training needs to go on as if it had never stopped.

Knows tensors, their names and files; does not know what trains. A checkpoint is one safetensors
file whose header holds the rest as JSON, so it comes into being with one rename, and loading it
runs no code.
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
_FORMAT = 1
_SUFFIX = ".safetensors"
_PREFIX = "step-"
_DRAFT = "unfinished-"
_WEIGHTS = "weights/"


@dataclass(frozen=True)
class Checkpoint:
    """A moment of a training.

    `weights`: parameter name to float32 tensor; `tensors`: everything else that is a tensor
    (optimiser, carried state, random state); `about`: the rest, fit for JSON (sampler, figures,
    optimiser's numbers); `recipe`: the recipe as a document; `tokenizer`: a tokenizer.json.
    """

    step: int
    recipe: dict[str, Any]
    tokenizer: str
    weights: dict[str, torch.Tensor]
    tensors: dict[str, torch.Tensor]
    about: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint into `folder`, whole or not at all, and drop all but the last two.

    Raises `InvalidFile` when it cannot be written (the disk is full); the older ones stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_PREFIX}{checkpoint.step:08d}{_SUFFIX}"
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
    """Read a checkpoint; raises `InvalidFile` for anything else. Runs no code from the file."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("wordgate", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InvalidFile(path, "does not exist") from None
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise InvalidFile(path, f"is not a checkpoint: {error}") from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise InvalidFile(path, "is not a checkpoint of this version of wordgate")
    weights = {
        name.removeprefix(_WEIGHTS): value
        for name, value in tensors.items()
        if name.startswith(_WEIGHTS)
    }
    others = {name: value for name, value in tensors.items() if not name.startswith(_WEIGHTS)}
    return Checkpoint(
        header["step"], header["recipe"], header["tokenizer"], weights, others, header["about"]
    )


def checkpoints(folder: Path) -> list[Path]:
    """The complete checkpoints in a folder, oldest first."""
    return sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"))


def latest(folder: Path) -> Path | None:
    """The last complete checkpoint in a folder, if there is one."""
    found = checkpoints(folder)
    return found[-1] if found else None


def flatten(document: Any, prefix: str) -> tuple[Any, dict[str, torch.Tensor]]:
    """A nested document without its tensors, and the tensors by where they stood."""
    if isinstance(document, torch.Tensor):
        return {"tensor": prefix}, {prefix: document}
    tensors: dict[str, torch.Tensor] = {}
    if isinstance(document, dict):
        pairs = []
        for key, value in document.items():
            rest, found = flatten(value, f"{prefix}/{key}")
            pairs.append([key, rest])
            tensors |= found
        return {"pairs": pairs}, tensors
    if isinstance(document, list | tuple):
        items = []
        for index, value in enumerate(document):
            rest, found = flatten(value, f"{prefix}/{index}")
            items.append(rest)
            tensors |= found
        return {"items": items}, tensors
    return {"value": document}, tensors


def restore(document: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """The document that `flatten` took apart (tuples come back as lists)."""
    if "tensor" in document:
        return tensors[document["tensor"]]
    if "pairs" in document:
        return {key: restore(value, tensors) for key, value in document["pairs"]}
    if "items" in document:
        return [restore(value, tensors) for value in document["items"]]
    return document["value"]


def _flush(path: Path) -> None:
    """Wait until a file or a folder's entries are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
