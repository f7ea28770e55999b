"""The history rule: how much of what was said before is read, and from where.

Knows words, pieces and what to ask of a model. The rule makes long texts affordable and replicas
equal. A history has an anchor before every 128th word, and between two of those wherever the words
since the last anchor would have more than 512 pieces. The context begins at the last anchor that
is 128 words or 512 pieces back, or at the beginning of the history: at most 255 words and 1,023
pieces are read, from the zero state that reads `<eos>`. Candidates and continuations read on from
there.

The end of a line is read as `<eos>`, which ends texts, and nothing before it is forgotten. Several
line breaks are one, those before the first word are none, and white space around them does not
matter. The end of a line counts as a word of one piece.

Anchors depend on the words since the last 128th one alone, so only the last 255 words of a history
are cut into pieces, however long it is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate, chain

from wordgate.lm.cached_queries import HashedState
from wordgate.lm.requests import SHORT_ROUND, ModelTask, Pace, State, Step
from wordgate.lm.state_store import StateStore, chain_hashes
from wordgate.lm.tokenizer import EOS, Tokenizer
from wordgate.text import words
from wordgate.text.normalization import LINE_BREAKS, normalising, require_unicode
from wordgate.text.steps import Steps

ANCHOR_WORDS = 128
ANCHOR_PIECES = 512
"""No word has more: 128 code points of four bytes, each byte a piece."""

MAX_CONTEXT_PIECES = 2 * ANCHOR_PIECES - 1
_LINE_BREAKS = re.compile(rf"[{LINE_BREAKS}]+")
_KEPT_LAST = 8
_KEPT_EVERY = 32


def latest_start(word_count: int) -> int:
    """Return the latest word, a multiple of 128, with at least 128 words from it on; else 0.

    The context of a history of `word_count` words begins there or after.
    """
    return max(0, word_count // ANCHOR_WORDS - 1) * ANCHOR_WORDS


def anchors(piece_counts: Sequence[int]) -> list[int]:
    """Return the anchors among words, of which the first is a multiple of 128.

    `piece_counts` has the number of pieces of each word.
    """
    found = []
    pieces = 0
    for place, count in enumerate(piece_counts):
        if place % ANCHOR_WORDS == 0 or pieces + count > ANCHOR_PIECES:
            found.append(place)
            pieces = 0
        pieces += count
    return found


def context_start(piece_counts: Sequence[int]) -> int:
    """Return the word that the context begins with.

    `piece_counts` has the number of pieces of each word, from a multiple of 128 at or before
    `latest_start` to the end of the history.
    """
    passed = _passed(piece_counts, ANCHOR_WORDS, ANCHOR_PIECES)
    return passed[-1] if passed else 0


def _passed(piece_counts: Sequence[int], words_back: int, pieces_back: int) -> list[int]:
    """Return the anchors at least `words_back` words or `pieces_back` pieces before the end."""
    read = [0, *accumulate(piece_counts)]
    return [
        place
        for place in anchors(piece_counts)
        if len(piece_counts) - place >= words_back or read[-1] - read[place] >= pieces_back
    ]


def read(pieces: Tokenizer, history: str, store: StateStore) -> ModelTask[State]:
    """The state after a history, which is normalised and cut here.

    What the store still knows is not read again. Raises `InvalidInput` naming `history`.
    """
    return (yield from read_context(pieces, history, store)).state


def read_context(pieces: Tokenizer, history: str, store: StateStore) -> ModelTask[HashedState]:
    """The same with its key. A history that was read before is not even cut again."""
    require_unicode(history, "history")
    digest = blake2b(history.encode("utf-8"), digest_size=16).digest()
    key = store.get_key(digest)
    state = store.state(key) if key is not None else None
    if key is None or state is None:
        pace = Pace(SHORT_ROUND)
        cut = yield from pace.run(_context(pieces, history))
        context = yield from read_words_context(cut.pieces, store)
        store.keep_key_of_text(digest, context.key)
        return context
    return HashedState(key, state)


def read_ahead(pieces: Tokenizer, history: str, store: StateStore) -> ModelTask[None]:
    """Have the store know the contexts behind the next anchors, as far as the history goes.

    Does nothing far from them. When an anchor is crossed nothing is left to read but its last
    words.
    """
    cut = yield from Pace(SHORT_ROUND).run(_last_words(pieces, history))
    counts = [len(word) for word in cut.pieces]
    now = context_start(counts)
    for start in _passed(counts, ANCHOR_WORDS // 2, ANCHOR_PIECES // 2):
        if start > now:
            yield from read_words(cut.pieces[start:], store)


@dataclass(frozen=True, slots=True)
class _Cut:
    """Words in normal form, and the pieces of each."""

    words: list[str]
    pieces: list[tuple[int, ...]]


def _all_words(history: str) -> Steps[list[str]]:
    """The words of a history in normal form, `words.LINE_END` behind each line that has words but
    the last one."""
    lines = _LINE_BREAKS.split(history)
    if len(lines) > 1:
        require_unicode(history, "history")  # counted from the beginning of the history
    found: list[str] = []
    for number, line in enumerate(lines):
        if number and found and found[-1] != words.LINE_END:
            found.append(words.LINE_END)
        normal = yield from normalising(line, "history")
        found += yield from words.splitting(normal)
    return found


def _last_words(pieces: Tokenizer, history: str) -> Steps[_Cut]:
    """The last 128 to 255 words of a history, cut into pieces; all of a shorter one."""
    found = yield from _all_words(history)
    last = found[latest_start(len(found)) :]
    return _Cut(last, (yield from pieces.encoding_each(last)))


def _context(pieces: Tokenizer, history: str) -> Steps[_Cut]:
    """The words that the rule has read."""
    cut = yield from _last_words(pieces, history)
    start = context_start([len(word) for word in cut.pieces])
    return _Cut(cut.words[start:], cut.pieces[start:])


def read_words(context: Sequence[Sequence[int]], store: StateStore) -> ModelTask[State]:
    """The state after `<eos>` and these words, each given as its pieces."""
    return (yield from read_words_context(context, store)).state


def read_words_context(
    context: Sequence[Sequence[int]], store: StateStore
) -> ModelTask[HashedState]:
    """The same with its key. The end of a line at the beginning is not read again."""
    if context and list(context[0]) == [EOS]:
        context = context[1:]
    sequence = [EOS, *chain.from_iterable(context)]
    keys = chain_hashes(store.seed, sequence)
    state, done = store.longest(keys)
    kept = _kept_places(context)
    following = len(sequence) - done - 1
    for place in range(done, len(sequence)):
        [state] = yield Step([(state, sequence[place])], following)
        following = 0
        if place in kept:
            state = store.keep(keys[place], state)
    return HashedState(keys[-1], state)


def read_each(
    pieces: Tokenizer, history: str, store: StateStore
) -> ModelTask[tuple[list[HashedState], list[str]]]:
    """The words that the rule has read, and the context before each and after the last.

    Ends of lines are read, but are not among the words.
    """
    cut = yield from Pace(SHORT_ROUND).run(_context(pieces, history))
    context = yield from read_words_context([], store)
    contexts = [context]
    found: list[str] = []
    left = sum(map(len, cut.pieces))
    for word, each in zip(cut.words, cut.pieces, strict=True):
        if word != words.LINE_END or found:
            context = yield from _read_word(each, context, store, left)
        left -= len(each)
        if word == words.LINE_END:
            contexts[-1] = context
        else:
            found.append(word)
            contexts.append(context)
    return contexts, found


def _read_word(
    word: Sequence[int], before: HashedState, store: StateStore, left: int
) -> ModelTask[HashedState]:
    """The context behind a word, which is kept; `left` pieces from it on are to be read."""
    key = before.key_after(word)
    state = store.state(key)
    if state is not None:
        return HashedState(key, state)
    state = before.state
    following = left - 1
    for piece in word:
        [state] = yield Step([(state, piece)], following)
        following = 0
    return HashedState(key, store.keep(key, state))


def _kept_places(context: Sequence[Sequence[int]]) -> set[int]:
    """Places whose states are worth keeping: ends of the last words and of some before."""
    kept = {0}
    place = 0
    for number, word in enumerate(context, 1):
        place += len(word)
        if number % _KEPT_EVERY == 0 or len(context) - number < _KEPT_LAST:
            kept.add(place)
    return kept
