"""Metadata inherited from `init_from`."""

import shutil
from pathlib import Path

import pytest
from tests.bundles import NEVER, WRITTEN, rewrite_manifest
from tests.training.test_recipe import GOOD

from wordgate.errors import ExportError
from wordgate.training import recipe as recipes
from wordgate.training.export.lineage import Inheritance, inherit
from wordgate.training.recipe import Recipe


def _recipe(folder: Path, init_from: str, text: str = GOOD) -> tuple[Recipe, Path]:
    path = folder / "recipe.toml"
    path.write_text(f'init_from = "{init_from}"\n{text}', encoding="utf-8")
    return recipes.load(path), path


def test_words_and_texts_of_the_version_before_are_taken_over(bundle: Path, tmp_path: Path) -> None:
    """Written forms, never-suggested words and texts with licences are inherited."""
    found = inherit(*_recipe(tmp_path, str(bundle)))
    assert found.written == WRITTEN
    assert found.never_suggested == set(NEVER)
    [text] = found.text
    assert (text.name, text.licence) == ("tiny@1: none", "Apache-2.0")


def test_a_text_that_is_read_again_is_named_once(bundle: Path, tmp_path: Path) -> None:
    """A file with the same origin and licence is listed once."""
    again = 'path = "none", origin = "drawn at random", licence = "Apache-2.0"'
    text = GOOD.replace('path = "a.txt", weight = 2, origin = "own", licence = "CC0"', again)
    assert inherit(*_recipe(tmp_path, str(bundle), text)).text == ()


def test_without_a_version_before_there_is_nothing(tmp_path: Path) -> None:
    """A recipe without `init_from` inherits nothing."""
    assert inherit(*_recipe(tmp_path, "")) == Inheritance(text=())


def test_a_version_that_is_gone_is_missed(tmp_path: Path) -> None:
    """A missing earlier version is an error, since its licences would be lost."""
    with pytest.raises(ExportError, match="its words and the licences"):
        inherit(*_recipe(tmp_path, str(tmp_path / "gone" / "1")))


def test_texts_keep_the_first_version_that_read_them(bundle: Path, tmp_path: Path) -> None:
    """A text keeps the name of the first version that read it."""
    copy = Path(shutil.copytree(bundle, tmp_path / "tiny" / "2"))
    source = {"name": "en@1: a.txt", "origin": "o", "licence": "l", "weight": 1.0}
    rewrite_manifest(copy, version=2, text=[source])
    [text] = inherit(*_recipe(tmp_path, str(copy))).text
    assert text.name == "en@1: a.txt"
