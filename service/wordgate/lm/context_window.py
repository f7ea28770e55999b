"""The history rule: which part of the history the model reads.

The rule bounds the cost of long texts and makes replicas agree. A history has an anchor before
every 128th word. Between two of these, it has another wherever the words since the last anchor
would have more than 512 tokens. The context begins at the last anchor that is at least 128 words or
512 tokens before the end, or else at the beginning of the history. At most 255 words and 1,023
tokens are read. Reading starts with `<eos>` from the zero state. Candidates and continuations
follow the context.

The end of a line is read as `<eos>`, as the end of a text is, and does not reset the context.
Consecutive line breaks count as one, and those before the first word are ignored, as is white space
around line breaks. The end of a line counts as a word of one token.

Anchors depend only on the words since the last 128th word, so only the last 255 words of a history
are tokenized, however long it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate, chain

from wordgate.lm.cached_queries import HashedState
from wordgate.lm.requests import ModelTask, Prefill, State, TimeSlice
from wordgate.lm.state_store import StateStore, chain_hashes
from wordgate.lm.tokenizer import EOS, Tokenizer
from wordgate.text import words
from wordgate.text.cooperative_steps import Steps
from wordgate.text.normalization import normalising, require_unicode, split_lines

ANCHOR_WORDS = 128
ANCHOR_TOKENS = 512
"""The maximum length of a word in tokens: 128 code points of four bytes, one token per byte."""

MAX_CONTEXT_TOKENS = 2 * ANCHOR_TOKENS - 1
_KEPT_LAST = 8
_KEPT_EVERY = 32


def latest_start(word_count: int) -> int:
    """Return the last multiple of 128 that is at least 128 words before the end, or 0.

    The context of a history of `word_count` words begins at this word or later.
    """
    return max(0, word_count // ANCHOR_WORDS - 1) * ANCHOR_WORDS


def anchors(token_counts: Sequence[int]) -> list[int]:
    """Return the indices of the anchors among words; the first word's index is a multiple of 128.

    `token_counts` is the number of tokens per word.
    """
    found = []
    tokens = 0
    for place, count in enumerate(token_counts):
        if place % ANCHOR_WORDS == 0 or tokens + count > ANCHOR_TOKENS:
            found.append(place)
            tokens = 0
        tokens += count
    return found


def context_start(token_counts: Sequence[int]) -> int:
    """Return the index of the first word of the context.

    `token_counts` is the number of tokens per word, from a multiple of 128 at or before
    `latest_start` to the end of the history.
    """
    passed = _passed(token_counts, ANCHOR_WORDS, ANCHOR_TOKENS)
    return passed[-1] if passed else 0


def _passed(token_counts: Sequence[int], words_back: int, tokens_back: int) -> list[int]:
    """Return the anchors at least `words_back` words or `tokens_back` tokens before the end."""
    read = [0, *accumulate(token_counts)]
    return [
        place
        for place in anchors(token_counts)
        if len(token_counts) - place >= words_back or read[-1] - read[place] >= tokens_back
    ]


def read(tokenizer: Tokenizer, history: str, store: StateStore) -> ModelTask[State]:
    """Normalise, tokenize and read a history; return the state after it.

    States in the store are not computed again. Raises `InvalidInput` naming `history`.
    """
    return (yield from read_context(tokenizer, history, store)).state


def read_context(tokenizer: Tokenizer, history: str, store: StateStore) -> ModelTask[HashedState]:
    """Read a history and return its state and key. A cached history is not tokenized again."""
    require_unicode(history, "history")
    digest = blake2b(history.encode("utf-8"), digest_size=16).digest()
    key = store.get_key(digest)
    state = store.state(key) if key is not None else None
    if key is None or state is None:
        time_slice = TimeSlice()
        cut = yield from time_slice.run(_context(tokenizer, history))
        context = yield from read_words_context(cut.tokens, store)
        store.put_key_of_text(digest, context.key)
        return context
    return HashedState(key, state)


def read_ahead(tokenizer: Tokenizer, history: str, store: StateStore) -> ModelTask[None]:
    """Prefetch: read the history from the next anchors on, and store the states.

    When the context later moves to such an anchor, only the last words remain to be read. Does
    nothing if the end of the history is far from the next move.
    """
    cut = yield from TimeSlice().run(_last_words(tokenizer, history))
    counts = [len(word) for word in cut.tokens]
    now = context_start(counts)
    for start in _passed(counts, ANCHOR_WORDS // 2, ANCHOR_TOKENS // 2):
        if start > now:
            yield from read_words(cut.tokens[start:], store)


@dataclass(frozen=True, slots=True)
class _Cut:
    """Words in normal form and the tokens of each."""

    words: list[str]
    tokens: list[tuple[int, ...]]


def _all_words(history: str) -> Steps[list[str]]:
    """Return the words of a history in normal form.

    `words.LINE_END` follows each line that has words, except the last line.
    """
    lines = split_lines(history)
    if len(lines) > 1:
        require_unicode(history, "history")  # so that errors count from the start of the history
    found: list[str] = []
    for number, line in enumerate(lines):
        if number and found and found[-1] != words.LINE_END:
            found.append(words.LINE_END)
        normal = yield from normalising(line, "history")
        found += yield from words.splitting(normal)
    return found


def _last_words(tokenizer: Tokenizer, history: str) -> Steps[_Cut]:
    """Return the last 128 to 255 words of a history, or all if fewer, with their tokens."""
    found = yield from _all_words(history)
    last = found[latest_start(len(found)) :]
    return _Cut(last, (yield from tokenizer.encoding_each(last)))


def _context(tokenizer: Tokenizer, history: str) -> Steps[_Cut]:
    """Return the words of the context according to the history rule."""
    cut = yield from _last_words(tokenizer, history)
    start = context_start([len(word) for word in cut.tokens])
    return _Cut(cut.words[start:], cut.tokens[start:])


def read_words(context: Sequence[Sequence[int]], store: StateStore) -> ModelTask[State]:
    """Read `<eos>` and these words, each given as tokens; return the state."""
    return (yield from read_words_context(context, store)).state


def read_words_context(
    context: Sequence[Sequence[int]], store: StateStore
) -> ModelTask[HashedState]:
    """Read `<eos>` and these words; return the state and key. Skip an end of line at the start."""
    if context and list(context[0]) == [EOS]:
        context = context[1:]
    sequence = [EOS, *chain.from_iterable(context)]
    keys = chain_hashes(store.seed, sequence)
    state, done = store.longest_prefix(keys)
    if done < len(sequence):
        kept = {index - done: keys[index] for index in _kept_indices(context) if index >= done}
        [state] = yield Prefill(state, sequence[done:], kept, store.put)
    return HashedState(keys[-1], state)


def read_each(
    tokenizer: Tokenizer, history: str, store: StateStore
) -> ModelTask[tuple[list[HashedState], list[str]]]:
    """Return the contexts before each word of the context window and after the last, and the words.

    Ends of lines are read, but are not among the words.
    """
    cut = yield from TimeSlice().run(_context(tokenizer, history))
    context = yield from read_words_context([], store)
    contexts = [context]
    found: list[str] = []
    first = int(cut.words[:1] == [words.LINE_END])
    after_each = yield from _read_each(cut.tokens[first:], context, store)
    for word, after in zip(cut.words[first:], after_each, strict=True):
        if word == words.LINE_END:
            contexts[-1] = after
        else:
            found.append(word)
            contexts.append(after)
    return contexts, found


def _read_each(
    context: Sequence[Sequence[int]], before: HashedState, store: StateStore
) -> ModelTask[list[HashedState]]:
    """Return the state after each of these words, and store those that were not in the store."""
    keys = list(accumulate(context, _key_after, initial=before.key))[1:]
    read: list[HashedState] = []
    for key in keys:
        state = store.state(key)
        if state is None:
            break
        read.append(HashedState(key, state))

    def put(key: bytes, state: State) -> State:
        kept = store.put(key, state)
        read.append(HashedState(key, kept))
        return kept

    missing = context[len(read) :]
    if missing:
        ends = accumulate(map(len, missing))
        at_end = {end - 1: key for end, key in zip(ends, keys[len(read) :], strict=True)}
        start = read[-1] if read else before
        yield Prefill(start.state, list(chain.from_iterable(missing)), at_end, put)
    return read


def _key_after(key: bytes, word: Sequence[int]) -> bytes:
    return chain_hashes(key, word)[-1]


def _kept_indices(context: Sequence[Sequence[int]]) -> set[int]:
    """Return the token indices whose states to store: ends of the last words and of some before."""
    kept = {0}
    place = 0
    for number, word in enumerate(context, 1):
        place += len(word)
        if number % _KEPT_EVERY == 0 or len(context) - number < _KEPT_LAST:
            kept.add(place)
    return kept
