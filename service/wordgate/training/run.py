"""Run a training from a recipe: prepare text and tokenizer, build the trainer, start the loop.

Files of a run:

    RUN/recipe.toml  tokenizer.json  metrics.jsonl  curves.png  events/  checkpoints/
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from wordgate.errors import TrainingError, empty
from wordgate.lm.tokenizer import Tokenizer
from wordgate.training import checkpoint as checkpoints
from wordgate.training import held_out, recipe_files, resume
from wordgate.training import recipe as recipes
from wordgate.training.checkpoint import Checkpoint
from wordgate.training.data import passages, text_amount, token_cache, word_level
from wordgate.training.data.sequential_sampler import running_text
from wordgate.training.data.token_cache import Report, Source, TokenisedText
from wordgate.training.data.word_level import WordLevelTokenizer
from wordgate.training.hardware.devices import find_device
from wordgate.training.hardware.distributed import Ranks, joined
from wordgate.training.hardware.precision import ProductPrecision
from wordgate.training.hardware.torchrun import Place, find_place
from wordgate.training.held_out import Perplexities
from wordgate.training.loop import Loop, Outcome
from wordgate.training.model.network import Network
from wordgate.training.progress import Progress
from wordgate.training.recipe import Recipe
from wordgate.training.trainer import Trainer, sizes_of


@dataclass(frozen=True)
class Settings:
    """Settings of one run that are not in the recipe."""

    folder: Path
    cache: Path
    text_folder: Path | None = None
    max_minutes: float | None = None
    fresh: bool = False


def train(path: Path, settings: Settings) -> Outcome:
    """Train with the recipe at `path`, resuming from the run's last checkpoint if there is one.

    Started by torchrun, the processes share the work; the first one writes the run's files.
    """
    recipe = recipes.load(path)
    place = find_place()
    Ranks(place.rank, place.size).columns(recipe.training.batch)
    device = _prepare_torch(recipe, place)
    with joined(place, device) as ranks, _locked(settings.folder, ranks):
        saved = _last_checkpoint(recipe, settings)
        step = saved.step if saved else 0
        _refuse_other_checkpoint(step, settings, ranks)
        console = None if ranks.is_first else Console(quiet=True)
        with Progress(recipe.training.steps, step, console) as progress:
            with ranks.first_before_others():
                trainer = _make_trainer(recipe, path, settings, saved, progress.say, ranks)
            if ranks.is_first:
                _prepare_run_dir(path, settings, trainer)
            _announce(recipe, trainer, progress, saved, ranks)
            measured = saved.about["held_out"] if saved else {}
            loop = Loop(trainer, settings.folder, progress, measured, ranks)
            return loop.run(settings.max_minutes)


def measure(path: Path, folder: Path, text: Path) -> tuple[Path, Perplexities]:
    """Measure the last checkpoint of the run in `folder` on a file of running text.

    The text is read in one column, so every token is predicted from all tokens before it. `path` is
    the recipe, which names the device. Returns the checkpoint too. Raises `TrainingError` if there
    is none or its tokens are not whole words, and `InvalidFile` if the file is empty.
    """
    recipe = recipes.load(path)
    device = _prepare_torch(recipe, find_place())
    latest = checkpoints.latest(folder / "checkpoints")
    if latest is None:
        raise TrainingError(f"{folder} has no checkpoint; train, or name another --run-directory")
    saved = checkpoints.load(latest)
    trained = recipes.parse(saved.recipe, latest)
    if trained.tokenizer.kind != "words":
        raise TrainingError(
            f'--evaluate: {latest} has no tokenizer.kind = "words"; export it and use wordgate '
            "evaluate --text"
        )
    tokenizer = WordLevelTokenizer.from_json(saved.tokenizer)
    stream = running_text([word_level.read_file(text, tokenizer)], tokenizer.eos).astype(np.int64)
    if not len(stream):
        raise empty(text, "text")
    network = Network(sizes_of(trained, tokenizer), torch.float32)
    network.load_weights(saved.weights)
    network.to(device)
    return latest, held_out.measure_in_order(
        network, stream, tokenizer.ends_word, tokenizer.eos, columns=1
    )


def _announce(
    recipe: Recipe,
    trainer: Trainer,
    progress: Progress,
    saved: Checkpoint | None,
    ranks: Ranks,
) -> None:
    if ranks.size > 1:
        columns = recipe.training.batch // ranks.size
        progress.say(f"{ranks.size} processes with {columns} columns of the batch each")
    if not trainer.can_measure:
        progress.say(
            f"no passage is held out (text.held_out_share is {recipe.text.held_out_share:g}): "
            "no evaluation during training, and wordgate export will fail"
        )
    _announce_precision(trainer.precision, progress, saved)
    for line in text_amount.describe(trainer.text, recipe):
        progress.say(line)
    progress.say(f"{'resuming after' if trainer.step else 'starting at'} step {trainer.step}")
    progress.begin()


def _announce_precision(
    precision: ProductPrecision, progress: Progress, saved: Checkpoint | None
) -> None:
    before = saved.about.get("precision", precision.name) if saved else precision.name
    changed = f" (the run began in {before})" if before != precision.name else ""
    progress.say(f"matrix products in {precision.name}{changed}: {precision.reason}")
    if precision.warning:
        progress.say(f"warning: {precision.warning}")


@contextmanager
def _locked(folder: Path, ranks: Ranks) -> Iterator[None]:
    """Lock a run's folder against other runs. The lock is released if the process dies."""
    if not ranks.is_first:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(f"another process is training in {folder}") from None
        yield


def _prepare_torch(recipe: Recipe, place: Place) -> torch.device:
    """Set the number of threads and return the device of this process."""
    plan = recipe.training
    if plan.threads:
        torch.set_num_threads(plan.threads)
    return find_device(plan.device, place.local_rank)


def _last_checkpoint(recipe: Recipe, settings: Settings) -> Checkpoint | None:
    latest = checkpoints.latest(settings.folder / "checkpoints")
    if latest is None or settings.fresh:
        return None
    saved = checkpoints.load(latest)
    resume.check_resumable(recipe, saved)
    return saved


def _refuse_other_checkpoint(step: int, settings: Settings, ranks: Ranks) -> None:
    """Raise `TrainingError` if this rank resumes after another step than the first one."""
    first = ranks.from_first(lambda: step)
    if step != first:
        raise TrainingError(
            f"{settings.folder} has the checkpoint of step {step} here, that of step {first} on "
            "the first process's machine; use a --run-directory that all machines share"
        )


def _make_trainer(
    recipe: Recipe,
    path: Path,
    settings: Settings,
    saved: Checkpoint | None,
    report: Report,
    ranks: Ranks,
) -> Trainer:
    version = recipe_files.init_path(recipe, path)
    tokenizer = weights = None
    if version and not saved:
        tokenizer, weights = resume.read_version(recipe, path, version)
    if recipe.tokenizer.kind == "words":
        text = _read_words(recipe, path, settings, saved)
    else:
        text = _tokenised(recipe, path, settings, saved, tokenizer, report)
    trainer = Trainer(recipe, text, ranks)
    if saved:
        trainer.restore(saved)
    elif weights:
        trainer.network.load_weights(weights)
    else:
        trainer.begin_at_frequencies()
    return trainer


def _tokenised(
    recipe: Recipe,
    path: Path,
    settings: Settings,
    saved: Checkpoint | None,
    tokenizer: Tokenizer | None,
    report: Report,
) -> TokenisedText:
    """Tokenise the text with the tokenizer of a checkpoint or of a version, or with a new one."""
    sources = sources_of(recipe, path, settings.text_folder)
    rules = rules_of(recipe, path)
    if saved:
        tokenizer = Tokenizer.from_json(saved.tokenizer)
    if tokenizer is None:
        vocabulary = recipe.tokenizer.vocabulary
        tokenizer = token_cache.learn_tokenizer(sources, rules, vocabulary, settings.cache, report)
    return token_cache.tokenise(sources, rules, tokenizer, settings.cache, report)


def _read_words(
    recipe: Recipe, path: Path, settings: Settings, saved: Checkpoint | None
) -> TokenisedText:
    """Read running text of whole words, with the vocabulary of a checkpoint or a new one."""
    files = recipe_files.text_paths(recipe, path, settings.text_folder)
    held_out = recipe_files.held_out_path(recipe, path, settings.text_folder)
    if saved:
        words = WordLevelTokenizer.from_json(saved.tokenizer)
    else:
        words = word_level.learn(files, recipe.tokenizer.vocabulary)
    return word_level.read(files, held_out, words)


def sources_of(recipe: Recipe, path: Path, text_folder: Path | None) -> list[Source]:
    """Return the recipe's text files and weights, in the recipe's order."""
    places = recipe_files.text_paths(recipe, path, text_folder)
    return [
        Source(place, file.weight) for place, file in zip(places, recipe.text.files, strict=True)
    ]


def rules_of(recipe: Recipe, path: Path) -> passages.Rules:
    """Return the recipe's rules for passages, including the excluded phrases."""
    excluded = [
        phrase
        for file in recipe_files.exclude_paths(recipe, path)
        for phrase in passages.read_phrases(file)
    ]
    text = recipe.text
    return passages.Rules(
        text.held_out_share, text.unpunctuated_share, text.sentences_share, tuple(excluded)
    )


def _prepare_run_dir(path: Path, settings: Settings, trainer: Trainer) -> None:
    """Copy recipe and tokenizer to the run's folder; for a fresh start, delete old checkpoints."""
    if settings.fresh:
        shutil.rmtree(settings.folder / "checkpoints", ignore_errors=True)
    copy = settings.folder / "recipe.toml"
    if path.resolve() != copy.resolve():
        shutil.copyfile(path, copy)
    (settings.folder / "tokenizer.json").write_text(trainer.tokenizer, encoding="utf-8")
