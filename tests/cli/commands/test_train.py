"""`wordgate train` as a person types it."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.training.small_run import SENTENCES, write_recipe

from wordgate.cli.commands.train import train
from wordgate.errors import InvalidFile, WordgateError
from wordgate.training import checkpoint as checkpoints
from wordgate.training import recipe as recipes


def _train(*arguments: str | Path) -> Result:
    return CliRunner().invoke(train, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORDGATE_CACHE", str(tmp_path / "cache"))


def test_text_files_of_ones_own_become_a_recipe_and_a_run(tmp_path: Path) -> None:
    """`--text FILES… --name NAME` writes the recipe and runs it; again, it goes on."""
    more = tmp_path / "more.jsonl"
    more.write_text('{"text": "One more passage."}\n')
    command: list[str | Path] = ["--text", SENTENCES, more, "--name", "mine", "--max-minutes", "0"]
    for _ in range(2):
        result = _train(*command)
        assert result.exit_code == 0, result.output
    path = Path("models/mine/recipe.toml")
    places = recipes.text_paths(recipes.load(path), path)
    assert [place.resolve() for place in places] == [SENTENCES, more]
    assert checkpoints.latest(Path("runs/mine/checkpoints")) is not None
    assert f"go on with: wordgate train {path}" in result.output
    assert Path("cache").is_dir()


def test_the_language_is_found_or_stated_and_said(tmp_path: Path) -> None:
    """A recipe for Russian text says `ru`; `--language` states another; a recipe keeps its own."""
    text = tmp_path / "письма.txt"
    text.write_text("Сегодня хорошая погода, и мы пойдём гулять в парк.\n" * 200, "utf-8")
    command = ("--text", text, "--max-minutes", "0", "--name")
    assert "language: ru; --language TAG states another" in _train(*command, "found").output
    assert recipes.load(Path("models/found/recipe.toml")).language == "ru"
    assert "language: be\n" in _train(*command, "stated", "--language", "be").output
    assert recipes.load(Path("models/stated/recipe.toml")).language == "be"
    changed = _train(*command, "stated", "--language", "ru")
    assert "is already 'be', not 'ru'" in str(changed.exception)


def test_a_recipe_takes_its_text_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text's folder can be given by flag or variable, where the recipe's is not there."""
    recipe = write_recipe(tmp_path, (str(SENTENCES.parent), "nowhere"))
    missing = _train(recipe, "--max-minutes", "0")
    assert missing.exit_code == 1
    assert "nowhere/sentences.txt: does not exist" in str(missing.exception)
    run = tmp_path / "my run"
    stop: list[str | Path] = ["--max-minutes", "0", "--run-directory", run]
    stopped = _train(recipe, *stop, "--text-folder", SENTENCES.parent)
    assert stopped.exit_code == 0
    options = f"--run-directory '{run}' --text-folder {SENTENCES.parent}"
    assert f"go on with: wordgate train {recipe} {options}\n" in stopped.output
    monkeypatch.setenv("WORDGATE_TEXT_FOLDER", str(SENTENCES.parent))
    assert _train(recipe, *stop, "--fresh").exit_code == 0


def test_a_finished_training_says_how_it_is_published(tmp_path: Path) -> None:
    """With the folders that `export` would not find by itself."""
    short = [("steps = 150", "steps = 1"), ("warmup_steps = 20", "warmup_steps = 0")]
    recipe = write_recipe(tmp_path, *short, ("decay_steps = 50", "decay_steps = 0"))
    said = _train(recipe, "--text-folder", SENTENCES.parent).output
    saved = "runs/small/checkpoints/step-00000001.safetensors"
    options = f"--folder {tmp_path} --text-folder {SENTENCES.parent}"
    assert f"next: wordgate export {saved} {options}\n" in said
    usual = write_recipe(Path("models/small"), *short, ("decay_steps = 50", "decay_steps = 0"))
    assert f"next: wordgate export {saved}\n" in _train(usual).output


def test_text_that_is_none_is_told_before_a_recipe_is_written(tmp_path: Path) -> None:
    """Else the recipe for nothing would be kept when the file has been filled."""
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    refused = _train("--text", empty, "--name", "mine")
    assert isinstance(refused.exception, InvalidFile)
    assert f"{empty}: is empty: no text in it" in str(refused.exception)
    assert not Path("models").exists()


def test_a_training_that_cannot_be_published_says_so_first(tmp_path: Path) -> None:
    """Without held-out text nothing is measured, and export refuses: told before hours are lost."""
    recipe = write_recipe(tmp_path, ("held_out_share = 0.05", "held_out_share = 0.0"))
    stopped = _train(recipe, "--max-minutes", "0")
    assert stopped.exit_code == 0
    assert "no passage is held out (text.held_out_share is 0)" in stopped.output
    measured = write_recipe(tmp_path)
    assert "held out (" not in _train(measured, "--max-minutes", "0", "--fresh").output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "RECIPE: name one, or text files"),
        ([str(SENTENCES), str(SENTENCES)], "RECIPE: name one"),
        ([str(SENTENCES), "--name", "x"], "--name: needs --text"),
        (["--text", str(SENTENCES)], "--text: needs --name"),
        ([str(SENTENCES), "--max-minutes", "-1"], "--max-minutes"),
        ([str(SENTENCES), "--language", "ru"], "--language: needs --text"),
        (
            ["--text", str(SENTENCES), "--name", "x", "--language", "русский"],
            "is not a BCP 47 tag",
        ),
        (
            ["--text", str(SENTENCES), "--name", "x", "--language", "English"],
            "is not a BCP 47 tag",
        ),
    ],
)
def test_contradictory_arguments_are_refused(arguments: list[str], problem: str) -> None:
    """A wrong combination says what goes together."""
    result = _train(*arguments)
    assert result.exit_code == 2
    assert problem in result.output


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch the command says what to install."""
    recipe = write_recipe(tmp_path)
    monkeypatch.delitem(sys.modules, "wordgate.training.run", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = _train(recipe)
    assert isinstance(result.exception, WordgateError)
    assert "pip install 'wordgate[train]'" in str(result.exception)


def test_without_torch_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named before a recipe is there, which the next try would stumble over."""
    Path("mails.txt").write_text("See you soon.\n")
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("wordgate.training.")]:
        monkeypatch.delitem(sys.modules, name)
    error = _train("--text", "mails.txt", "--name", "mine").exception
    assert isinstance(error, WordgateError)
    assert "training needs torch, which is not installed" in str(error)
    assert not Path("models").exists()
