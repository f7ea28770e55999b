"""The history rule: how much of what was said before is read, and from where.

Knows words, pieces and what to ask of a model. The rule makes long texts affordable and replicas
equal: with n words of history and anchors every 128 words, the context begins at the anchor
before the last one reached, so 128 to 255 words are read (all of them in a shorter history) from
the zero state that reads `<eos>`. Candidates and continuations read on from there.
"""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain

from wordgate.core import words
from wordgate.core.asks import SHORT_ROUND, Advance, Asks, Pace, State
from wordgate.core.known import Context
from wordgate.core.pieces import EOS, Pieces
from wordgate.core.state_store import StateStore, chain_hashes, hashing
from wordgate.core.steps import Steps
from wordgate.core.text import normalising, refuse_surrogates

ANCHOR_WORDS = 128
_KEPT_LAST = 8
_KEPT_EVERY = 32
_LOOKED_UP = 1024


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
        pace = Pace(SHORT_ROUND)
        words_read = yield from pace.run(_context(pieces, history))
        context = yield from read_words_context(words_read, store)
        store.keep_key_of_text(digest, context.key)
        return context
    return Context(key, state)


def read_ahead(pieces: Pieces, history: str, store: StateStore) -> Asks[None]:
    """Have the store know the context behind the next anchor, as far as the history goes.

    Does nothing far from it. When the anchor is crossed nothing is left to read but its last words.
    """
    pace = Pace(SHORT_ROUND)
    found = yield from pace.run(_all_words(history))
    after = len(found) % ANCHOR_WORDS
    start = context_start(len(found) + ANCHOR_WORDS)
    if start and after >= ANCHOR_WORDS // 2:
        ahead = yield from pace.run(pieces.encoding_each(found[start:]))
        yield from read_words(ahead, store)


def _all_words(history: str) -> Steps[list[str]]:
    """The words of a history, in normal form."""
    normal = yield from normalising(history, "history")
    return (yield from words.splitting(normal))


def _context_words(history: str) -> Steps[list[str]]:
    """The words that the rule has read."""
    found = yield from _all_words(history)
    return found[context_start(len(found)) :]


def _context(pieces: Pieces, history: str) -> Steps[list[tuple[int, ...]]]:
    """The words that the rule has read, each as its pieces."""
    found = yield from _context_words(history)
    return (yield from pieces.encoding_each(found))


def read_words(context: Sequence[Sequence[int]], store: StateStore) -> Asks[State]:
    """The state after `<eos>` and these words, each given as its pieces."""
    return (yield from read_words_context(context, store)).state


def read_words_context(context: Sequence[Sequence[int]], store: StateStore) -> Asks[Context]:
    """The same with its key."""
    sequence = [EOS, *chain.from_iterable(context)]
    pace = Pace(SHORT_ROUND)
    if len(sequence) <= _LOOKED_UP:
        keys = chain_hashes(store.seed, sequence)
        state, done = store.longest(keys)
    else:
        keys = yield from pace.run(hashing(store.seed, sequence))
        state, done = yield from pace.run(_longest(keys, store))
    kept = _kept_places(context)
    for place in range(done, len(sequence)):
        [state] = yield Advance([(state, sequence[place])])
        if place in kept:
            state = store.keep(keys[place], state)
    return Context(keys[-1], state)


def _longest(keys: Sequence[bytes], store: StateStore) -> Steps[tuple[State, int]]:
    """As `StateStore.longest`, in steps."""
    for first in range(((len(keys) - 1) // _LOOKED_UP) * _LOOKED_UP, -1, -_LOOKED_UP):
        state, done = store.longest(keys[first : first + _LOOKED_UP])
        if done or not first:
            return state, first + done if done else 0
        yield _LOOKED_UP // 2
    return store.longest(())


def read_each(
    pieces: Pieces, history: str, store: StateStore
) -> Asks[tuple[list[Context], list[str]]]:
    """The words that the rule has read, and the context before each and after the last."""
    found = yield from Pace(SHORT_ROUND).run(_context_words(history))
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
