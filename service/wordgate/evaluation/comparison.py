"""Compare two models on the same texts or messages, with a paired bootstrap.

Koehn 2004, "Statistical significance tests for machine translation evaluation". The intervals cover
the choice of the texts only, not that of the training's seed.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wordgate.evaluation import perplexity
from wordgate.evaluation.bootstrap import FEWEST, Array, percentiles, resampled_sums
from wordgate.evaluation.keystroke_savings import Savings
from wordgate.evaluation.perplexity import Surprisal, perplexity_of

Verdict = Literal["better", "worse", "no difference shown", "too few to tell"]

_CONFIDENT = 0.975
"""Share of resamples on one side of zero, so that the 95 % interval excludes zero."""


@dataclass(frozen=True)
class Change:
    """One figure of both models, and the change from old to new with its 95 % interval."""

    old: float
    new: float
    change: float
    interval: list[float]


@dataclass(frozen=True)
class Comparison:
    """Figures of two models by name, over `units` texts or messages.

    `share_better` and `share_worse` are the shares of resamples in which the new model is better
    and worse; the others are ties.
    """

    figures: dict[str, Change]
    share_better: float
    share_worse: float
    units: int

    @property
    def verdict(self) -> Verdict:
        """Whether the new model is better at 95 % confidence."""
        if self.units < FEWEST:
            return "too few to tell"
        if self.share_better >= _CONFIDENT:
            return "better"
        return "worse" if self.share_worse >= _CONFIDENT else "no difference shown"


def compare_texts(old: Sequence[Surprisal], new: Sequence[Surprisal]) -> Comparison:
    """Compare perplexities per word and per character, and bits per byte, of the same texts.

    Changes are relative: -0.05 is 5 % less. The verdict is the same per word, character and byte,
    because these are counted in the texts and not by the tokenizers.
    """
    lost, now_lost = (_column(-text.log_prob for text in texts) for texts in (old, new))
    words, characters = _column(text.words for text in old), _column(t.characters for t in old)
    before, after, words, characters = resampled_sums(lost, now_lost, words, characters)
    first, last = perplexity.total(old), perplexity.total(new)
    figures = {
        "word_perplexity": _relative(
            _perplexities((first, last), first.words), np.exp((after - before) / words)
        ),
        "character_perplexity": _relative(
            _perplexities((first, last), first.characters), np.exp((after - before) / characters)
        ),
        "bits_per_byte": _relative(
            tuple(-each.log_prob / math.log(2) / first.bytes for each in (first, last)),
            after / before,
        ),
    }
    return _comparison(figures, before - after, len(old))


def compare_messages(old: Sequence[Savings], new: Sequence[Savings]) -> Comparison:
    """Compare keystroke savings on the same messages. Changes are differences of the savings.

    The verdict is that of the case-sensitive savings.
    """
    characters = _column(message.characters for message in old)
    keys = [_column(message.keys for message in messages) for messages in (old, new)]
    any_case = [
        _column(message.keys_ignoring_case for message in messages) for messages in (old, new)
    ]
    sums = resampled_sums(*keys, *any_case, characters)
    figures = {
        "keystroke_savings": _saved(keys, characters, sums[[0, 1, 4]]),
        "keystroke_savings_case_insensitive": _saved(any_case, characters, sums[[2, 3, 4]]),
    }
    return _comparison(figures, sums[0] - sums[1], len(old))


def _comparison(figures: dict[str, Change], gains: Array, units: int) -> Comparison:
    return Comparison(figures, float((gains > 0).mean()), float((gains < 0).mean()), units)


def _perplexities(totals: Iterable[Surprisal], count: int) -> tuple[float, ...]:
    return tuple(perplexity_of(-each.log_prob, count) for each in totals)


def _relative(values: tuple[float, ...], ratios: Array) -> Change:
    """Return a relative change, from both values and the resampled ratios."""
    old, new = values
    return Change(old, new, new / old - 1, percentiles(ratios - 1))


def _saved(keys: Sequence[Array], characters: Array, sums: Array) -> Change:
    """Return the difference of savings, from keys and the resampled [old, new, characters]."""
    old, new = (1 - float(each.sum() / characters.sum()) for each in keys)
    return Change(old, new, new - old, percentiles((sums[0] - sums[1]) / sums[2]))


def _column(values: Iterable[float]) -> Array:
    return np.array(list(values), dtype=np.float64)
