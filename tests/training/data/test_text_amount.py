"""The report on the amount of text before a training run."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.training.small_run import write_recipe

from wordgate.training import recipe as recipes
from wordgate.training.data import text_amount
from wordgate.training.data.token_cache import TokenFile, TokenisedText


def _text(words: int) -> TokenisedText:
    """Return a text of `words` words of two tokens each."""
    tokenizer: Any = SimpleNamespace(ends_word=np.array([False, True]))
    file = TokenFile(
        np.tile(np.array([0, 1], np.uint16), words), np.array([0, 2 * words], np.uint64)
    )
    none = TokenFile(np.zeros(0, np.uint16), np.array([0], np.uint64))
    return TokenisedText(tokenizer, [file], [none], "key")


@pytest.mark.parametrize(
    ("words", "times", "verdict", "advice"),
    [
        (100, "about 72.0 passes", "enough text: no", "30 steps make 10 passes"),
        (7_200, "about 1.0 passes", "enough text: no", ""),
        (
            200_000,
            "4% of one pass",
            "enough text: for its own phrases",
            "4,167 steps make one pass",
        ),
        (
            2_000_000,
            "0% of one pass",
            "enough text: yes",
            "41,667 steps make one pass over the text",
        ),
    ],
)
def test_the_report_compares_text_and_recipe(
    tmp_path: Path, words: int, times: str, verdict: str, advice: str
) -> None:
    """150 steps of 8 columns of 12 tokens read 14,400 tokens."""
    recipe = recipes.load(write_recipe(tmp_path))
    said = list(text_amount.describe(_text(words), recipe))
    assert said[0] == f"text: {words:,} words for training, 0 held out"
    assert said[1] == f"recipe: 150 steps read 14,400 tokens; the text has {2 * words:,} ({times})"
    assert said[2].startswith(verdict)
    assert advice in " ".join(said[3:])
    assert bool(said[3:]) == bool(advice)


def test_a_continued_version_needs_little_text(tmp_path: Path) -> None:
    """A run with `init_from` is told that a small text is enough."""
    change = ('name = "small"', 'name = "small"\ninit_from = "models/en/3"')
    recipe = recipes.load(write_recipe(tmp_path, change))
    said = list(text_amount.describe(_text(7_200), recipe))
    assert said[2] == "enough text: yes, continues models/en/3, so a small text is enough"


def test_a_regularised_recipe_may_read_its_text_often(tmp_path: Path) -> None:
    """Regularisation is for text that is read many times, so 72 passes are no reason to warn."""
    change = ("\n[training]", "\n[regularisation]\nweight_drop = 0.5\n[training]")
    recipe = recipes.load(write_recipe(tmp_path, change))
    assert not [line for line in text_amount.describe(_text(100), recipe) if "memoris" in line]
