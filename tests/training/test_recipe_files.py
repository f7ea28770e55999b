"""The files that a recipe names."""

import tomllib
from pathlib import Path

import pytest
from tests.training.test_recipe import GOOD

from wordgate.errors import InvalidRecipe
from wordgate.training import recipe as recipes
from wordgate.training import recipe_files

LISTING = GOOD.replace("[text]", '[text]\nnever_suggested = "never.txt"')


def test_words_never_suggested_are_in_normal_form(tmp_path: Path) -> None:
    """Lines are normalised words or phrases; comments and empty lines are skipped."""
    recipe = recipes.parse(tomllib.loads(LISTING), tmp_path / "recipe.toml")
    never = tmp_path / "never.txt"
    never.write_text(
        "# words\n\nDamn\u2019d\n \ufb01e \nI\u0307\nWell-known\n北京\n", encoding="utf-8"
    )
    found = recipe_files.never_suggested(recipe, tmp_path / "recipe.toml")
    assert found == ["damn'd", "fie", "i\u0307", "well - known", "北 京"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"one\n" + b"word " * 17 + b"\n", "has 17 words; the limit is 16"),
        (b"\xc2\xad\n", "never.txt:1: '\\xad' has 0 words"),
        (b"\xff\n", "never.txt:1: is not UTF-8"),
        (None, "never.txt: does not exist"),
    ],
)
def test_a_line_that_cannot_be_listed_is_named(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    """A line that can never match is reported with file and line."""
    recipe = recipes.parse(tomllib.loads(LISTING), tmp_path / "recipe.toml")
    if content is not None:
        (tmp_path / "never.txt").write_bytes(content)
    with pytest.raises(InvalidRecipe) as refused:
        recipe_files.never_suggested(recipe, tmp_path / "recipe.toml")
    assert refused.value.key == "text.never_suggested"
    assert problem in refused.value.problem
