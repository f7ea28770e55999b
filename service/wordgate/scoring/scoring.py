"""Score candidates by walking their prefix tree.

Knows pieces and what to ask of a model; does not know onnxruntime or who is asking.
"""

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
from wordgate.lm.requests import SHORT_ROUND, YIELD, ModelTask, Pace, State, Step, TokenLogProbs
from wordgate.lm.state_store import StateStore
from wordgate.lm.tokenizer import EOS
from wordgate.scoring.prefix_tree import ROOT, PrefixTree
from wordgate.text import words
from wordgate.text.normalization import normalise, normalising
from wordgate.text.steps import Steps, finish, stretches

MAX_CANDIDATE_TOKENS = 4096
"""A candidate of more pieces is refused."""

_ASKED_TOGETHER = 512
"""Nodes whose probabilities are asked for together; their states wait for it."""

_SUMMED_TOGETHER = 1024

_SHORT_TEXT = 128
"""Characters of a text that is cut in one step: it takes less than the steps would."""

_CUTTING_WORK, _CHARACTER_WORK = 20, 3


@dataclass(frozen=True, slots=True)
class WordScore:
    """A word in normal form with its log-probability after all before it, natural logarithm."""

    word: str
    log_prob: float


@dataclass(frozen=True)
class Candidate:
    """A candidate with what the model thinks of it.

    `text` is what the client sent. `log_prob` is the natural logarithm of its probability after
    the history, `<eos>` included where it was counted. `posterior` is its share among the
    candidates of its request. `token_count` counts tokens without `<eos>`.
    `words` and `eos_log_prob`, where they were asked for, add up to `log_prob`, but for rounding.
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
    """A text as its words in normal form, and all their pieces."""

    words: list[str]
    pieces: list[int]


def score_texts(
    language: Lexicon,
    store: StateStore,
    history: str,
    candidates: Sequence[str],
    count_eos: bool = True,
    return_words: bool = False,
) -> ModelTask[list[Candidate]]:
    """Return each candidate's log-probability after `history`, in the order given.

    `return_words`: those of its words too.

    Raises `InvalidInput` for an empty list, for a candidate of more than `MAX_CANDIDATE_TOKENS`
    pieces, and for text that is not Unicode.
    """
    if not candidates:
        raise InvalidInput("candidates", "is empty; send at least one candidate")
    pace = Pace(SHORT_ROUND)
    cuts = []
    for index, text in enumerate(candidates):
        cuts.append((yield from pace.run(cutting(language, text, f"candidates[{index}].text"))))
    start = yield from read(language.pieces, history, store)
    end = [EOS] if count_eos else []
    sequences = [[*cut.pieces, *end] for cut in cuts]
    tree, sums = yield from _score_tree(sequences, start, language.levels)
    log_probs = [sums[leaf] for leaf in tree.leaves]
    scored = [
        Candidate(text, log_prob, share, len(cut.words), len(cut.pieces))
        for text, log_prob, share, cut in zip(
            candidates, log_probs, posteriors(log_probs), cuts, strict=True
        )
    ]
    if return_words:
        ends = language.pieces.ends_word
        for index, (candidate, cut) in enumerate(zip(scored, cuts, strict=True)):
            scored[index] = yield from pace.run(
                _with_words(candidate, cut, tree.path(tree.leaves[index]), sums, ends)
            )
    return scored


def _with_words(
    candidate: Candidate,
    cut: TokenizedText,
    path: Sequence[int],
    sums: Sequence[float],
    ends_word: NDArray[np.bool_],
) -> Steps[Candidate]:
    """Return a candidate with the scores of its words: differences of the sums along its path."""
    lasts = [node for node, piece in zip(path, cut.pieces, strict=False) if ends_word[piece]]
    yield len(path)
    scores, before = [], 0.0
    for word, node in zip(cut.words, lasts, strict=True):
        scores.append(WordScore(word, sums[node] - before))
        before = sums[node]
    yield len(scores)
    eos_log_prob = candidate.log_prob - before if len(path) > len(cut.pieces) else 0.0
    return replace(candidate, words=tuple(scores), eos_log_prob=eos_log_prob)


def score(
    sequences: Sequence[Sequence[int]], start: State, levels: AdaptiveSoftmaxLayout | None = None
) -> ModelTask[list[float]]:
    """Return the log-probability of each sequence of tokens after `start`, natural logarithm.

    Every node of the prefix tree is stepped once, level by level, so sequences that share a
    beginning share its cost. Equal to the chain rule, one sequence at a time, bit for bit. The
    output layer is asked for many nodes at once, those of each of its `levels` together.
    """
    tree, sums = yield from _score_tree(sequences, start, levels)
    return [sums[leaf] for leaf in tree.leaves]


def _score_tree(
    sequences: Sequence[Sequence[int]], start: State, levels: AdaptiveSoftmaxLayout | None
) -> ModelTask[tuple[PrefixTree, list[float]]]:
    """Return the prefix tree of sequences, and the log-probability of each node from the root."""
    pace = Pace(SHORT_ROUND)
    tree = PrefixTree()
    yield from pace.run(tree.grow(sequences))
    gains = [0.0] * len(tree)
    states: dict[int, State] = {ROOT: start}
    unasked: list[tuple[int, State]] = []
    pieces, parents = tree.pieces, tree.parents
    for level in tree.levels:
        unasked.extend([(node, states[parents[node]]) for node in level])
        if len(unasked) >= _ASKED_TOGETHER:
            yield from _ask_gains(tree, unasked, gains, levels)
            unasked = []
        inner = [node for node in level if tree.inner[node]]
        if inner:
            steps = [(states[parents[node]], pieces[node]) for node in inner]
            states = dict(zip(inner, (yield Step(steps)), strict=True))
    yield from _ask_gains(tree, unasked, gains, levels)
    log_probs = gains
    for part in stretches(len(tree) - 1, _SUMMED_TOGETHER):
        for node in range(part.start + 1, min(part.stop, len(tree) - 1) + 1):
            log_probs[node] += log_probs[parents[node]]
        if pace.is_due(_SUMMED_TOGETHER // 4):
            yield YIELD
    return tree, log_probs


def _ask_gains(
    tree: PrefixTree,
    unasked: list[tuple[int, State]],
    gains: list[float],
    levels: AdaptiveSoftmaxLayout | None,
) -> ModelTask[None]:
    """Ask for the log-probability of each node's piece after its parent."""
    pieces = tree.pieces
    if levels is not None:
        head = levels.head
        rare = [asked for asked in unasked if pieces[asked[0]] >= head]
        rare.sort(key=lambda asked: levels.of(pieces[asked[0]]))
        unasked = [asked for asked in unasked if pieces[asked[0]] < head] + rare
    questions = [(state, pieces[node]) for node, state in unasked]
    found = yield TokenLogProbs(questions)
    for (node, _), gain in zip(unasked, found, strict=True):
        gains[node] = gain


def posteriors(log_probs: Sequence[float]) -> list[float]:
    """Softmax of log-probabilities: each one's share of their sum."""
    best = max(log_probs)
    weights = [math.exp(log_prob - best) for log_prob in log_probs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def tokenize_text(language: Lexicon, text: str, field: str) -> TokenizedText:
    """The words and pieces of a candidate.

    Raises `InvalidInput` naming `field` for more than `MAX_CANDIDATE_TOKENS` pieces, and for text
    that is not Unicode.
    """
    return finish(cutting(language, text, field))


def cutting(language: Lexicon, text: str, field: str) -> Steps[TokenizedText]:
    """As `tokenize_text`, in steps."""
    if len(text) <= _SHORT_TEXT:
        found = words.split(normalise(text, field))
        yield _CUTTING_WORK + _CHARACTER_WORK * len(text)
        return TokenizedText(found, language.pieces.encode_words(found))
    normal = yield from normalising(text, field)
    found = yield from words.splitting(normal)
    if len(found) > MAX_CANDIDATE_TOKENS:  # a word has a piece at least
        raise _too_long(field, len(found))
    each = yield from language.pieces.encoding_each(found)
    pieces = list(chain.from_iterable(each))
    if len(pieces) > MAX_CANDIDATE_TOKENS:
        raise _too_long(field, len(pieces))
    return TokenizedText(found, pieces)


def _too_long(field: str, pieces: int) -> InvalidInput:
    problem = f"has {pieces} pieces or more; the limit is {MAX_CANDIDATE_TOKENS}"
    return InvalidInput(field, problem)
