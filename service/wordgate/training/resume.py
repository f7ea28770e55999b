"""Starting points of a training run: its own checkpoint or a published version."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from wordgate.bundle import bundle as bundles
from wordgate.errors import InvalidRecipe, TrainingError
from wordgate.lm.tokenizer import Tokenizer
from wordgate.training import recipe as recipes
from wordgate.training.checkpoint import Checkpoint
from wordgate.training.recipe import Recipe
from wordgate.training.trainer import schedule_of, sizes_of

_RESUMABLE_CHANGES = {
    "name",
    "language",
    "text.folder",
    "text.exclude",
    "text.never_suggested",
    "training.steps",
    "training.decay_steps",
    "training.minimum_learning_rate",
    "training.learning_rate",
    "training.warmup_steps",
    "training.device",
    "training.precision",
    "training.threads",
    "training.checkpoint_minutes",
    "training.evaluate_every",
    "training.evaluation_tokens",
}
"""Keys that may change between checkpoint and resumption.

Device, threads and precision change the rounding, not the computation: a run may move to another
machine, where "auto" may be another precision. The number of processes is not in the recipe at all.
Steps and learning rates are checked separately, for the steps made so far."""


def check_resumable(recipe: Recipe, saved: Checkpoint) -> None:
    """Raise `TrainingError` if the recipe is incompatible with the checkpoint's recipe.

    The number of steps may change as long as the learning rate of every completed step is the same.
    """
    before = recipes.parse(saved.recipe, Path("the checkpoint's recipe"))
    changed = [
        f"{key} (was {old}, is {new})"
        for key, old, new in _differences(before.model_dump(), recipe.model_dump())
        if key not in _RESUMABLE_CHANGES - _fixed_by_averaging(recipe)
    ]
    old_rate, new_rate = schedule_of(before.training).at, schedule_of(recipe.training).at
    if any(old_rate(step) != new_rate(step) for step in range(saved.step)):
        changed.append("the learning rate of completed steps")
    if recipe.training.steps < saved.step:
        changed.append(f"training.steps ({saved.step} already completed)")
    if changed:
        raise TrainingError(
            f"the recipe has changed since this run's checkpoint: {'; '.join(changed)}. "
            "Revert it, use another --run-directory, or start over with --fresh"
        )


def _fixed_by_averaging(recipe: Recipe) -> set[str]:
    """Return the keys that determine when averaging begins, if the recipe averages weights."""
    averages = recipe.regularisation.averaging_patience > 0
    return {"training.evaluate_every", "training.evaluation_tokens"} if averages else set()


def _differences(old: Any, new: Any, prefix: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in new if key not in ("origin", "licence")]
        parts = [_differences(old.get(key), new[key], f"{prefix}.{key}") for key in keys]
        return [difference for part in parts for difference in part]
    if isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        parts = [
            _differences(a, b, f"{prefix}[{index}]")
            for index, (a, b) in enumerate(zip(old, new, strict=True))
        ]
        return [difference for part in parts for difference in part]
    return [] if old == new else [(prefix.removeprefix("."), old, new)]


def read_version(
    recipe: Recipe, path: Path, folder: Path
) -> tuple[Tokenizer, dict[str, torch.Tensor]]:
    """Read tokenizer and weights of the published version in `folder`.

    Raises `InvalidRecipe` (for the recipe at `path`) if it was published without weights or if the
    recipe describes a network of another shape, and `InvalidBundle` if it is not a bundle.
    """
    for name in ("tokenizer.json", "weights.safetensors"):
        if not (folder / name).is_file():
            problem = f"{folder} has no {name}; use a version published --with-weights"
            raise InvalidRecipe(path, "init_from", problem)
    try:
        weights = load_file(folder / "weights.safetensors")
    except (OSError, SafetensorError) as error:
        raise InvalidRecipe(path, "init_from", f"{folder}: {error}") from error
    tokenizer = Tokenizer.from_json((folder / "tokenizer.json").read_text(encoding="utf-8"))
    _refuse_other_tokenizer(recipe, path, tokenizer, bundles.read_manifest(folder).network.cutoffs)
    _refuse_other_shapes(recipe, path, tokenizer, weights)
    return tokenizer, {name: value.float() for name, value in weights.items()}


def _refuse_other_tokenizer(
    recipe: Recipe, path: Path, tokenizer: Tokenizer, cutoffs: tuple[int, ...]
) -> None:
    """Raise `InvalidRecipe` if vocabulary size or cutoffs differ from those of the weights."""
    if recipe.tokenizer.vocabulary != tokenizer.size:
        problem = f"{recipe.tokenizer.vocabulary}, but init_from has {tokenizer.size} tokens"
        raise InvalidRecipe(path, "tokenizer.vocabulary", problem)
    wanted = sizes_of(recipe, tokenizer).cutoffs
    if wanted != cutoffs:
        problem = f"{list(wanted)}, but init_from was trained with {list(cutoffs)}"
        raise InvalidRecipe(path, "network.cutoffs", problem)


def _refuse_other_shapes(
    recipe: Recipe, path: Path, tokenizer: Tokenizer, weights: dict[str, torch.Tensor]
) -> None:
    from wordgate.training.model.network import Network

    with torch.device("meta"):
        network = Network(sizes_of(recipe, tokenizer))
    for name, parameter in network.named_parameters():
        shape = list(weights[name].shape) if name in weights else "nothing"
        if shape != list(parameter.shape):
            problem = f"{name} is {list(parameter.shape)} in the recipe, {shape} in init_from"
            raise InvalidRecipe(path, "network", problem)
