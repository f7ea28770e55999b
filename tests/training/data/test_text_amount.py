"""Whether there is enough text for a training, said before it begins."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.training.small_run import write_recipe

from wordgate.training import recipe as recipes
from wordgate.training.data import text_amount
from wordgate.training.data.token_cache import PieceFile, TokenisedText


def _text(words: int) -> TokenisedText:
    """Some words of two pieces each; the second ends the word."""
    pieces: Any = SimpleNamespace(ends_word=np.array([False, True]))
    file = PieceFile(
        np.tile(np.array([0, 1], np.uint16), words), np.array([0, 2 * words], np.uint64)
    )
    none = PieceFile(np.zeros(0, np.uint16), np.array([0], np.uint64))
    return TokenisedText(pieces, [file], [none], "key")


@pytest.mark.parametrize(
    ("words", "times", "verdict", "advice"),
    [
        (100, "each about 72.0 times", "enough text? no", "30 steps read it 10 times"),
        (7_200, "each about 1.0 times", "enough text? no", ""),
        (
            200_000,
            "4% of it once",
            "enough text? for its own phrases",
            "4,167 steps read the whole",
        ),
        (2_000_000, "0% of it once", "enough text? yes", "41,667 steps read the whole text once"),
    ],
)
def test_words_are_set_against_what_the_recipe_reads(
    tmp_path: Path, words: int, times: str, verdict: str, advice: str
) -> None:
    """150 steps of 8 columns of 12 pieces read 14,400 pieces."""
    recipe = recipes.load(write_recipe(tmp_path))
    said = list(text_amount.describe(_text(words), recipe))
    assert said[0] == f"text: {words:,} words to train on, 0 held out to measure"
    assert said[1] == (f"recipe: 150 steps read 14,400 pieces of the text's {2 * words:,}, {times}")
    assert said[2].startswith(verdict)
    assert advice in " ".join(said[3:])
    assert bool(said[3:]) == bool(advice)


def test_a_continued_version_needs_little_text(tmp_path: Path) -> None:
    """It knows the language already."""
    change = ('name = "small"', 'name = "small"\ninit_from = "models/en/3"')
    recipe = recipes.load(write_recipe(tmp_path, change))
    said = list(text_amount.describe(_text(7_200), recipe))
    assert said[2] == "enough text? it continues models/en/3, so a little text is enough"
