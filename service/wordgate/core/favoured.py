"""The best words where some are ranked otherwise than by their log-probability alone.

Knows pieces and ranks; does not know why a word is favoured. Favoured words are few and named, so
their own log-probabilities are computed, best first over their prefix tree; all others come from
the search, by log-probability. Both are exact, and so is the best of both together.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from wordgate.core.asks import Asks
from wordgate.core.known import Context, advance, level_rows
from wordgate.core.levels import Levels
from wordgate.core.pieces import Pieces
from wordgate.core.search import Found, FoundWord, Search, likeliest_words
from wordgate.core.state_store import StateStore


@dataclass(frozen=True, slots=True)
class Favour:
    """Why a word is ranked otherwise: the share of another model, and what is added to its rank.

    A word's probability is (1 - weight) p(model) + `share`, see `Favours`; its rank the logarithm
    of that, plus `boost`.
    """

    share: float = 0.0
    boost: float = 0.0


@dataclass(frozen=True)
class Favours:
    """Favoured words in normal form; `weight` is the weight of the other model, 0 to 1.

    The shares of all words add up to `weight`.
    """

    words: Mapping[str, Favour] = field(default_factory=dict)
    weight: float = 0.0

    @property
    def offset(self) -> float:
        """What all other words have added to their log-probability."""
        return math.log1p(-self.weight)

    def log_prob(self, log_prob: float, share: float) -> float:
        """The logarithm of a word's probability, both models taken together."""
        ours = log_prob + self.offset
        return float(np.logaddexp(ours, math.log(share))) if share else ours


@dataclass(eq=False, slots=True)
class _Node:
    """A beginning of favoured words; the greatest favour below bounds what may come of it."""

    pieces: tuple[int, ...] = ()
    children: "dict[int, _Node]" = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    share: float = 0.0
    boost: float = -math.inf
    log_prob: float = 0.0
    context: Context | None = None


def best_words(
    pieces: Pieces,
    levels: Levels,
    start: Context,
    search: Search,
    favours: Favours,
    store: StateStore,
) -> Asks[Found]:
    """The `search.count` best words after a context by rank, equal ones in a fixed order.

    Log-probabilities are of both models together; ranks are not told.
    """
    if not favours.words:
        return (yield from likeliest_words(pieces, levels, start, search, store))
    fitting = [
        word
        for word in favours.words
        if word.encode("utf-8").startswith(search.prefix) and search.accepts(word)
    ]
    favoured = yield from _best_favoured(pieces, levels, start, search, favours, fitting, store)
    others = replace(
        search,
        accepts=lambda word: word not in favours.words and search.accepts(word),
        min_log_prob=search.min_log_prob - favours.offset,
    )
    found = yield from likeliest_words(pieces, levels, start, others, store)
    plain = [
        (word.log_prob + favours.offset, FoundWord(word.word, word.log_prob + favours.offset))
        for word in found.words
    ]
    ranked = heapq.nsmallest(search.count, [*favoured, *plain], key=lambda entry: -entry[0])
    return Found([word for _, word in ranked], found.exact, found.expansions)


def _best_favoured(
    pieces: Pieces,
    levels: Levels,
    start: Context,
    search: Search,
    favours: Favours,
    words: Iterable[str],
    store: StateStore,
) -> Asks[list[tuple[float, FoundWord]]]:
    """The best favoured words with their ranks, best first, `search.count` at most."""
    root = _tree(pieces, favours, words)
    root.context = start
    open_nodes: list[tuple[float, int, _Node, FoundWord | None]] = [(0.0, 0, root, None)]
    pushed = 0
    best: list[tuple[float, FoundWord]] = []
    while open_nodes and len(best) < search.count:
        negative, _, node, word = heapq.heappop(open_nodes)
        if word is not None:
            best.append((-negative, word))
            continue
        yield from _expand(levels, node, store)
        for child in node.children.values():
            pushed += 1
            bound = favours.log_prob(child.log_prob, child.share) + child.boost
            heapq.heappush(open_nodes, (-bound, pushed, child, None))
        for text in node.words:
            favour = favours.words[text]
            log_prob = favours.log_prob(node.log_prob, favour.share)
            if log_prob >= search.min_log_prob:
                pushed += 1
                found = FoundWord(text, log_prob)
                heapq.heappush(open_nodes, (-log_prob - favour.boost, pushed, node, found))
    return best


def _tree(pieces: Pieces, favours: Favours, words: Iterable[str]) -> _Node:
    root = _Node()
    for word in sorted(words):
        favour = favours.words[word]
        node = root
        for piece in pieces.encode_word(word):
            node = node.children.setdefault(piece, _Node((*node.pieces, piece)))
            node.share = max(node.share, favour.share)
            node.boost = max(node.boost, favour.boost)
        node.words.append(word)
    return root


def _expand(levels: Levels, node: _Node, store: StateStore) -> Asks[None]:
    """Find the log-probabilities of a node's children, and the context that they come after."""
    if not node.children or node.context is None:
        return
    after = list(node.children)
    log_probs = yield from _log_probs(levels, node.context, after, store)
    inner = [piece for piece in after if node.children[piece].children]
    contexts = yield from advance(store, [(node.context, piece) for piece in inner])
    for piece, log_prob in zip(after, log_probs, strict=True):
        node.children[piece].log_prob = node.log_prob + log_prob
    for piece, context in zip(inner, contexts, strict=True):
        node.children[piece].context = context


def word_log_prob(
    pieces: Pieces, levels: Levels, start: Context, word: str, store: StateStore
) -> Asks[float]:
    """The log-probability of one word in normal form after a context, by the model alone."""
    total, context = 0.0, start
    sequence = pieces.encode_word(word)
    for place, piece in enumerate(sequence):
        [log_prob] = yield from _log_probs(levels, context, [piece], store)
        total += log_prob
        if place < len(sequence) - 1:
            [context] = yield from advance(store, [(context, piece)])
    return total


def _log_probs(
    levels: Levels, context: Context, pieces: Sequence[int], store: StateStore
) -> Asks[list[float]]:
    """The log-probability of each piece after a context."""
    [head] = yield from level_rows(store, 0, [context])
    found = []
    rows = {}
    for piece in pieces:
        level = levels.of(piece)
        if level == 0:
            found.append(float(head[piece]))
            continue
        if level not in rows:
            [rows[level]] = yield from level_rows(store, level, [context])
        cluster = float(head[levels.head + level - 1])
        found.append(cluster + float(rows[level][piece - levels.first(level)]))
    return found
