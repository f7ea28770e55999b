"""Train one cell with one seed, and measure what it remembers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from clue_language import DISTANCES, MAX_DISTANCE, TASKS, Question, hardest_questions
from gradient_norms import gradient_norms
from wordgate.errors import InvalidRecipe, TrainingError
from wordgate.lm.tokenizer import EOS, Tokenizer
from wordgate.training import checkpoint as checkpoints
from wordgate.training import metrics_log
from wordgate.training import recipe as recipes
from wordgate.training.loop import RECORD_EVERY
from wordgate.training.model.network import Network
from wordgate.training.recipe import Cell, Training
from wordgate.training.run import Settings, train
from wordgate.training.trainer import sizes_of

GRADIENT_QUESTIONS = 100


@dataclass(frozen=True)
class Run:
    """One training: a cell, a seed, the recipe, and the experiment's folder with `text/`."""

    cell: Cell
    seed: int
    recipe: Path
    folder: Path

    def figures(self, questions: int) -> dict[str, object]:
        """Train, or resume, and return the figures of the network before and after.

        Accuracies are over `questions` questions for each task and distance.
        """
        folder = self.folder / f"{self.cell}-{self.seed}"
        path = self.write_recipe(folder)
        settings = Settings(folder, self.folder / "cache", self.folder / "text")
        outcome = train(path, settings)
        if outcome.reason != "finished":
            stopped = f"{outcome.reason} after step {outcome.step}"
            raise TrainingError(f"{stopped}; the same command resumes")
        saved = checkpoints.load(outcome.checkpoint)
        tokenizer = Tokenizer.from_json(saved.tokenizer)
        recipe = recipes.load(path)
        network = Network(
            sizes_of(recipe, tokenizer), torch.float32, torch.Generator().manual_seed(self.seed)
        )
        initial = gradients(network, tokenizer)
        network.load_state_dict(saved.weights)
        return {
            "cell": self.cell,
            "seed": self.seed,
            "steps": saved.step,
            "training_seconds": training_seconds(folder, recipe.training),
            "recurrent_parameters": sum(part.numel() for part in network.layers.parameters()),
            "held_out_token_perplexity": outcome.held_out.get("token_perplexity"),
            "accuracy": {task: accuracies(network, tokenizer, task, questions) for task in TASKS},
            "gradient_norms": {"initial": initial, "trained": gradients(network, tokenizer)},
        }

    def write_recipe(self, folder: Path) -> Path:
        """Write the recipe with this run's cell and seed. Raises `InvalidRecipe`."""
        document = self.recipe.read_text(encoding="utf-8")
        document = document.replace('cell = "lstm"', f'cell = "{self.cell}"', 1)
        document = document.replace("\nseed = 1\n", f"\nseed = {self.seed}\n", 1)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "recipe.toml"
        path.write_text(document, encoding="utf-8")
        recipe = recipes.load(path)
        if (recipe.network.cell, recipe.training.seed) != (self.cell, self.seed):
            problem = 'must have the lines cell = "lstm" and seed = 1, which each run replaces'
            raise InvalidRecipe(self.recipe, "", problem)
        if recipe.network.layers != 1:
            problem = "must be 1: gradients are measured in one layer"
            raise InvalidRecipe(self.recipe, "network.layers", problem)
        return path


def training_seconds(folder: Path, plan: Training) -> float:
    """Return how long the run's updates took, also if it was interrupted."""
    tokens = RECORD_EVERY * plan.batch * plan.length
    records = [each for each in metrics_log.read(folder) if each["kind"] == "train"]
    seconds = sum(tokens / float(each["tokens_per_second"]) for each in records)
    return round(seconds, 1)


def accuracies(network: Network, tokenizer: Tokenizer, task: str, count: int) -> dict[str, float]:
    """Return the accuracy by distance over `count` of the hardest questions each."""
    return {
        str(distance): accuracy(network, tokenizer, hardest_questions(task, distance, count))
        for distance in DISTANCES
    }


@torch.no_grad()
def accuracy(network: Network, tokenizer: Tokenizer, questions: Sequence[Question]) -> float:
    """Return the share of questions whose answer is the likeliest of its choices."""
    network.eval()
    top, _ = network(read(tokenizer, questions), network.start(len(questions)))
    choices = questions[0].choices
    by_choice = [
        network.log_probs(top[-1], torch.full((len(questions),), token(tokenizer, choice)))
        for choice in choices
    ]
    answers = torch.tensor([choices.index(question.answer) for question in questions])
    return float((torch.stack(by_choice).argmax(0) == answers).float().mean())


def gradients(network: Network, tokenizer: Tokenizer) -> dict[str, dict[str, list[float]]]:
    """Return the gradient norms of each task's questions at the greatest distance."""
    norms = {}
    for task in TASKS:
        questions = hardest_questions(task, MAX_DISTANCE, GRADIENT_QUESTIONS)
        answers = torch.tensor([token(tokenizer, question.answer) for question in questions])
        norms[task] = gradient_norms(network, read(tokenizer, questions), answers)
    return norms


def read(tokenizer: Tokenizer, questions: Sequence[Question]) -> Tensor:
    """Return `<eos>` and the words of questions of one distance, int64 [time, batch]."""
    rows = [[EOS, *(token(tokenizer, word) for word in question.words)] for question in questions]
    return torch.tensor(rows).T.contiguous()


def token(tokenizer: Tokenizer, word: str) -> int:
    """Return the only token of a word. Raises `TrainingError` if it has several."""
    tokens = tokenizer.encode_word(word)
    if len(tokens) != 1:
        raise TrainingError(f"{word!r} has {len(tokens)} tokens; raise tokenizer.vocabulary")
    return tokens[0]
