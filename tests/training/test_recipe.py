"""Recipes: validation and error messages."""

import os
import shutil
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from wordgate.bundle import bundle as bundles
from wordgate.errors import InvalidBundle, InvalidFile, InvalidRecipe
from wordgate.training import recipe as recipes
from wordgate.training import recipe_files
from wordgate.training.data.token_cache import Vocabulary
from wordgate.training.model.network import Network, NetworkConfig
from wordgate.training.recipe_template import draft
from wordgate.training.trainer import sizes_of

WIKITEXT = Path(__file__).parents[2] / "models" / "wikitext2"

GOOD = """
name = "small"
language = "en"
[text]
folder = "texts"
files = [{path = "a.txt", weight = 2, origin = "own", licence = "CC0"}, {path = "b.jsonl.gz"}]
exclude = ["phrases.txt"]
[tokenizer]
vocabulary = 1000
[network]
layers = 1
width = 32
cutoffs = [600, 1000]
[training]
steps = 1000
"""


WORDS = """
name = "words"
language = "en"
[text]
folder = "texts"
files = [{path = "train.txt"}]
unpunctuated_share = 0
held_out_share = 0
held_out_file = "valid.txt"
[tokenizer]
kind = "words"
[network]
output = "full"
[training]
steps = 1000
order = "sequential"
restart_share = 0
"""


def _load(folder: Path, text: str) -> recipes.Recipe:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return recipes.load(path)


def test_a_recipe_is_read(tmp_path: Path) -> None:
    """Keys have defaults, and paths are relative to the recipe."""
    recipe = _load(tmp_path, GOOD)
    path = tmp_path / "recipe.toml"
    assert recipe.name == "small"
    assert [file.weight for file in recipe.text.files] == [2.0, 1.0]
    assert recipe.training.warmup_steps == 500
    assert recipe_files.text_paths(recipe, path)[0] == tmp_path / "texts/a.txt"
    assert recipe_files.text_paths(recipe, path, Path("/else"))[1] == Path("/else/b.jsonl.gz")
    assert recipe_files.exclude_paths(recipe, path) == [tmp_path / "phrases.txt"]


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ("steps = 1000", "steps = 1000\nlerning_rate = 1", "training.lerning_rate", "training.lea"),
        ("width = 32", "with = 32", "network.with", "did you mean network.width"),
        ('name = "small"', 'nmae = "small"', "nmae", "did you mean name"),
        ('licence = "CC0"', 'license = "CC0"', "text.files[0].license", "text.files.licence"),
        ("steps = 1000", "steps = 1000\nzzzqq = 1", "training.zzzqq", "not a recipe key"),
        ("steps = 1000", "", "training.steps", "missing"),
        ("width = 32", 'width = "32"', "network.width", "integer"),
        ("width = 32", "width = 0", "network.width", "greater than or equal to 1"),
        ("weight = 2", "weight = 0", "text.files[0].weight", "greater than 0"),
        ("weight = 2", "weight = nan", "text.files[0].weight", "finite"),
        ("weight = 2", "weight = inf", "text.files[0].weight", "finite"),
        ("b.jsonl.gz", "a.txt", "text", "named 2 times"),
        ("cutoffs = [600, 1000]", "cutoffs = [1000, 600]", "network", "increase"),
        ("cutoffs = [600, 1000]", "cutoffs = [600, 900]", "", "last cutoff must be the vocabulary"),
        ("cutoffs = [600, 1000]", "", "network", "at least two cutoffs"),
        (
            "cutoffs = [600, 1000]",
            'output = "full"\ncutoffs = [600, 1000]',
            "network",
            "remove them",
        ),
        ("cutoffs = [600, 1000]", 'output = "ful"', "network.output", "'two-level' or 'full'"),
        ("width = 32", 'width = 32\ncell = "tanh"', "network.cell", "'lstm', 'gru' or 'rnn'"),
        (
            "width = 32\ncutoffs = [600, 1000]\n[training]",
            'width = 32\ncell = "gru"\ncutoffs = [600, 1000]\n[training]\nprecision = "bfloat16"',
            "",
            'set training.precision = "auto"',
        ),
        ("steps = 1000", 'steps = 1000\ndevice = "gpu"', "training.device", '"cuda:1"'),
        ("steps = 1000", 'steps = 1000\nprecision = "float16"', "training.precision", "'auto'"),
        ("steps = 1000", "steps = 1000\ndecay_steps = 501", "training", "exceed steps"),
        (
            "steps = 1000",
            "steps = 1000\naverage_decay = 0.999\n[regularisation]\naveraging_patience = 5",
            "",
            "are two averages",
        ),
        ("steps = 1000", "steps = 1000\nminimum_learning_rate = 1", "training", "higher"),
        ("steps = 1000", f"steps = 1000\nseed = {1 << 63}", "training.seed", "less than"),
        ("steps = 1000", "steps = 1000\nthreads = 99999", "training.threads", "less than"),
        ("steps = 1000", "steps = 1000\nrestart_share = 1", "training.restart_share", "less than"),
        (
            "[training]",
            "[regularisation]\nweight_drop = 1.0\n[training]",
            "regularisation.weight_drop",
            "less than 1",
        ),
        (
            "[training]",
            "[regularisation]\noutput_dropout = -0.1\n[training]",
            "regularisation.output_dropout",
            "greater than or equal to 0",
        ),
        (
            "[training]",
            "[regularisation]\nwdrop = 0.5\n[training]",
            "regularisation.wdrop",
            "not a recipe key",
        ),
        ("steps = 1000", 'steps = 1000\noptimiser = "asgd"', "training.optimiser", "'sgd'"),
        ("steps = 1000", 'steps = 1000\norder = "sequential"', "training", "restart_share = 0"),
        ("width = 32", "width = 32\nhidden_width = 64", "network", "at least two layers"),
        ("[tokenizer]", '[tokenizer]\nkind = "word"', "tokenizer.kind", "'bpe' or 'words'"),
        ("[text]", '[text]\nheld_out_file = "c.txt"', "", 'needs tokenizer.kind = "words"'),
        (
            "[tokenizer]",
            '[tokenizer]\nkind = "words"',
            "",
            "remove text.unpunctuated_share, text.held_out_share, text.exclude",
        ),
        (
            "steps = 1000",
            'steps = 1000\norder = "sequential"\nrestart_share = 0',
            "",
            "remove the weights of text.files",
        ),
        ("vocabulary = 1000", "vocabulary = 100", "tokenizer.vocabulary", "513"),
        ('name = "small"', 'name = "../x"', "name", "match"),
        ('name = "small"', 'name = "My.Model"', "name", "match"),
        ("[training]", "[training", "", "TOML"),
    ],
)
def test_a_mistake_names_itself(tmp_path: Path, old: str, new: str, key: str, problem: str) -> None:
    """Errors name the wrong key and the remedy."""
    assert old in GOOD
    with pytest.raises(InvalidRecipe) as raised:
        _load(tmp_path, GOOD.replace(old, new, 1))
    assert raised.value.key == key
    assert problem in raised.value.problem
    assert str(tmp_path / "recipe.toml") in str(raised.value)


def test_a_full_output_needs_no_cutoffs(tmp_path: Path) -> None:
    """`output = "full"` is valid without cutoffs."""
    recipe = _load(tmp_path, GOOD.replace("cutoffs = [600, 1000]", 'output = "full"'))
    assert recipe.network.cutoffs == ()


def test_cells_for_experiments_train_in_float32_from_scratch(tmp_path: Path) -> None:
    """Cells other than the LSTM need float32 and cannot continue a published version."""
    assert _load(tmp_path, GOOD).network.cell == "lstm"
    document = GOOD.replace("width = 32", 'width = 32\ncell = "rnn"') + 'precision = "float32"\n'
    assert _load(tmp_path, document).network.cell == "rnn"
    with pytest.raises(InvalidRecipe, match="remove init_from"):
        _load(tmp_path, f'init_from = "models/en/1"\n{document}')


def test_the_obstacle_to_serving_is_named(tmp_path: Path) -> None:
    """Models with another cell, layers of two widths or whole words cannot be served."""
    assert _load(tmp_path, GOOD).obstacle_to_serving == ""
    two_layers = GOOD.replace("layers = 1", "layers = 2\nhidden_width = 64")
    assert _load(tmp_path, two_layers).obstacle_to_serving == "network.hidden_width = 64"
    assert _load(tmp_path, WORDS).obstacle_to_serving == 'tokenizer.kind = "words"'


def test_a_held_out_file_is_looked_for_beside_the_text(tmp_path: Path) -> None:
    """The held-out file is in the folder of the text files, also in another one."""
    recipe, path = _load(tmp_path, WORDS), tmp_path / "recipe.toml"
    assert recipe_files.held_out_path(recipe, path) == tmp_path / "texts/valid.txt"
    assert recipe_files.held_out_path(recipe, path, Path("/else")) == Path("/else/valid.txt")
    assert recipe_files.held_out_path(_load(tmp_path, GOOD), path) is None


def test_a_missing_recipe_says_so(tmp_path: Path) -> None:
    """A missing recipe is reported as missing."""
    with pytest.raises(InvalidRecipe, match="does not exist"):
        recipes.load(tmp_path / "recipe.toml")


def test_a_version_to_continue_is_looked_for_beside_the_recipe(tmp_path: Path) -> None:
    """`init_from` is relative to the recipe, or else to the working directory."""
    recipe = _load(tmp_path, 'init_from = "models/en/1"\n' + GOOD)
    path = tmp_path / "recipe.toml"
    assert recipe_files.init_path(recipe, path) == Path("models/en/1")
    (tmp_path / "models/en/1").mkdir(parents=True)
    assert recipe_files.init_path(recipe, path) == tmp_path / "models/en/1"
    assert recipe_files.init_path(_load(tmp_path, GOOD), path) is None


@pytest.mark.parametrize("lines", [10, 20_000, 400_000])
def test_a_drafted_recipe_can_be_loaded(tmp_path: Path, lines: int) -> None:
    """A generated recipe is valid for any amount of text."""
    text = tmp_path / 'my "mails".txt'
    text.write_text("A line of text, not too short.\n" * lines)
    path = tmp_path / "models/mine/recipe.toml"
    draft(path, "mine", [text])
    recipe = recipes.load(path)
    assert recipe.name == "mine"
    assert [place.resolve() for place in recipe_files.text_paths(recipe, path)] == [text]
    assert recipe.network.cutoffs[-1] == recipe.tokenizer.vocabulary


def test_a_drafted_recipe_is_kept(tmp_path: Path) -> None:
    """An existing recipe is kept for the same files and is an error for other files."""
    text, other = tmp_path / "a.txt", tmp_path / "b.txt"
    for file in (text, other):
        file.write_text("some words\n")
    path = tmp_path / "recipe.toml"
    draft(path, "mine", [text])
    changed = path.read_text().replace("layers = 2", "layers = 1")
    path.write_text(changed)
    draft(path, "mine", [text])
    assert path.read_text() == changed
    with pytest.raises(InvalidRecipe, match="other files"):
        draft(path, "mine", [text, other])
    with pytest.raises(InvalidFile, match="does not exist"):
        draft(tmp_path / "new.toml", "mine", [tmp_path / "none.txt"])


def test_the_shipped_recipe_names_every_origin() -> None:
    """The recipe of the shipped model is valid, says where each file is from, and names no folder
    outside the repository."""
    path = Path(__file__).parents[2] / "models/en/recipe.toml"
    recipe = recipes.load(path)
    assert all(file.origin and file.licence for file in recipe.text.files)
    folder = Path(tomllib.loads(path.read_text())["text"]["folder"])
    assert not folder.is_absolute()
    assert ".." not in folder.parts
    assert all(place.is_file() for place in recipe_files.exclude_paths(recipe, path))


def test_a_drafted_recipe_holds_out_enough(tmp_path: Path) -> None:
    """A generated recipe holds out about fifty passages, between 1 % and 10 % of the text."""
    path = tmp_path / "recipe.toml"
    for passages, share in ((1, 0.1), (100, 0.1), (1000, 0.05), (100_000, 0.01)):
        text = tmp_path / f"{passages}.txt"
        text.write_text("Some words.\n" * passages)
        path.unlink(missing_ok=True)
        draft(path, "mine", [text])
        assert recipes.load(path).text.held_out_share == share


def test_a_drafted_recipe_names_files_and_not_ones_home(tmp_path: Path) -> None:
    """File names are relative to the common folder, because they appear in model cards."""
    files = [tmp_path / "home/texts/a.txt", tmp_path / "home/texts/more/b.txt"]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("Some words.\n")
    path = tmp_path / "work/models/mine/recipe.toml"
    draft(path, "mine", files)
    recipe = recipes.load(path)
    assert [file.path for file in recipe.text.files] == ["a.txt", "more/b.txt"]
    assert [place.resolve() for place in recipe_files.text_paths(recipe, path)] == files


@pytest.mark.parametrize("name", ["caf\u00e9 \U0001f642.txt", "a\x7fb.txt", 'q"\\\t.txt'])
def test_a_drafted_recipe_names_any_file(tmp_path: Path, name: str) -> None:
    """A generated recipe finds files with any name."""
    text = tmp_path / name
    text.write_text("Some words.\n")
    path = tmp_path / "models/mine/recipe.toml"
    draft(path, "mine", [text])
    assert [place.resolve() for place in recipe_files.text_paths(recipes.load(path), path)] == [
        text
    ]


def test_a_draft_that_cannot_be_is_not_written(tmp_path: Path) -> None:
    """An invalid model name or a file name that is not UTF-8 leaves no files."""
    text = tmp_path / "a.txt"
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt"))
    for file in (text, odd):
        file.write_text("Some words.\n")
    path = tmp_path / "models/mine/recipe.toml"
    with pytest.raises(InvalidRecipe) as refused:
        draft(path, "Bad name", [text])
    assert refused.value.key == "name"
    with pytest.raises(InvalidFile, match="not UTF-8"):
        draft(path, "mine", [odd])
    assert not (tmp_path / "models").exists()


def test_a_drafted_recipe_continues_a_bundle(bundle: Path, tmp_path: Path) -> None:
    """Sizes and language are the bundle's; the learning rate is a third, with at most 4 passes."""
    version = Path(shutil.copytree(bundle, tmp_path / "models/tiny/1"))
    text = tmp_path / "mails.txt"
    text.write_text("A line of text, not too short.\n" * 1000)
    path = tmp_path / "models/mine/recipe.toml"
    with pytest.raises(InvalidBundle, match=r"has no weights\.safetensors; continue a version"):
        draft(path, "mine", [text], continued=version)
    assert not path.exists()
    (version / "weights.safetensors").write_bytes(b"")
    assert draft(path, "mine", [text], continued=version) == "en"
    recipe = recipes.load(path)
    sizes = bundles.read_manifest(version).network
    assert recipe.init_from == "../tiny/1"
    assert (recipe.network.layers, recipe.network.width) == (sizes.layers, sizes.width)
    assert (recipe.tokenizer.vocabulary, recipe.network.cutoffs) == (
        sizes.vocabulary,
        sizes.cutoffs,
    )
    assert recipe.training.learning_rate == 1e-3
    assert draft(path, "mine", [text], continued=version) == "en"
    with pytest.raises(InvalidRecipe, match=r"is already '\.\./tiny/1', --continue is ''"):
        draft(path, "mine", [text])


def test_a_continued_text_is_read_at_most_four_times(bundle: Path, tmp_path: Path) -> None:
    """From scratch the same text is read ten times, so the steps are 4/10 of those."""
    version = Path(shutil.copytree(bundle, tmp_path / "models/tiny/1"))
    (version / "weights.safetensors").write_bytes(b"")
    text = tmp_path / "mails.txt"
    text.write_text("A line of text, not too short.\n" * 20_000)
    draft(tmp_path / "scratch.toml", "mine", [text])
    draft(tmp_path / "continued.toml", "mine", [text], continued=version)
    scratch, continued = (
        recipes.load(tmp_path / f"{name}.toml").training for name in ("scratch", "continued")
    )
    assert continued.steps == pytest.approx(scratch.steps * 0.4, abs=1)


def test_the_tokens_per_step_are_expected_values(tmp_path: Path) -> None:
    """A fifth of the updates at half length read a tenth fewer tokens than batch times length."""
    assert _load(tmp_path, GOOD).expected_tokens_per_step == 40 * 35
    half = GOOD.replace("[training]", "[regularisation]\nhalf_length_share = 0.2\n[training]")
    assert _load(tmp_path, half).expected_tokens_per_step == pytest.approx(0.9 * 40 * 35)


def test_the_published_experiment_has_the_paper_s_sizes() -> None:
    """The AWD-LSTM of 33 million parameters; its small version differs in sizes and text only."""
    recipe, small = (recipes.load(WIKITEXT / f"{name}.toml") for name in ("recipe", "small"))
    sizes = NetworkConfig(33_278, 3, 400, (33_278,), hidden_width=1150)
    tokenizer = SimpleNamespace(size=33_278)
    assert sizes_of(recipe, cast(Vocabulary, tokenizer)) == sizes
    embedding, bias = 33_278 * 400, 33_278
    layers = 4 * (1150 * (400 + 1150 + 1) + 1150 * (1150 + 1150 + 1) + 400 * (1150 + 400 + 1))
    with torch.device("meta"):
        parameters = sum(part.numel() for part in Network(sizes).parameters())
    assert parameters == embedding + bias + layers == 33_545_278
    # 2,088,628 tokens in 80 columns; a segment has 0.95 * 70 + 0.05 * 35 tokens on average.
    assert recipe.training.steps / (2_088_628 / recipe.expected_tokens_per_step) == pytest.approx(
        750, rel=0.002
    )
    assert small.training.optimiser == recipe.training.optimiser == "sgd"
    assert small.training.order == recipe.training.order == "sequential"
