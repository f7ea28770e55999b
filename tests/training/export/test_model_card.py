"""The generated model card."""

import json
from pathlib import Path

import pytest
from tests.training.small_run import write_recipe

from wordgate.bundle.manifest import Manifest, TextSource
from wordgate.training import recipe as recipes
from wordgate.training.export import model_card
from wordgate.training.recipe import Recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """The small recipe."""
    return recipes.load(write_recipe(tmp_path))


@pytest.fixture
def manifest(bundle: Path) -> Manifest:
    """A manifest with metrics and texts under several licences."""
    document = json.loads((bundle / "bundle.json").read_text("utf-8"))
    found = Manifest.model_validate(document)
    text = (
        TextSource(name="wiki.txt", origin="https://w.example", licence="CC BY-SA 4.0"),
        TextSource(name="code.txt", origin="a manual", licence="GPL-2.0", weight=0.5),
        TextSource(name="books.txt", origin="a library", licence="public domain"),
    )
    figures = {"mails.word_perplexity": 123.456, "questions": 50, "mails.top1": 0.12345, "x": None}
    return found.model_copy(update={"text": text, "figures": figures})


def test_a_card_names_the_model_and_its_sizes(manifest: Manifest, recipe: Recipe) -> None:
    """The heading has name, version, precision, layers and vocabulary."""
    card = model_card.write(manifest, recipe)
    assert card.startswith("# tiny@1\n")
    assert "2 layers of width 32" in card
    assert f"{manifest.network.vocabulary:,} tokens, int8" in card


def test_all_figures_stand_in_it(manifest: Manifest, recipe: Recipe) -> None:
    """Each metric has a row with a rounded value."""
    card = model_card.write(manifest, recipe)
    assert "| mails.word_perplexity | 123.46 |" in card
    assert "| mails.top1 | 0.1235 |" in card or "| mails.top1 | 0.1234 |" in card
    assert "| questions | 50 |" in card


def test_distant_clues_have_a_table_of_their_own(manifest: Manifest, recipe: Recipe) -> None:
    """Figures of distant clues are one table and not rows among the other metrics."""
    assert "Two questions" not in model_card.write(manifest, recipe)
    figures = {
        f"distant_clues.{word}.{distance}.{clue}.probability": 0.25
        for word in ("sky", "french")
        for distance in (5, 20, 50, 100)
        for clue in ("with", "without")
    }
    figures["distant_clues.sky.5.with.rank"] = 3
    card = model_card.write(manifest.model_copy(update={"figures": figures}), recipe)
    assert "| sky | 5 | 25.00 % | 3 | 25.00 % | > 100 |" in card
    assert "distant_clues" not in card


def test_all_licences_stand_in_it(manifest: Manifest, recipe: Recipe) -> None:
    """Each file is listed with origin and licence; share-alike and copyleft texts are noted."""
    card = model_card.write(manifest, recipe)
    for source in manifest.text:
        assert f"| {source.name} | {source.weight:g} | {source.origin} | {source.licence} |" in card
    assert "under share-alike or copyleft licences: 2 (wiki.txt, code.txt)" in card


def test_what_people_wrote_stays_in_its_cell(manifest: Manifest, recipe: Recipe) -> None:
    """Bars and newlines in an origin do not break the table."""
    odd = TextSource(name="a|b.txt", origin="one\ntwo | three", licence="CC0")
    card = model_card.write(manifest.model_copy(update={"text": (odd,)}), recipe)
    assert "| a\\|b.txt | 1 | one two \\| three | CC0 |" in card


def test_what_is_not_known_has_no_row(manifest: Manifest, recipe: Recipe) -> None:
    """Unknown values have no row, for example `init_from` of a new model."""
    for begun, shown in ((None, False), ("models/en/1", True)):
        training = {"steps": 3, "init_from": begun}
        card = model_card.write(manifest.model_copy(update={"training": training}), recipe)
        assert ("init_from" in card) == shown


def test_free_text_needs_no_warning(manifest: Manifest, recipe: Recipe) -> None:
    """Without share-alike texts there is no note on them."""
    free = manifest.model_copy(update={"text": manifest.text[2:]})
    assert "share-alike" not in model_card.write(free, recipe)


def test_the_curves_are_shown_where_they_are(manifest: Manifest, recipe: Recipe) -> None:
    """The plot is linked only if the bundle contains it."""
    assert "curves.png" not in model_card.write(manifest, recipe)
    entry = next(iter(manifest.files.values()))
    with_curves = manifest.model_copy(update={"files": manifest.files | {"curves.png": entry}})
    assert "![Perplexity by step](curves.png)" in model_card.write(with_curves, recipe)


def test_lines_can_be_read(manifest: Manifest, recipe: Recipe) -> None:
    """No known number is printed as None."""
    card = model_card.write(manifest, recipe)
    assert "None" not in card.replace("| x | None |", "")
    assert card.endswith("\n")
    assert "\n\n\n" not in card


def test_only_what_was_kept_out_is_said_to_be(manifest: Manifest, recipe: Recipe) -> None:
    """The questions are described as excluded only if the recipe excludes their file."""
    assert "excluded" not in model_card.write(manifest, recipe)
    text = recipe.text.model_copy(update={"exclude": ("../../evaluation/cloze.tsv",)})
    excluding = recipe.model_copy(update={"text": text})
    assert "questions, excluded from the training text;" in model_card.write(manifest, excluding)


def test_the_steps_are_those_that_were_made(manifest: Manifest, recipe: Recipe) -> None:
    """The card states the checkpoint's steps, not the recipe's."""
    stopped = manifest.model_copy(update={"training": {"steps": 1234}})
    assert "recipe.toml`: 1,234 steps of 8 x 12" in model_card.write(stopped, recipe)
