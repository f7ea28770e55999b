"""Next-word search with biasing: per-word boosts and an interpolated cache model.

Biased words are few and known, so their log-probabilities are computed by a best-first search over
their prefix tree. All other words come from the ordinary search, ranked by log-probability. Both
searches are exact, and so is the merged result.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wordgate.decoding.next_words import likeliest_words, ranked_words
from wordgate.decoding.search import (
    BestFirstSearch,
    FinishedWord,
    Node,
    PendingRow,
    RankedWords,
    SearchParams,
    SearchResult,
    best_of,
)
from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.requests import ModelTask, Row


@dataclass(frozen=True, slots=True)
class WordBias:
    """Bias of one word: its probability mass from the cache model, and a boost in nats.

    The word's probability is (1 - weight) p(model) + `cache_prob`, see `WordBiases`. Its rank is
    the logarithm of that plus `boost`.
    """

    cache_prob: float = 0.0
    boost: float = 0.0


_NEUTRAL = WordBias()


@dataclass(frozen=True)
class WordBiases:
    """The biased words, in normal form. `weight` is the interpolation weight of the cache model.

    The `cache_prob` of all words add up to `weight`, which is 0 to 1.
    """

    words: Mapping[str, WordBias] = field(default_factory=dict)
    weight: float = 0.0

    @property
    def offset(self) -> float:
        """Offset of the log-probability of words that are not biased: log(1 - weight)."""
        return math.log1p(-self.weight)

    def of(self, word: str) -> WordBias:
        """Return a word's bias (neutral by default)."""
        return self.words.get(word, _NEUTRAL)

    def log_prob(self, log_prob: float, cache_prob: float) -> float:
        """Return the log-probability of a word under the interpolated model (log-sum-exp)."""
        of_model = log_prob + self.offset
        if not cache_prob:
            return of_model
        of_cache = math.log(cache_prob)
        return max(of_model, of_cache) + math.log1p(math.exp(-abs(of_model - of_cache)))


def best_words(
    queries: CachedQueries, start: HashedState, params: SearchParams, biases: WordBiases
) -> ModelTask[SearchResult]:
    """Return the `params.count` best words after a context by rank, with ties in a fixed order.

    Log-probabilities are those of the interpolated model, without boosts. `params.max_expansions`
    limits the rows of the search for biased words and those of the search for other words.
    """
    if not biases.words:
        return (yield from likeliest_words(queries, start, params))
    plain = yield from ranked_words(queries, start, without_biased(params, biases))
    plain = plain.added(biases.offset)
    fitting = {
        word: bias
        for word, bias in biases.words.items()
        if word.encode("utf-8").startswith(params.prefix) and params.accepts(word)
    }
    least = plain.least(params.count, -math.inf)
    best = yield from best_biased(queries, start, params, biases, fitting, least)
    return best_of(best, plain, params.count)


def without_biased(params: SearchParams, biases: WordBiases) -> SearchParams:
    """Return the parameters of the search for all words that are not biased."""
    return replace(
        params,
        accepts=lambda word: word not in biases.words and params.accepts(word),
        min_log_prob=params.min_log_prob - biases.offset,
    )


def best_biased(
    queries: CachedQueries,
    start: HashedState,
    params: SearchParams,
    biases: WordBiases,
    words: Mapping[str, WordBias],
    min_rank: float,
) -> ModelTask[RankedWords]:
    """Return the best of `words` by rank, at most `params.count`, with the biases given there.

    Words below `min_rank` are skipped. `params.prefix` and `params.accepts` are ignored, and
    `params.min_log_prob` applies to the interpolated model.
    """
    texts = sorted(words)
    each = yield from queries.time_slice.run(queries.tokenizer.encoding_each(texts))
    encoded = [(tokens, word, words[word]) for tokens, word in zip(each, texts, strict=True)]
    search = _BiasedSearch(queries, params, biases, min_rank)
    if encoded:
        search.open(0.0, encoded, PendingRow(_Node(None, 0, 0.0, start, encoded)))
    return (yield from search.run())


_Encoded = tuple[tuple[int, ...], str, WordBias]
"""A biased word with its tokens."""


@dataclass(eq=False, slots=True)
class _Node(Node):
    """A prefix-tree node of biased words, or of those of one cluster."""

    words: Sequence[_Encoded]


class _BiasedSearch(BestFirstSearch[_Node]):
    """Ranks a node by its log-probability with the largest `cache_prob` and boost of its words."""

    def __init__(
        self,
        queries: CachedQueries,
        params: SearchParams,
        biases: WordBiases,
        min_rank: float,
    ) -> None:
        super().__init__(queries, params, params.ranked_batch_margin)
        self._biases = biases
        self._least = min_rank

    def open(
        self, log_prob: float, words: Sequence[_Encoded], item: _Node | PendingRow[_Node]
    ) -> None:
        """Open the token or the row of a cluster that all of `words` have."""
        cache_prob = max(bias.cache_prob for _, _, bias in words)
        boost = max(bias.boost for _, _, bias in words)
        self._push_ranked(self._biases.log_prob(log_prob, cache_prob) + boost, item)

    def add_row(self, pending: PendingRow[_Node], row: Row) -> None:
        """Open the children of a node from an answered row."""
        node, level, layout = pending.node, pending.level, self.queries.layout
        rarer: dict[int, list[_Encoded]] = {}
        for token, words in _by_next(node.words, node.length).items():
            of_token = layout.of(token)
            if of_token == level:
                value = float(row[token - layout.firsts[level]])
                self._open_token(node, token, pending.base + value, words)
            elif level == 0:
                rarer.setdefault(of_token, []).extend(words)
        for cluster, words in rarer.items():
            base = float(row[layout.head + cluster - 1])
            part = _Node(node.trail, node.length, node.log_prob, node.context, words)
            self.open(node.log_prob + base, words, PendingRow(part, cluster, base))

    def _open_token(self, node: _Node, token: int, gain: float, words: Sequence[_Encoded]) -> None:
        """Open the child for one token. At the end of a word, `words` has just that word."""
        trail, length, log_prob = (node.trail, token), node.length + 1, node.log_prob + gain
        tokens, text, bias = words[0]
        if len(tokens) > length:
            self.open(log_prob, words, _Node(trail, length, log_prob, node.context, words))
            return
        log_prob = self._biases.log_prob(log_prob, bias.cache_prob)
        if log_prob >= self.params.min_log_prob:
            self._push_ranked(log_prob + bias.boost, FinishedWord(trail, log_prob, text))

    def _push_ranked(self, rank: float, item: _Node | PendingRow[_Node] | FinishedWord) -> None:
        if rank >= self._least:
            self.push(rank, item)


def _by_next(words: Iterable[_Encoded], index: int) -> dict[int, list[_Encoded]]:
    """Group words by their token at an index, in the order in which tokens first occur."""
    groups: dict[int, list[_Encoded]] = {}
    for word in words:
        groups.setdefault(word[0][index], []).append(word)
    return groups
