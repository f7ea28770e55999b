"""Training masks: what a model has read in the place of private data, which nobody means.

Knows masks, words and what to ask of a model; does not know who is asking. A model that was trained
with `someone@example.com` in the place of all addresses takes `someone` for likely after "email me
at". The word itself is an ordinary one, so it is left out only where a mask is likely to follow.
"""

import math
from collections.abc import Mapping, Sequence

from wordgate.core import words
from wordgate.core.asks import Asks
from wordgate.core.favoured import word_log_prob
from wordgate.core.known import Context, advance
from wordgate.core.levels import Levels
from wordgate.core.pieces import Pieces
from wordgate.core.state_store import StateStore
from wordgate.core.text import normalise

MASK_PROBABILITY = 0.1
"""Where the rests of masks have this probability after a word, the word is their beginning."""

_SURE_WORDS = 2
"""So many words of a mask before the cursor are no chance: `555 -`, but not `example`."""

_SEVERAL = 100
"""Rests of a hundredth of that are not counted."""

_LOOKED_AT = 256


class Masks:
    """Masks as words in normal form: `("someone", "@", "example", ".", "com")`.

    Text without punctuation has them without their marks.
    """

    def __init__(self, masks: Sequence[tuple[str, ...]] = ()) -> None:
        bare = (tuple(w for w in mask if not words.is_punctuation(w)) for mask in masks)
        self._masks = tuple(dict.fromkeys([*masks, *filter(None, bare)]))

    def rests_at(self, history: str) -> Mapping[str, Sequence[tuple[str, ...]]]:
        """What a mask would go on with behind each word that may be one's next word here.

        An empty rest says that the word is one's next word whatever the model says.
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
    pieces: Pieces,
    levels: Levels,
    start: Context,
    word: str,
    rests: Sequence[tuple[str, ...]],
    store: StateStore,
) -> Asks[bool]:
    """Whether a word after `start` is likely to go on to any of the rests."""
    if not all(rests):
        return True
    context = yield from _read(pieces, start, word, store)
    probability = 0.0
    for rest in rests:
        probability += yield from _probability(pieces, levels, context, rest, store)
    return probability >= MASK_PROBABILITY


def _probability(
    pieces: Pieces, levels: Levels, start: Context, rest: Sequence[str], store: StateStore
) -> Asks[float]:
    """The probability of these words, or 0 where their beginning is unlikely enough."""
    log_prob, context = 0.0, start
    for place, word in enumerate(rest):
        log_prob += yield from word_log_prob(pieces, levels, context, word, store)
        if log_prob < math.log(MASK_PROBABILITY / _SEVERAL):
            return 0.0
        if place < len(rest) - 1:
            context = yield from _read(pieces, context, word, store)
    return math.exp(log_prob)


def _read(pieces: Pieces, start: Context, word: str, store: StateStore) -> Asks[Context]:
    context = start
    for piece in pieces.encode_word(word):
        [context] = yield from advance(store, [(context, piece)])
    return context
