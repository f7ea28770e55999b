"""The history rule: how much of what was said before is read, and from where.

Knows words, pieces and what to ask of a model. The rule makes long texts affordable and replicas
equal: with n words of history and anchors every 128 words, the context begins at the anchor
before the last one reached, so 128 to 255 words are read (all of them in a shorter history) from
the zero state that reads `<eos>`. Candidates and continuations read on from there.
"""

from collections.abc import Sequence

from wordgate.core import words
from wordgate.core.asks import Advance, Asks, State
from wordgate.core.pieces import EOS, Pieces
from wordgate.core.state_store import StateStore, chain_hashes
from wordgate.core.text import normalise

ANCHOR_WORDS = 128
_KEPT_LAST = 8
_KEPT_EVERY = 32


def context_start(word_count: int) -> int:
    """Which word of a history of `word_count` words the context begins with."""
    return max(0, word_count // ANCHOR_WORDS - 1) * ANCHOR_WORDS


def read(pieces: Pieces, history: str, store: StateStore) -> Asks[State]:
    """The state after a history, which is normalised and cut here.

    What the store still knows is not read again. Raises `InvalidInput` naming `history`.
    """
    found = words.split(normalise(history, "history"))
    context = found[context_start(len(found)) :]
    return (yield from read_words([pieces.encode_word(word) for word in context], store))


def read_words(context: Sequence[Sequence[int]], store: StateStore) -> Asks[State]:
    """The state after `<eos>` and these words, each given as its pieces."""
    sequence = [EOS, *(piece for word in context for piece in word)]
    keys = chain_hashes(store.seed, sequence)
    state, done = store.longest(keys)
    kept = _kept_places(context)
    for place in range(done, len(sequence)):
        [state] = yield Advance([(state, sequence[place])])
        if place in kept:
            state = store.keep(keys[place], state)
    return state


def _kept_places(context: Sequence[Sequence[int]]) -> set[int]:
    """Places whose states are worth keeping: ends of the last words and of some before."""
    kept = {0}
    place = 0
    for number, word in enumerate(context, 1):
        place += len(word)
        if number % _KEPT_EVERY == 0 or len(context) - number < _KEPT_LAST:
            kept.add(place)
    return kept
