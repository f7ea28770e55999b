"""Training masks: fixed texts that replaced private data in the training text.

Masks must not be suggested. A model trained with `someone@example.com` in place of every address
gives `someone` a high probability after "email me at". `someone` is also an ordinary word, so it is
suppressed only where the rest of a mask is likely to follow.
"""

import math
from collections.abc import Mapping, Sequence

from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.requests import ModelTask
from wordgate.text import words
from wordgate.text.normalization import normalise

MASK_PROBABILITY = 0.1
"""A word is suppressed if a mask continues after it with at least this probability."""

_SURE_WORDS = 2
"""After this many words of a mask, the next one is always suppressed (`555 -`, not `example`)."""

_SEVERAL = 100
"""A mask's probability is rounded to 0 below `MASK_PROBABILITY` divided by this."""

_LOOKED_AT = 256


class Masks:
    """The training masks as words in normal form: `("someone", "@", "example", ".", "com")`.

    Each mask also counts without its punctuation, as in text that has none.
    """

    def __init__(self, masks: Sequence[tuple[str, ...]] = ()) -> None:
        bare = (tuple(w for w in mask if not words.is_punctuation(w)) for mask in masks)
        self._masks = tuple(dict.fromkeys([*masks, *filter(None, bare)]))

    def rests_at(self, history: str) -> Mapping[str, Sequence[tuple[str, ...]]]:
        """Return, for each word that may continue a mask here, the words of the mask after it.

        If these are empty, the word is suppressed without a model request.
        """
        found: dict[str, list[tuple[str, ...]]] = {}
        if not self._masks:
            return found
        before = words.split(normalise(history[-_LOOKED_AT:]))
        for mask in self._masks:
            for length in range(len(mask)):
                if length <= len(before) and before[len(before) - length :] == [*mask[:length]]:
                    rest = () if length >= _SURE_WORDS else mask[length + 1 :]
                    found.setdefault(mask[length], []).append(rest)
        return found


def begins_mask(
    queries: CachedQueries, start: HashedState, word: str, rests: Sequence[tuple[str, ...]]
) -> ModelTask[bool]:
    """Return whether a word after `start` is likely to be followed by one of `rests`."""
    if not all(rests):
        return True
    context = yield from queries.read_word(start, word)
    probability = 0.0
    for rest in rests:
        probability += yield from _probability(queries, context, rest)
    return probability >= MASK_PROBABILITY


def _probability(
    queries: CachedQueries, context: HashedState, rest: Sequence[str]
) -> ModelTask[float]:
    """Return the probability of these words, or 0 once it is negligible."""
    log_prob = 0.0
    for index, word in enumerate(rest):
        log_prob += yield from queries.word_log_prob(context, word)
        if log_prob < math.log(MASK_PROBABILITY / _SEVERAL):
            return 0.0
        if index < len(rest) - 1:
            context = yield from queries.read_word(context, word)
    return math.exp(log_prob)
