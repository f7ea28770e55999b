"""Typo correction: exact best-first search over the words that may have been intended.

A word's rank is log P(word | history) + log P(typed | word). The upper bound of a node is the
log-probability of its tokens plus that of the likeliest typo that still agrees with them, as in
`decoding.search`.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from wordgate.decoding.biasing import WordBias, WordBiases, best_biased, without_biased
from wordgate.decoding.search import (
    BestFirstSearch,
    FinishedWord,
    Node,
    PendingRow,
    SearchParams,
    SearchResult,
    best_of,
)
from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.requests import YIELD, ModelTask, Row
from wordgate.lm.tokenizer import EOS, LEADING_NUMBERS, leading_number
from wordgate.text import words

MIN_RANK = -25.0
"""Corrections below this rank are never offered."""

_ROUNDING = 1e-3
"""Tolerance of float32 comparisons: entries slightly below a threshold may pass."""

_NONE = np.zeros(LEADING_NUMBERS, np.bool_)


@dataclass(frozen=True)
class TypoQuery:
    """The possible corrections, words or prefixes, each with log P(typed | correction).

    Only words that rank above `min_rank` are searched for.
    """

    corrections: Mapping[str, float]
    min_rank: float = MIN_RANK


class _Alternatives:
    """The possible corrections of a typed prefix, looked up by the bytes spelled so far."""

    def __init__(self, corrections: Mapping[str, float]) -> None:
        self._whole = {text.encode("utf-8"): value for text, value in corrections.items()}
        self._texts = sorted(self._whole)
        self._typos = [self._whole[text] for text in self._texts]
        self._lengths = sorted({len(text) for text in self._texts})

    def likeliest(self, written: bytes) -> float:
        """Return the best typo log-probability of any word that begins with these bytes."""
        going_on = max(self._typos[self._going_on(written)], default=-math.inf)
        return max(going_on, self.of_word(written))

    def of_word(self, written: bytes) -> float:
        """Return the best typo log-probability of exactly this word, or -inf."""
        best = -math.inf
        for length in self._lengths:
            if length > len(written):
                break
            typo = self._whole.get(written[:length])
            if typo is not None and typo > best:
                best = typo
        return best

    def leading(self, written: bytes) -> NDArray[np.bool_]:
        """Return, for each leading number, whether such a token may lead to a correction: bool."""
        begun = len(written)
        allowed = np.zeros(LEADING_NUMBERS, np.bool_)
        for each in {text[begun : begun + 2] for text in self._texts[self._going_on(written)]}:
            first = leading_number(each[:1])
            if len(each) == 1:
                allowed[first : first + 257] = True
            else:
                allowed[[first, leading_number(each)]] = True
        return allowed

    def _going_on(self, written: bytes) -> slice:
        """Return the range of longer texts with this prefix. UTF-8 never contains 0xFF."""
        first = bisect_right(self._texts, written)
        return slice(first, bisect_left(self._texts, written + b"\xff", lo=first))


@dataclass(eq=False, slots=True)
class _Node(Node):
    """Tokens that spell `written`. `typo` has the likeliest typo that agrees with them.

    Once the node is expanded, `any_typo` is the typo log-probability for any continuation. Only
    tokens whose leading number is in `allowed` may have a higher one.
    """

    written: bytes
    typo: float
    any_typo: float = -math.inf
    allowed: NDArray[np.bool_] = field(default_factory=lambda: _NONE)


class _CorrectionSearch(BestFirstSearch[_Node]):
    """Opens only what ranks above `min_rank`."""

    def __init__(
        self,
        queries: CachedQueries,
        params: SearchParams,
        alternatives: _Alternatives,
        min_rank: float,
        start: HashedState,
    ) -> None:
        super().__init__(queries, params, params.ranked_batch_margin)
        self._alternatives = alternatives
        self._least = min_rank
        typo = alternatives.likeliest(b"")
        if typo > min_rank:
            self.push(typo, PendingRow(_Node(None, 0, 0.0, start, b"", typo)))

    def add_row(self, pending: PendingRow[_Node], row: Row) -> None:
        """Open the successors of an answered row that are likely enough."""
        node, level, layout = pending.node, pending.level, self.queries.layout
        if level == 0:
            self._expand_typos(node)
        first, after = layout.firsts[level], layout.cutoffs[level]
        least = self._least - node.log_prob - pending.base - _ROUNDING
        entries = np.flatnonzero(row[: after - first] > least - node.typo)
        allowed = node.allowed[self.queries.tokenizer.leading[first + entries]]
        likely = allowed | (row[entries] > least - node.any_typo)
        entries, allowed = entries[likely], allowed[likely]
        fields = entries.tolist(), row[entries].tolist(), allowed.tolist()
        for entry, value, may_be_likelier in zip(*fields, strict=True):
            log_prob = node.log_prob + (pending.base + value)
            self._open_token(node, first + entry, log_prob, may_be_likelier)
        for cluster in range(1, layout.count if level == 0 else 0):
            self._open_cluster(node, cluster, float(row[layout.head + cluster - 1]))

    def _expand_typos(self, node: _Node) -> None:
        """Find the typo log-probability of any continuation, and which may have a higher one."""
        node.any_typo = self._alternatives.of_word(node.written)
        if node.any_typo < node.typo:
            node.allowed = self._alternatives.leading(node.written)

    def _open_cluster(self, node: _Node, cluster: int, value: float) -> None:
        log_prob = node.log_prob + value
        if log_prob + node.typo <= self._least:
            return
        typo = node.typo if self._has_allowed(node, cluster) else node.any_typo
        if log_prob + typo > self._least:
            self.push(log_prob + typo, PendingRow(node, cluster, value))

    def _has_allowed(self, node: _Node, cluster: int) -> bool:
        """Return whether a cluster has tokens that may lead to a correction."""
        first, after = self.queries.layout.firsts[cluster], self.queries.layout.cutoffs[cluster]
        return bool(node.allowed[self.queries.tokenizer.leading_within(first, after)].any())

    def _open_token(self, node: _Node, token: int, log_prob: float, may_be_likelier: bool) -> None:
        tokenizer = self.queries.tokenizer
        written = node.written + tokenizer.bytes_of[token]
        ends = tokenizer.ends_word[token]
        typo = node.any_typo
        if may_be_likelier:
            alternatives = self._alternatives
            typo = (alternatives.of_word if ends else alternatives.likeliest)(written)
        rank = log_prob + typo
        if rank <= self._least or token == EOS or not self.follows(node, token, written):
            return
        trail, length = (node.trail, token), node.length + 1
        if ends:
            self.push(rank, FinishedWord(trail, log_prob))
        elif length < self.params.max_tokens:
            self.push(rank, _Node(trail, length, log_prob, node.context, written, typo))


def corrected_words(
    queries: CachedQueries,
    start: HashedState,
    query: TypoQuery,
    params: SearchParams,
    biases: WordBiases,
) -> ModelTask[SearchResult]:
    """Return the `params.count` best corrections of a finished word, best first.

    Log-probabilities are those of the interpolated model, as in `biasing.best_words`. Ranks include
    boosts. The result is exact unless `params.max_expansions` was reached. `params.prefix` is
    ignored.
    """
    named = {}
    for word, typo in query.corrections.items():
        if words.split(word) == [word] and params.accepts(word):
            named[word] = _with_typo(biases, word, typo)
        if queries.time_slice.is_over():
            yield YIELD
    best = yield from best_biased(queries, start, params, biases, named, query.min_rank)
    return best.above(query.min_rank).result()


def corrected_beginnings(
    queries: CachedQueries,
    start: HashedState,
    query: TypoQuery,
    params: SearchParams,
    biases: WordBiases,
) -> ModelTask[SearchResult]:
    """Return the best words that begin with a corrected prefix. See `corrected_words`."""
    if not query.corrections:
        return SearchResult()
    alternatives = _Alternatives(query.corrections)
    others, least = without_biased(params, biases), query.min_rank - biases.offset
    search = _CorrectionSearch(queries, others, alternatives, least, start)
    plain = (yield from search.run()).added(biases.offset)
    typos = ((word, alternatives.of_word(word.encode("utf-8"))) for word in biases.words)
    named = {
        word: _with_typo(biases, word, typo)
        for word, typo in typos
        if typo > -math.inf and params.accepts(word)
    }
    least = plain.least(params.count, query.min_rank)
    best = yield from best_biased(queries, start, params, biases, named, least)
    return best_of(best.above(query.min_rank), plain, params.count)


def _with_typo(biases: WordBiases, word: str, typo: float) -> WordBias:
    """Return a word's bias with the typo's log-probability added to its boost."""
    bias = biases.of(word)
    return replace(bias, boost=bias.boost + typo)
