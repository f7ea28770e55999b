"""`wordgate train` on the command line."""

import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file
from tests.training.small_run import RUNNING_TEXT, SENTENCES, write_recipe

from wordgate.cli.commands.train import train
from wordgate.errors import InvalidFile, WordgateError
from wordgate.training import checkpoint as checkpoints
from wordgate.training import recipe as recipes
from wordgate.training import recipe_files


def _train(*arguments: str | Path) -> Result:
    return CliRunner().invoke(train, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORDGATE_CACHE", str(tmp_path / "cache"))


def test_text_files_of_ones_own_become_a_recipe_and_a_run(tmp_path: Path) -> None:
    """`--text FILES… --name NAME` writes a recipe and runs it; rerunning resumes."""
    more = tmp_path / "more.jsonl"
    more.write_text('{"text": "One more passage."}\n')
    command: list[str | Path] = ["--text", SENTENCES, more, "--name", "mine", "--max-minutes", "0"]
    for _ in range(2):
        result = _train(*command)
        assert result.exit_code == 0, result.output
    path = Path("models/mine/recipe.toml")
    places = recipe_files.text_paths(recipes.load(path), path)
    assert [place.resolve() for place in places] == [SENTENCES, more]
    assert checkpoints.latest(Path("runs/mine/checkpoints")) is not None
    assert f"to resume: wordgate train {path}" in result.output
    assert Path("cache").is_dir()


def test_the_language_is_found_or_stated_and_said(tmp_path: Path) -> None:
    """The language is detected, or set by `--language`; a recipe keeps its own."""
    text = tmp_path / "письма.txt"
    text.write_text("Сегодня хорошая погода, и мы пойдём гулять в парк.\n" * 200, "utf-8")
    command = ("--text", text, "--max-minutes", "0", "--name")
    assert "language: ru (detected); use --language TAG" in _train(*command, "found").output
    assert recipes.load(Path("models/found/recipe.toml")).language == "ru"
    assert "language: be\n" in _train(*command, "stated", "--language", "be").output
    assert recipes.load(Path("models/stated/recipe.toml")).language == "be"
    changed = _train(*command, "stated", "--language", "ru")
    assert "is already 'be', not 'ru'" in str(changed.exception)


def test_a_recipe_takes_its_text_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text folder can be set by flag or environment variable."""
    recipe = write_recipe(tmp_path, (str(SENTENCES.parent), "nowhere"))
    missing = _train(recipe, "--max-minutes", "0")
    assert missing.exit_code == 1
    assert "nowhere/sentences.txt: does not exist" in str(missing.exception)
    run = tmp_path / "my run"
    stop: list[str | Path] = ["--max-minutes", "0", "--run-directory", run]
    stopped = _train(recipe, *stop, "--text-folder", SENTENCES.parent)
    assert stopped.exit_code == 0
    options = f"--run-directory '{run}' --text-folder {SENTENCES.parent}"
    assert f"to resume: wordgate train {recipe} {options}\n" in stopped.output
    monkeypatch.setenv("WORDGATE_TEXT_FOLDER", str(SENTENCES.parent))
    assert _train(recipe, *stop, "--fresh").exit_code == 0


def test_a_finished_training_says_how_it_is_published(tmp_path: Path) -> None:
    """The printed export command includes folders that are not the defaults."""
    short = [("steps = 150", "steps = 1"), ("warmup_steps = 20", "warmup_steps = 0")]
    recipe = write_recipe(tmp_path, *short, ("decay_steps = 50", "decay_steps = 0"))
    said = _train(recipe, "--text-folder", SENTENCES.parent).output
    saved = "runs/small/checkpoints/step-00000001.safetensors"
    options = f"--folder {tmp_path} --text-folder {SENTENCES.parent}"
    assert f"next: wordgate export {saved} {options}\n" in said
    usual = write_recipe(Path("models/small"), *short, ("decay_steps = 50", "decay_steps = 0"))
    assert f"next: wordgate export {saved}\n" in _train(usual).output


def test_an_empty_text_is_reported_before_a_recipe_is_written(tmp_path: Path) -> None:
    """An empty text file is an error, and no recipe is written."""
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    refused = _train("--text", empty, "--name", "mine")
    assert isinstance(refused.exception, InvalidFile)
    assert f"{empty}: is empty: no text in it" in str(refused.exception)
    assert not Path("models").exists()


def test_a_training_that_cannot_be_published_says_so_first(tmp_path: Path) -> None:
    """A recipe without held-out text is rejected before training starts."""
    recipe = write_recipe(tmp_path, ("held_out_share = 0.05", "held_out_share = 0.0"))
    stopped = _train(recipe, "--max-minutes", "0")
    assert stopped.exit_code == 0
    assert "no passage is held out (text.held_out_share is 0)" in stopped.output
    measured = write_recipe(tmp_path)
    assert "held out (" not in _train(measured, "--max-minutes", "0", "--fresh").output


def test_a_published_model_is_continued() -> None:
    """`--continue en` starts from the bundled model's weights, tokenizer and sizes."""
    command = ("--continue", "en", "--text", SENTENCES, "--name", "mine", "--max-minutes", "0")
    for _ in range(2):
        result = _train(*command)
        assert result.exit_code == 0, result.output
    saved = checkpoints.load(checkpoints.latest(Path("runs/mine/checkpoints")) or Path())
    version = Path(recipes.load(Path("models/mine/recipe.toml")).init_from)
    published = load_file(Path("models/mine") / version / "weights.safetensors")
    assert set(saved.weights) == set(published)
    for name, value in published.items():
        assert torch.equal(saved.weights[name], value.float())


def test_a_checkpoint_is_evaluated_on_a_file(tmp_path: Path) -> None:
    """`--evaluate FILE` prints a perplexity and trains nothing."""
    recipe = write_recipe(tmp_path, ("steps = 60", "steps = 2"), text=RUNNING_TEXT)
    trained = _train(recipe)
    assert "next: wordgate export" not in trained.output
    result = _train(recipe, "--evaluate", SENTENCES)
    assert result.exit_code == 0, result.output
    said = result.output.splitlines()[-1]
    assert said.startswith(f"{SENTENCES}: perplexity ")
    assert said.endswith("runs/running/checkpoints/step-00000002.safetensors")
    refused = _train("--text", SENTENCES, "--name", "x", "--evaluate", SENTENCES)
    assert "--evaluate: requires RECIPE" in refused.output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "RECIPE: pass one recipe, or use --text"),
        ([str(SENTENCES), str(SENTENCES)], "RECIPE: pass one recipe"),
        ([str(SENTENCES), "--name", "x"], "--name: requires --text"),
        (["--text", str(SENTENCES)], "--text: requires --name"),
        ([str(SENTENCES), "--continue", "en"], "--continue: requires --text"),
        (
            ["--text", str(SENTENCES), "--name", "x", "--continue", "nothing"],
            "nothing does not exist; name a bundle's folder",
        ),
        ([str(SENTENCES), "--max-minutes", "-1"], "--max-minutes"),
        ([str(SENTENCES), "--language", "ru"], "--language: requires --text"),
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
    """Contradictory arguments are usage errors that name the valid combination."""
    result = _train(*arguments)
    assert result.exit_code == 2
    assert problem in result.output


def test_the_precision_is_said_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run says its precision and why, warns of emulation, and says if it has changed."""
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    chosen = _train(write_recipe(tmp_path), "--max-minutes", "0").output
    assert "matrix products in float32: the processor has neither AVX-512 BF16 nor AMX" in chosen
    assert "warning" not in chosen
    explicit = ("[training]", '[training]\nprecision = "bfloat16"')
    said = _train(write_recipe(tmp_path, explicit), "--max-minutes", "0").output
    assert "in bfloat16 (the run began in float32): set in the recipe" in said
    assert "warning: bfloat16 products are emulated here" in said


def test_text_files_are_for_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under torchrun `--text` is refused: the processes would write one recipe."""
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    result = _train("--text", SENTENCES, "--name", "mine")
    assert result.exit_code == 2
    assert "--text: cannot be used under torchrun" in result.output
    assert not Path("models").exists()


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch the command says what to install."""
    recipe = write_recipe(tmp_path)
    monkeypatch.delitem(sys.modules, "wordgate.training.run", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = _train(recipe)
    assert isinstance(result.exception, WordgateError)
    assert "pip install 'wordgate[train]'" in str(result.exception)


def test_without_torch_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch no recipe is written."""
    Path("mails.txt").write_text("See you soon.\n")
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("wordgate.training.")]:
        monkeypatch.delitem(sys.modules, name)
    error = _train("--text", "mails.txt", "--name", "mine").exception
    assert isinstance(error, WordgateError)
    assert "training requires torch, which is not installed" in str(error)
    assert not Path("models").exists()
