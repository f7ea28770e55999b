"""The memory experiment in a tiny setting."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from trained_run import Run
from wordgate.errors import InvalidRecipe

SCRIPT = Path(__file__).parents[3] / "examples/memory/memory_experiment.py"
RECIPE = SCRIPT.with_name("recipe.toml")
SMALLER = (
    ("width = 48", "width = 32"),
    ("batch = 64", "batch = 32"),
    ("length = 96", "length = 32"),
    ("\nsteps = 400", "\nsteps = 300"),
    ("warmup_steps = 50", "warmup_steps = 10"),
    ("decay_steps = 200", "decay_steps = 100"),
    ("evaluate_every = 400", "evaluate_every = 300"),
)


def tiny_recipe(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write the recipe with smaller sizes."""
    document = RECIPE.read_text("utf-8")
    for old, new in (*SMALLER, *changes):
        assert old in document
        document = document.replace(old, new, 1)
    path = folder / "tiny.toml"
    path.write_text(document, "utf-8")
    return path


def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False
    )


def test_its_help_names_the_options() -> None:
    """--help works without torch and lists cells and seeds."""
    found = run(["--help"])
    assert found.returncode == 0
    assert "--cells" in found.stdout
    assert "--seeds" in found.stdout


@pytest.mark.long
def test_all_cells_beat_chance_next_to_the_clue(tmp_path: Path) -> None:
    """After 300 small steps each cell answers most questions at distance 1."""
    recipe = tiny_recipe(tmp_path)
    folder = tmp_path / "run"
    arguments = ["--recipe", str(recipe), "--folder", str(folder), "--lines", "2000"]
    found = run([*arguments, "--seeds", "1", "--questions", "100"])
    assert found.returncode == 0, found.stderr
    result = json.loads((folder / "result.json").read_text("utf-8"))
    assert [each["cell"] for each in result["runs"]] == ["lstm", "gru", "rnn"]
    for each in result["runs"]:
        assert each["accuracy"]["agreement"]["1"] > 0.7
        assert each["accuracy"]["recall"]["1"] > 0.3
        for state in ("initial", "trained"):
            norms = each["gradient_norms"][state]["recall"]["hidden"]
            assert norms[0] == pytest.approx(1)
            assert len(norms) == 65
    assert (folder / "memory.svg").read_text("utf-8").startswith("<?xml")
    assert found.stdout.startswith("| task | cell | 1 | 2 |")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('cell = "lstm"', 'cell = "gru"'), r"must have the lines cell"),
        (("layers = 1", "layers = 2"), r"network\.layers.*must be 1"),
    ],
)
def test_a_recipe_that_cannot_be_varied_is_refused(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    """The recipe must have the lines that each run replaces, and one layer."""
    recipe = tiny_recipe(tmp_path, change)
    with pytest.raises(InvalidRecipe, match=problem):
        Run("rnn", 3, recipe, tmp_path).write_recipe(tmp_path / "run")
