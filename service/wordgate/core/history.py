"""The history rule: how much of what was said before is read, and from where.

Knows words, pieces and what to ask of a model. The rule makes long texts affordable and replicas
equal: with n words of history and anchors every 128 words, the context begins at the anchor
before the last one reached, so 128 to 255 words are read (all of them in a shorter history) from
the zero state that reads `<eos>`. Candidates and continuations read on from there.
"""

from collections.abc import Sequence
from hashlib import blake2b

from wordgate.core import words
from wordgate.core.asks import Advance, Asks, State
from wordgate.core.known import Context
from wordgate.core.pieces import EOS, Pieces
from wordgate.core.state_store import StateStore, chain_hashes
from wordgate.core.text import normalise, refuse_surrogates

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
    return (yield from read_context(pieces, history, store)).state


def read_context(pieces: Pieces, history: str, store: StateStore) -> Asks[Context]:
    """The same with its key. A history that was read before is not even cut again."""
    refuse_surrogates(history, "history")
    digest = blake2b(history.encode("utf-8"), digest_size=16).digest()
    key = store.key_of_text(digest)
    state = store.state(key) if key is not None else None
    if key is None or state is None:
        context = yield from read_words_context(_context(pieces, history), store)
        store.keep_key_of_text(digest, context.key)
        return context
    return Context(key, state)


def read_ahead(pieces: Pieces, history: str, store: StateStore) -> Asks[None]:
    """Have the store know the context behind the next anchor, as far as the history goes.

    Does nothing far from it. When the anchor is crossed nothing is left to read but its last words.
    """
    found = words.split(normalise(history, "history"))
    after = len(found) % ANCHOR_WORDS
    start = context_start(len(found) + ANCHOR_WORDS)
    if start and after >= ANCHOR_WORDS // 2:
        yield from read_words([pieces.encode_word(word) for word in found[start:]], store)


def _context(pieces: Pieces, history: str) -> list[tuple[int, ...]]:
    """The words that the rule has read, each as its pieces."""
    found = words.split(normalise(history, "history"))
    return [pieces.encode_word(word) for word in found[context_start(len(found)) :]]


def read_words(context: Sequence[Sequence[int]], store: StateStore) -> Asks[State]:
    """The state after `<eos>` and these words, each given as its pieces."""
    return (yield from read_words_context(context, store)).state


def read_words_context(context: Sequence[Sequence[int]], store: StateStore) -> Asks[Context]:
    """The same with its key."""
    sequence = [EOS, *(piece for word in context for piece in word)]
    keys = chain_hashes(store.seed, sequence)
    state, done = store.longest(keys)
    kept = _kept_places(context)
    for place in range(done, len(sequence)):
        [state] = yield Advance([(state, sequence[place])])
        if place in kept:
            state = store.keep(keys[place], state)
    return Context(keys[-1], state)


def read_each(
    pieces: Pieces, history: str, store: StateStore
) -> Asks[tuple[list[Context], list[str]]]:
    """The words that the rule has read, and the context before each and after the last."""
    found = words.split(normalise(history, "history"))
    found = found[context_start(len(found)) :]
    context = yield from read_words_context([], store)
    contexts = [context]
    for word in found:
        context = yield from _read_word(pieces.encode_word(word), context, store)
        contexts.append(context)
    return contexts, found


def _read_word(word: Sequence[int], before: Context, store: StateStore) -> Asks[Context]:
    """The context behind a word, which is kept."""
    key = before.key_after(word)
    state = store.state(key)
    if state is not None:
        return Context(key, state)
    state = before.state
    for piece in word:
        [state] = yield Advance([(state, piece)])
    return Context(key, store.keep(key, state))


def _kept_places(context: Sequence[Sequence[int]]) -> set[int]:
    """Places whose states are worth keeping: ends of the last words and of some before."""
    kept = {0}
    place = 0
    for number, word in enumerate(context, 1):
        place += len(word)
        if number % _KEPT_EVERY == 0 or len(context) - number < _KEPT_LAST:
            kept.add(place)
    return kept
