"""Say whether there is enough text for a training: what there is against what the recipe reads."""

from collections.abc import Iterator

import numpy as np

from wordgate.training.data.token_cache import PieceFile, TokenisedText
from wordgate.training.recipe import Recipe

VERY_LITTLE_WORDS = 100_000
LITTLE_WORDS = 1_000_000
MOST_READINGS = 10


def describe(text: TokenisedText, recipe: Recipe) -> Iterator[str]:
    """Yield lines for a person: the amount of text, how often it is read, and what that means."""
    words = _words(text, text.train)
    pieces = sum(len(file.pieces) for file in text.train)
    plan = recipe.training
    read = plan.steps * plan.batch * plan.length
    times = read / max(pieces, 1)
    yield f"text: {words:,} words to train on, {_words(text, text.held_out):,} held out to measure"
    yield (
        f"recipe: {plan.steps:,} steps read {read:,} pieces of the text's {pieces:,}, "
        f"{_readings(times)}"
    )
    yield from _verdict(words, recipe)
    steps_once = -(-pieces // (plan.batch * plan.length))
    if times > MOST_READINGS:
        yield (
            f"training.steps is high: text that is read more than {MOST_READINGS} times is learnt "
            f"by heart; {steps_once * MOST_READINGS:,} steps read it {MOST_READINGS} times"
        )
    elif times < 1:
        yield f"training.steps is low: {steps_once:,} steps read the whole text once"


def _verdict(words: int, recipe: Recipe) -> Iterator[str]:
    if recipe.init_from:
        yield f"enough text? it continues {recipe.init_from}, so a little text is enough"
    elif words < VERY_LITTLE_WORDS:
        yield (
            "enough text? no: expect little more than its commonest words; use a million words, "
            "or continue a published version (init_from)"
        )
    elif words < LITTLE_WORDS:
        yield (
            "enough text? for its own phrases, not for the language; use a million words, or "
            "continue a published version (init_from)"
        )
    else:
        yield "enough text? yes, for text of the same kind; more text helps more than more steps"


def _readings(times: float) -> str:
    return f"{times:.0%} of it once" if times < 1 else f"each about {times:,.1f} times"


def _words(text: TokenisedText, files: list[PieceFile]) -> int:
    """Words and marks: pieces that end one."""
    ends = text.pieces.ends_word
    counts = (file.counts(len(ends)) for file in files)
    return sum(int(np.dot(each, ends)) for each in counts)
