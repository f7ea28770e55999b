"""A recipe and a training run small enough for fast tests."""

import os
import subprocess
import sys
from pathlib import Path

from wordgate.training import recipe as recipes
from wordgate.training.data import token_cache
from wordgate.training.data.token_cache import TokenisedText
from wordgate.training.loop import Outcome
from wordgate.training.recipe import Recipe
from wordgate.training.run import Settings, rules_of, sources_of, train

SENTENCES = Path(__file__).parents[1] / "data" / "sentences.txt"
COMMAND = "from wordgate.cli.commands.train import train; train()"

RECIPE = """
name = "small"
language = "en"
[text]
folder = "{folder}"
files = [{{path = "sentences.txt"}}]
held_out_share = 0.05
[tokenizer]
vocabulary = 700
[network]
layers = 2
width = 32
cutoffs = [400, 700]
dropout = 0.1
[training]
batch = 8
length = 12
steps = 150
warmup_steps = 20
decay_steps = 50
learning_rate = 1e-2
minimum_learning_rate = 1e-4
checkpoint_minutes = 5.0
evaluate_every = 50
"""

RUNNING_TEXT = """
name = "running"
language = "en"
[text]
folder = "{folder}"
files = [{{path = "sentences.txt"}}]
unpunctuated_share = 0
held_out_share = 0
held_out_file = "sentences.txt"
[tokenizer]
kind = "words"
[network]
layers = 2
width = 16
hidden_width = 24
output = "full"
dropout = 0.1
[training]
batch = 8
length = 12
order = "sequential"
restart_share = 0
steps = 60
warmup_steps = 0
learning_rate = 1e-2
evaluate_every = 25
[regularisation]
length_deviation = 3.0
averaging_patience = 1
"""


def write_recipe(folder: Path, *changes: tuple[str, str], text: str = RECIPE) -> Path:
    """Write the small recipe with changes to `folder`."""
    document = text.format(folder=SENTENCES.parent)
    for old, new in changes:
        if old not in document:
            raise ValueError(old)
        document = document.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.toml"
    path.write_text(document, encoding="utf-8")
    return path


def tokenised(path: Path) -> tuple[Recipe, TokenisedText]:
    """Return a recipe and its tokenised text."""
    recipe = recipes.load(path)
    sources, rules = sources_of(recipe, path, None), rules_of(recipe, path)
    cache = path.parent / "cache"
    tokenizer = token_cache.learn_tokenizer(
        sources, rules, recipe.tokenizer.vocabulary, cache, print
    )
    return recipe, token_cache.tokenise(sources, rules, tokenizer, cache, print)


def train_here(
    recipe: Path, run: Path, max_minutes: float | None = None, fresh: bool = False
) -> Outcome:
    """Train in this process."""
    cache = recipe.parent / "cache"
    return train(recipe, Settings(run, cache, max_minutes=max_minutes, fresh=fresh))


def start_elsewhere(recipe: Path, run: Path) -> subprocess.Popen[str]:
    """Train in a separate process, as the command line does, with a checkpoint every 60 ms."""
    eager = recipe.with_name("eager.toml")
    eager.write_text(recipe.read_text().replace("minutes = 5.0", "minutes = 0.001"))
    arguments = [str(eager), "--run-directory", str(run)]
    cache = {"WORDGATE_CACHE": str(recipe.parent / "cache")}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        env=os.environ | cache,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
