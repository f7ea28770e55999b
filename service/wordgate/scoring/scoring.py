"""Score candidates by walking their prefix tree.

Knows pieces and what to ask of a model; does not know onnxruntime or who is asking.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

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

MAX_CANDIDATE_PIECES = 4096
"""A candidate of more pieces is refused."""

_ASKED_TOGETHER = 512
"""Nodes whose probabilities are asked for together; their states wait for it."""

_SUMMED_TOGETHER = 1024

_SHORT_TEXT = 128
"""Characters of a text that is cut in one step: it takes less than the steps would."""

_CUTTING_WORK, _CHARACTER_WORK = 20, 3


@dataclass(frozen=True)
class Candidate:
    """A candidate with what the model thinks of it.

    `text` is what the client sent. `log_prob` is the natural logarithm of its probability after
    the history, `<eos>` included where it was counted. `posterior` is its share among the
    candidates of its request. `token_count` counts pieces, `<eos>` not among them.
    """

    text: str
    log_prob: float
    posterior: float
    word_count: int
    token_count: int


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
) -> ModelTask[list[Candidate]]:
    """Each candidate's log-probability after `history`, in the order given.

    Raises `InvalidInput` for an empty list, for a candidate of more than `MAX_CANDIDATE_PIECES`
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
    log_probs = yield from score([[*cut.pieces, *end] for cut in cuts], start, language.levels)
    shares = posteriors(log_probs)
    return [
        Candidate(text, log_prob, share, len(cut.words), len(cut.pieces))
        for text, log_prob, share, cut in zip(candidates, log_probs, shares, cuts, strict=True)
    ]


def score(
    sequences: Sequence[Sequence[int]], start: State, levels: AdaptiveSoftmaxLayout | None = None
) -> ModelTask[list[float]]:
    """Log-probability of each sequence of pieces after `start`, natural logarithm.

    Every node of the prefix tree is stepped once, level by level, so sequences that share a
    beginning share its cost. Equal to the chain rule, one sequence at a time, bit for bit. The
    output layer is asked for many nodes at once, those of each of its `levels` together.
    """
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
    return [log_probs[leaf] for leaf in tree.leaves]


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

    Raises `InvalidInput` naming `field` for more than `MAX_CANDIDATE_PIECES` pieces, and for text
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
    if len(found) > MAX_CANDIDATE_PIECES:  # a word has a piece at least
        raise _too_long(field, len(found))
    each = yield from language.pieces.encoding_each(found)
    pieces = list(chain.from_iterable(each))
    if len(pieces) > MAX_CANDIDATE_PIECES:
        raise _too_long(field, len(pieces))
    return TokenizedText(found, pieces)


def _too_long(field: str, pieces: int) -> InvalidInput:
    problem = f"has {pieces} pieces or more; the limit is {MAX_CANDIDATE_PIECES}"
    return InvalidInput(field, problem)
