"""Typo correction: exact best-first search over the words that may have been intended.

A word's rank is log P(word | history) + log P(typed | word). The upper bound of a node is the
log-probability of its tokens plus that of the likeliest typo that still agrees with them, as in
`decoding.search`.
"""

import heapq
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wordgate.decoding.biasing import RankedWords, WordBias, WordBiases, best_biased, best_of
from wordgate.decoding.search import ScoredWord, SearchParams, SearchResult
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import HashedState, advance, answered
from wordgate.lm.requests import SHORT_ROUND, YIELD, ModelTask, Pace, Row
from wordgate.lm.seen_words import SeenWords
from wordgate.lm.state_store import StateStore
from wordgate.lm.tokenizer import EOS, LEADING_NUMBERS, Tokenizer, leading_number
from wordgate.text import words

LEAST_RANK = -25.0
"""Corrections below this rank are never offered."""

_BATCH_ROWS = 8
_BATCH_MARGIN = 1.0
_ROW_WORK, _ENTRY_WORK = 200, 8
_MEANT_WORK = 12
_ROUNDING = 1e-3
"""Tolerance of float32 comparisons: entries slightly below a threshold may pass."""

_MAX_PIECES = 4 * words.MAX_WORD_CHARACTERS
"""Maximum length of a word in tokens: one token per byte, four bytes per character."""

_NONE = np.zeros(LEADING_NUMBERS, np.bool_)


@dataclass(frozen=True)
class TypoQuery:
    """The possible corrections, words or prefixes, each with log P(typed | correction).

    Only words that rank above `least_rank` are searched for.
    """

    corrections: Mapping[str, float]
    least_rank: float = LEAST_RANK


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
        found = -math.inf
        for length in self._lengths:
            if length > len(written):
                break
            typo = self._whole.get(written[:length])
            if typo is not None and typo > found:
                found = typo
        return found

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


@dataclass(frozen=True, eq=False, slots=True)
class _Node:
    """The first tokens of a word, which spell `written`. `context` has read all but the last.

    `typo` is the log-probability of the likeliest typo that agrees with them.
    """

    pieces: tuple[int, ...]
    written: bytes
    log_prob: float
    typo: float
    context: HashedState


@dataclass(frozen=True, eq=False, slots=True)
class _PendingRow:
    """An output row to request. `base` is the log-probability of its cluster.

    `typo` is the typo log-probability for any continuation. Only tokens whose leading number is in
    `allowed` may have a higher one.
    """

    node: _Node
    typo: float
    allowed: NDArray[np.bool_]
    level: int
    base: float


@dataclass(frozen=True, eq=False, slots=True)
class _Finished:
    pieces: tuple[int, ...]
    log_prob: float


_Open = _Node | _PendingRow | _Finished


class _Frontier:
    """The priority queue of open nodes, rows and finished words, best rank bound first."""

    def __init__(
        self,
        pieces: Tokenizer,
        levels: AdaptiveSoftmaxLayout,
        alternatives: _Alternatives,
        least_rank: float,
        seen: SeenWords | None,
    ) -> None:
        self._pieces = pieces
        self._seen = seen
        self._levels = levels
        self._alternatives = alternatives
        self._least_rank = least_rank
        self._heap: list[tuple[float, int, _Open]] = []
        self._pushed = 0
        self.entries = 0

    def push(self, rank: float, item: _Open) -> None:
        if rank > self._least_rank:
            self._pushed += 1
            heapq.heappush(self._heap, (-rank, self._pushed, item))

    def pop(self) -> tuple[float, _Open] | None:
        if not self._heap:
            return None
        negative, _, item = heapq.heappop(self._heap)
        return -negative, item

    def companions(self, rank: float, room: int) -> Iterator[_Node | _PendingRow]:
        """Pop up to `room` items that rank close behind, to expand in the same batch.

        Stop at the next finished word.
        """
        while room > 0 and self._heap and -self._heap[0][0] >= rank - _BATCH_MARGIN:
            if isinstance(self._heap[0][2], _Finished):
                return
            item = heapq.heappop(self._heap)[2]
            if not isinstance(item, _Finished):
                room -= 1
                yield item

    def open_node(self, node: _Node, context: HashedState) -> _PendingRow:
        """Return the head row to request once all of a node's tokens are read."""
        grown = _Node(node.pieces, node.written, node.log_prob, node.typo, context)
        typo = self._alternatives.of_word(node.written)
        is_settled = typo >= node.typo
        allowed = _NONE if is_settled else self._alternatives.leading(node.written)
        return _PendingRow(grown, typo, allowed, 0, 0.0)

    def add_row(self, pending: _PendingRow, row: Row) -> None:
        """Add the children of an answered row that are likely enough."""
        level = pending.level
        first, after = self._levels.first(level), self._levels.cutoffs[level]
        least = self._least_rank - pending.node.log_prob - pending.base - _ROUNDING
        entries = np.flatnonzero(row[: after - first] > least - pending.node.typo)
        allowed = pending.allowed[self._pieces.leading[first + entries]]
        likely = allowed | (row[entries] > least - pending.typo)
        entries, allowed = entries[likely], allowed[likely]
        self.entries += len(entries)
        fields = entries.tolist(), row[entries].tolist(), allowed.tolist()
        for entry, value, may_be_likelier in zip(*fields, strict=True):
            self._open_piece(pending, first + entry, value, may_be_likelier)
        for cluster in range(1, self._levels.count if level == 0 else 0):
            self._open_cluster(pending, cluster, float(row[self._levels.head + cluster - 1]))

    def _open_cluster(self, pending: _PendingRow, cluster: int, value: float) -> None:
        node = pending.node
        log_prob = node.log_prob + value
        if log_prob + node.typo > self._least_rank:
            typo = node.typo if self._has_allowed(pending, cluster) else pending.typo
            item = _PendingRow(node, pending.typo, pending.allowed, cluster, value)
            self.push(log_prob + typo, item)

    def _has_allowed(self, pending: _PendingRow, cluster: int) -> bool:
        """Return whether a cluster has tokens that may lead to a correction."""
        first, after = self._levels.first(cluster), self._levels.cutoffs[cluster]
        return bool(pending.allowed[self._pieces.leading_within(first, after)].any())

    def _open_piece(
        self, pending: _PendingRow, piece: int, value: float, may_be_likelier: bool
    ) -> None:
        node = pending.node
        log_prob = node.log_prob + (pending.base + value)
        written = node.written + self._pieces.bytes_of[piece]
        ends = self._pieces.ends_word[piece]
        typo = self._typo(written, ends) if may_be_likelier else pending.typo
        if log_prob + typo <= self._least_rank or piece == EOS:
            return
        if self._seen is not None:
            leads = self._seen.has if ends else self._seen.goes_on
            if not leads(written):
                return
        if node.pieces and not self._pieces.adjacent(node.pieces[-1], piece):
            return
        pieces = (*node.pieces, piece)
        if ends:
            self.push(log_prob + typo, _Finished(pieces, log_prob))
        elif len(pieces) < _MAX_PIECES:
            self.push(log_prob + typo, _Node(pieces, written, log_prob, typo, node.context))

    def _typo(self, written: bytes, ends: bool) -> float:
        look_up = self._alternatives.of_word if ends else self._alternatives.likeliest
        return look_up(written)


def corrected_words(
    pieces: Tokenizer,
    levels: AdaptiveSoftmaxLayout,
    start: HashedState,
    query: TypoQuery,
    search: SearchParams,
    biases: WordBiases,
    store: StateStore,
) -> ModelTask[SearchResult]:
    """Return the `search.count` best corrections of a finished word, best first.

    Log-probabilities are those of the interpolated model, as in `biasing.best_words`. Ranks include
    boosts. The result is exact unless `search.max_expansions` was reached. `search.prefix` is
    ignored.
    """
    pace = Pace(SHORT_ROUND)
    named = {}
    for word, value in query.corrections.items():
        if words.split(word) == [word] and search.accepts(word):
            named[word] = _with_typo(biases, word, value)
        if pace.is_due(_MEANT_WORK):
            yield YIELD
    best = yield from best_biased(
        pieces, levels, start, search, biases, named, query.least_rank, store
    )
    return best_of(best.above(query.least_rank), RankedWords(), search.count)


def corrected_beginnings(
    pieces: Tokenizer,
    levels: AdaptiveSoftmaxLayout,
    start: HashedState,
    query: TypoQuery,
    search: SearchParams,
    biases: WordBiases,
    store: StateStore,
) -> ModelTask[SearchResult]:
    """Return the best words that begin with a corrected prefix. See `corrected_words`."""
    if not query.corrections:
        return SearchResult()
    others = replace(
        search,
        accepts=lambda word: word not in biases.words and search.accepts(word),
        min_log_prob=search.min_log_prob - biases.offset,
    )
    alternatives = _Alternatives(query.corrections)
    plain = yield from _likeliest(
        pieces, levels, start, alternatives, others, query.least_rank - biases.offset, store
    )
    plain = plain.added(biases.offset)
    typos = ((word, alternatives.of_word(word.encode("utf-8"))) for word in biases.words)
    named = {
        word: _with_typo(biases, word, value)
        for word, value in typos
        if value > -math.inf and search.accepts(word)
    }
    least = plain.least(search.count, query.least_rank)
    best = yield from best_biased(pieces, levels, start, search, biases, named, least, store)
    return best_of(best.above(query.least_rank), plain, search.count)


def _with_typo(biases: WordBiases, word: str, typo: float) -> WordBias:
    """Return a word's bias with the typo's log-probability added to its boost."""
    bias = biases.of(word)
    return replace(bias, boost=bias.boost + typo)


def _likeliest(
    pieces: Tokenizer,
    levels: AdaptiveSoftmaxLayout,
    start: HashedState,
    alternatives: _Alternatives,
    search: SearchParams,
    least_rank: float,
    store: StateStore,
) -> ModelTask[RankedWords]:
    """Return the best words that begin with a corrected prefix, without biases."""
    frontier = _Frontier(pieces, levels, alternatives, least_rank, search.seen)
    root = _Node((), b"", 0.0, alternatives.likeliest(b""), start)
    frontier.push(root.typo, frontier.open_node(root, start))
    found = RankedWords()
    pace = Pace(SHORT_ROUND)
    while len(found.words) < search.count and (best := frontier.pop()) is not None:
        rank, item = best
        if isinstance(item, _Finished):
            word = pieces.canonical_word(item.pieces)
            likely = item.log_prob >= max(search.min_log_prob, search.floor)
            if likely and word is not None and search.accepts(word):
                found.words.append((rank, ScoredWord(word, item.log_prob)))
            continue
        room = min(_BATCH_ROWS, search.max_expansions - found.expansions)
        if room <= 0:
            found.exact = False
            break
        pending = [item, *frontier.companions(rank, room - 1)]
        entries = frontier.entries
        yield from _expand(frontier, pending, store)
        found.expansions += len(pending)
        work = _ROW_WORK * len(pending) + _ENTRY_WORK * (frontier.entries - entries)
        if pace.is_due(work):
            yield YIELD
    return found


def _expand(
    frontier: _Frontier, pending: Sequence[_Node | _PendingRow], store: StateStore
) -> ModelTask[None]:
    """Request one row per item, unless it is in the store."""
    nodes = [item for item in pending if isinstance(item, _Node)]
    rows = [item for item in pending if isinstance(item, _PendingRow)]
    contexts = yield from advance(store, [(node.context, node.pieces[-1]) for node in nodes])
    rows += map(frontier.open_node, nodes, contexts)
    for row, values in (yield from answered(store, rows)):
        frontier.add_row(row, values)
