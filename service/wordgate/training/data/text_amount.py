"""Assess whether a text is large enough: compare its size with what the recipe reads."""

import math
from collections.abc import Iterator

import numpy as np

from wordgate.training.data.token_cache import TokenFile, TokenisedText
from wordgate.training.recipe import Recipe, Regularisation

VERY_LITTLE_WORDS = 100_000
LITTLE_WORDS = 1_000_000
MAX_READINGS = 10


def describe(text: TokenisedText, recipe: Recipe) -> Iterator[str]:
    """Yield report lines: amount of text, number of passes over it, and an assessment."""
    words = _words(text, text.train)
    tokens = sum(len(file.tokens) for file in text.train)
    plan = recipe.training
    read = round(plan.steps * recipe.expected_tokens_per_step)
    times = read / max(tokens, 1)
    yield f"text: {words:,} words for training, {_words(text, text.held_out):,} held out"
    yield (
        f"recipe: {plan.steps:,} steps read {read:,} tokens; the text has {tokens:,} "
        f"({_readings(times)})"
    )
    yield from _verdict(words, recipe)
    steps_once = math.ceil(tokens / recipe.expected_tokens_per_step)
    if times > MAX_READINGS and recipe.regularisation == Regularisation():
        yield (
            f"training.steps is high: more than {MAX_READINGS} passes over a text lead to "
            f"memorisation; {steps_once * MAX_READINGS:,} steps make {MAX_READINGS} passes"
        )
    elif times < 1:
        yield f"training.steps is low: {steps_once:,} steps make one pass over the text"


def _verdict(words: int, recipe: Recipe) -> Iterator[str]:
    if recipe.init_from:
        yield f"enough text: yes, continues {recipe.init_from}, so a small text is enough"
    elif words < VERY_LITTLE_WORDS:
        yield (
            "enough text: no, expect little more than the most common words; use a million words "
            "or continue a published version (init_from)"
        )
    elif words < LITTLE_WORDS:
        yield (
            "enough text: for its own phrases, not for the language; use a million words or "
            "continue a published version (init_from)"
        )
    else:
        yield "enough text: yes, for text of the same kind; more text helps more than more steps"


def _readings(times: float) -> str:
    return f"{times:.0%} of one pass" if times < 1 else f"about {times:,.1f} passes"


def _words(text: TokenisedText, files: list[TokenFile]) -> int:
    """Count words and punctuation marks: tokens that end a word."""
    ends = text.tokenizer.ends_word
    counts = (file.counts(len(ends)) for file in files)
    return sum(int(np.dot(each, ends)) for each in counts)
