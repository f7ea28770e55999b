"""Training masks: fixed texts that stood for private data in the training text.

Masks must not be suggested. A model trained with `someone@example.com` in place of every address
gives `someone` a high probability after "email me at". The word itself is an ordinary one, so it is
left out only where the rest of a mask is likely to follow.
"""

import math
from collections.abc import Mapping, Sequence

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import HashedState, advance, word_log_prob
from wordgate.lm.requests import ModelTask
from wordgate.lm.state_store import StateStore
from wordgate.lm.tokenizer import Tokenizer
from wordgate.text import words
from wordgate.text.normalization import normalise

MASK_PROBABILITY = 0.1
"""A word whose masks continue with this probability or more is left out as their beginning."""

_SURE_WORDS = 2
"""After this many words of a mask its next word is always left out: `555 -`, but not `example`."""

_SEVERAL = 100
"""A mask counts as 0 once its probability falls below `MASK_PROBABILITY` divided by this."""

_LOOKED_AT = 256


class Masks:
    """Masks as words in normal form: `("someone", "@", "example", ".", "com")`.

    Text without punctuation has them without their marks.
    """

    def __init__(self, masks: Sequence[tuple[str, ...]] = ()) -> None:
        bare = (tuple(w for w in mask if not words.is_punctuation(w)) for mask in masks)
        self._masks = tuple(dict.fromkeys([*masks, *filter(None, bare)]))

    def rests_at(self, history: str) -> Mapping[str, Sequence[tuple[str, ...]]]:
        """Return, for each word that may continue a mask here, the words that would follow it.

        Where these are empty the word is left out without asking the model.
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
    pieces: Tokenizer,
    levels: AdaptiveSoftmaxLayout,
    start: HashedState,
    word: str,
    rests: Sequence[tuple[str, ...]],
    store: StateStore,
) -> ModelTask[bool]:
    """Return whether a word after `start` is likely to be followed by any of the rests."""
    if not all(rests):
        return True
    context = yield from _read(pieces, start, word, store)
    probability = 0.0
    for rest in rests:
        probability += yield from _probability(pieces, levels, context, rest, store)
    return probability >= MASK_PROBABILITY


def _probability(
    pieces: Tokenizer,
    levels: AdaptiveSoftmaxLayout,
    start: HashedState,
    rest: Sequence[str],
    store: StateStore,
) -> ModelTask[float]:
    """The probability of these words, or 0 where their beginning is unlikely enough."""
    log_prob, context = 0.0, start
    for place, word in enumerate(rest):
        log_prob += yield from word_log_prob(pieces, levels, context, word, store)
        if log_prob < math.log(MASK_PROBABILITY / _SEVERAL):
            return 0.0
        if place < len(rest) - 1:
            context = yield from _read(pieces, context, word, store)
    return math.exp(log_prob)


def _read(
    pieces: Tokenizer, start: HashedState, word: str, store: StateStore
) -> ModelTask[HashedState]:
    context = start
    for piece in pieces.encode_word(word):
        [context] = yield from advance(store, [(context, piece)])
    return context
