"""Score candidates after a history, sharing work along their prefix tree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from wordgate.errors import InvalidInput
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.context_window import read
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import YIELD, ModelTask, State, Step, TimeSlice, TokenLogProbs
from wordgate.lm.state_store import StateStore
from wordgate.lm.tokenizer import EOS
from wordgate.scoring.prefix_tree import ROOT, PrefixTree
from wordgate.text import words
from wordgate.text.cooperative_steps import Steps, finish, stretches
from wordgate.text.normalization import normalise, normalising

MAX_CANDIDATE_TOKENS = 4096
"""Limit on the tokens of a candidate."""

MAX_CANDIDATE_BYTES = 64 * 1024
"""Limit on the UTF-8 bytes of a candidate, and of a transcript of a lattice."""

MAX_RETURNED_WORDS = 100_000
"""Limit on the words of all candidates whose words are returned.

Each takes 15 bytes of the answer besides its text, and 150 in memory; punctuation takes 1 byte of
the request.
"""

_ASKED_TOGETHER = 512
"""Nodes per log-probability request; their states are kept until it is sent."""

_SUMMED_TOGETHER = 1024

_SHORT_TEXT = 128
"""Texts of up to this many characters are tokenized in one step, which costs less."""


@dataclass(frozen=True, slots=True)
class WordScore:
    """A word in normal form with its log-probability after all before it, natural logarithm."""

    word: str
    log_prob: float


@dataclass(frozen=True)
class Candidate:
    """A scored candidate.

    `text` is unchanged from the request. `log_prob` is the natural logarithm of its probability
    after the history, including `<eos>` if it was counted. `posterior` is its share among the
    candidates of the request. `token_count` never includes `<eos>`. `words` and `eos_log_prob`, if
    requested, add up to `log_prob`, except for rounding.
    """

    text: str
    log_prob: float
    posterior: float
    word_count: int
    token_count: int
    words: tuple[WordScore, ...] = ()
    eos_log_prob: float = 0.0


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """A text as its words in normal form and their tokens."""

    words: list[str]
    tokens: list[int]


def score_texts(
    language: Lexicon,
    store: StateStore,
    history: str,
    candidates: Sequence[str],
    count_eos: bool = True,
    return_words: bool = False,
) -> ModelTask[list[Candidate]]:
    """Score each candidate after `history`; return them in the order given.

    `return_words`: also return the log-probability of each word.

    Raises `InvalidInput` for an empty list, for a candidate with more than `MAX_CANDIDATE_TOKENS`
    tokens, for more than `MAX_RETURNED_WORDS` words to return, and for text that is not Unicode.
    """
    if not candidates:
        raise InvalidInput("candidates", "is empty; send at least one candidate")
    time_slice = TimeSlice()
    tokenized = []
    for index, text in enumerate(candidates):
        tokenized.append(
            (yield from time_slice.run(tokenizing(language, text, f"candidates[{index}].text")))
        )
    if return_words:
        _check_returned(sum(len(text.words) for text in tokenized))
    start = yield from read(language.tokenizer, history, store)
    end = [EOS] if count_eos else []
    sequences = [[*text.tokens, *end] for text in tokenized]
    tree, sums = yield from _score_tree(sequences, start, language.levels)
    time_slice.restart()
    log_probs = [sums[leaf] for leaf in tree.leaves]
    scored = [
        Candidate(text, log_prob, share, len(tokens.words), len(tokens.tokens))
        for text, log_prob, share, tokens in zip(
            candidates, log_probs, posteriors(log_probs), tokenized, strict=True
        )
    ]
    if return_words:
        ends = language.tokenizer.ends_word
        for index, (candidate, tokens) in enumerate(zip(scored, tokenized, strict=True)):
            scored[index] = yield from time_slice.run(
                _with_words(candidate, tokens, tree.path(tree.leaves[index]), sums, ends)
            )
    return scored


def _check_returned(count: int) -> None:
    if count > MAX_RETURNED_WORDS:
        problem = f"would return {count} words; the limit is {MAX_RETURNED_WORDS}; split the list"
        raise InvalidInput("return_words", problem)


def _with_words(
    candidate: Candidate,
    tokens: TokenizedText,
    path: Sequence[int],
    sums: Sequence[float],
    ends_word: NDArray[np.bool_],
) -> Steps[Candidate]:
    """Return a candidate with the scores of its words: differences of the sums along its path."""
    lasts = [node for node, token in zip(path, tokens.tokens, strict=False) if ends_word[token]]
    yield
    scores, before = [], 0.0
    for word, node in zip(tokens.words, lasts, strict=True):
        scores.append(WordScore(word, sums[node] - before))
        before = sums[node]
    yield
    eos_log_prob = candidate.log_prob - before if len(path) > len(tokens.tokens) else 0.0
    return replace(candidate, words=tuple(scores), eos_log_prob=eos_log_prob)


def score(
    sequences: Sequence[Sequence[int]], start: State, levels: AdaptiveSoftmaxLayout | None = None
) -> ModelTask[list[float]]:
    """Return the log-probability (natural logarithm) of each token sequence after `start`.

    Every node of the prefix tree is computed once, level by level, so sequences share the cost of a
    common prefix. Results are bit-identical to scoring one sequence at a time by the chain rule.
    Output-layer queries are batched over many nodes and grouped by output level, if `levels` is
    given.
    """
    tree, sums = yield from _score_tree(sequences, start, levels)
    return [sums[leaf] for leaf in tree.leaves]


def _score_tree(
    sequences: Sequence[Sequence[int]], start: State, levels: AdaptiveSoftmaxLayout | None
) -> ModelTask[tuple[PrefixTree, list[float]]]:
    """Return the prefix tree of sequences, and the log-probability of each node from the root."""
    time_slice = TimeSlice()
    tree = PrefixTree()
    yield from time_slice.run(tree.grow(sequences))
    gains = [0.0] * len(tree)
    states: dict[int, State] = {ROOT: start}
    pending: list[tuple[int, State]] = []
    tokens, parents = tree.tokens, tree.parents
    for level in tree.levels:
        pending.extend([(node, states[parents[node]]) for node in level])
        if len(pending) >= _ASKED_TOGETHER:
            yield from _ask_gains(tree, pending, gains, levels)
            pending = []
        inner = [node for node in level if tree.inner[node]]
        if inner:
            steps = [(states[parents[node]], tokens[node]) for node in inner]
            states = dict(zip(inner, (yield Step(steps)), strict=True))
    yield from _ask_gains(tree, pending, gains, levels)
    time_slice.restart()
    log_probs = gains
    for part in stretches(len(tree) - 1, _SUMMED_TOGETHER):
        for node in range(part.start + 1, min(part.stop, len(tree) - 1) + 1):
            log_probs[node] += log_probs[parents[node]]
        if time_slice.is_over():
            yield YIELD
    return tree, log_probs


def _ask_gains(
    tree: PrefixTree,
    pending: list[tuple[int, State]],
    gains: list[float],
    levels: AdaptiveSoftmaxLayout | None,
) -> ModelTask[None]:
    """Request the log-probability of each node's token after its parent."""
    tokens = tree.tokens
    if levels is not None:
        head = levels.head
        rare = [entry for entry in pending if tokens[entry[0]] >= head]
        rare.sort(key=lambda entry: levels.of(tokens[entry[0]]))
        pending = [entry for entry in pending if tokens[entry[0]] < head] + rare
    queries = [(state, tokens[node]) for node, state in pending]
    log_probs = yield TokenLogProbs(queries)
    for (node, _), gain in zip(pending, log_probs, strict=True):
        gains[node] = gain


def posteriors(log_probs: Sequence[float]) -> list[float]:
    """Return the softmax of log-probabilities."""
    best = max(log_probs)
    weights = [math.exp(log_prob - best) for log_prob in log_probs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def tokenize_text(language: Lexicon, text: str, field: str) -> TokenizedText:
    """Return the words and tokens of a candidate.

    Raises `InvalidInput` naming `field` for more than `MAX_CANDIDATE_TOKENS` tokens, and for text
    that is not Unicode.
    """
    return finish(tokenizing(language, text, field))


def tokenizing(language: Lexicon, text: str, field: str) -> Steps[TokenizedText]:
    """Same as `tokenize_text`, but as steps."""
    if len(text) <= _SHORT_TEXT:
        text_words = words.split(normalise(text, field))
        yield
        return TokenizedText(text_words, language.tokenizer.encode_words(text_words))
    normal = yield from normalising(text, field)
    text_words = yield from words.splitting(normal)
    if len(text_words) > MAX_CANDIDATE_TOKENS:  # every word has at least one token
        raise _too_long(field, len(text_words))
    each = yield from language.tokenizer.encoding_each(text_words)
    tokens = list(chain.from_iterable(each))
    if len(tokens) > MAX_CANDIDATE_TOKENS:
        raise _too_long(field, len(tokens))
    return TokenizedText(text_words, tokens)


def _too_long(field: str, tokens: int) -> InvalidInput:
    problem = f"has at least {tokens} tokens; send at most {MAX_CANDIDATE_TOKENS}"
    return InvalidInput(field, problem)
