"""Next-word search: the likeliest words after a context, ranked by their log-probability.

The probability of a word is the product of the probabilities of its canonical tokens. A node's
log-probability is therefore an upper bound for all words below it.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordgate.decoding.search import (
    BestFirstSearch,
    FinishedWord,
    LazyRow,
    Node,
    PendingRow,
    RankedWords,
    SearchParams,
    SearchResult,
    tokens_of,
)
from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.requests import ModelTask, Row
from wordgate.lm.seen_words import SeenWords

_SORTED_FIRST = 64


@dataclass(eq=False, slots=True)
class _Node(Node):
    """`remaining` is the part of the prefix that is still to be spelled."""

    remaining: bytes


class _NextWordSearch(BestFirstSearch[_Node]):
    """Examines every canonical token sequence, or those of the seen words."""

    def __init__(self, queries: CachedQueries, params: SearchParams, start: HashedState) -> None:
        super().__init__(
            queries,
            params,
            params.batch_margin,
            params.count,
            max(params.min_log_prob, params.floor),
            params.base_entries + params.entries_per_row * params.max_expansions,
            params.entries_after_last_row,
        )
        self.push(0.0, PendingRow(_Node(None, 0, 0.0, start, params.prefix)))

    def add_row(self, pending: PendingRow[_Node], row: Row) -> None:
        """Open the entries of an answered row that agree with the prefix."""
        tokenizer, layout, seen = self.queries.tokenizer, self.queries.layout, self.params.seen
        node, numbers, written = pending.node, None, b""
        if seen is not None:
            tokens = tokens_of(node.trail)
            written = b"".join(map(tokenizer.bytes_of.__getitem__, tokens))
            numbers = self._seen_entries(seen, tokens, written, pending.level)
        if numbers is None:
            numbers = tokenizer.fitting(layout, pending.level, node.remaining)
        entries = _Entries(pending, numbers, row[numbers], written)
        rank = entries.rank()
        if rank is not None:
            self.push(rank, entries)

    def _seen_entries(
        self, seen: SeenWords, tokens: tuple[int, ...], written: bytes, level: int
    ) -> NDArray[np.int64] | None:
        """Return the entries of a level's row that lead to seen words, or None if too many."""
        longest = max(written, self.params.prefix, key=len)
        few = seen.few_from(longest, self.params.few_seen_words)
        if few is None:
            return None
        encoded, length = map(self.queries.tokenizer.encode_word, few), len(tokens)
        following = {word[length] for word in encoded if word[:length] == tokens}
        return self.queries.layout.entries(level, np.array(sorted(following), np.int64))

    def item_of(
        self, pending: PendingRow[_Node], number: int, log_prob: float, base: float, written: bytes
    ) -> PendingRow[_Node] | FinishedWord | _Node | None:
        """Return what an entry opens: the row of a cluster, a finished word, a longer node.

        Return None if no word continues with it. `written` is as in `_Entries`.
        """
        node, layout, tokenizer = pending.node, self.queries.layout, self.queries.tokenizer
        if pending.level == 0 and number >= layout.head:
            return PendingRow(node, number - layout.head + 1, base)
        token = layout.firsts[pending.level] + number
        spelled = tokenizer.bytes_of[token]
        if not self.follows(node, token, written + spelled):
            return None
        trail, length = (node.trail, token), node.length + 1
        if tokenizer.ends_word[token]:
            return FinishedWord(trail, log_prob)
        if length == self.params.max_tokens:
            return None
        return _Node(trail, length, log_prob, node.context, node.remaining[len(spelled) :])


class _Entries(LazyRow):
    """The entries of one row that agree with the prefix, best first, sorted lazily.

    `written` has the bytes of the tokens before them, if only seen words are searched.
    """

    __slots__ = (
        "_all",
        "_next",
        "_numbers",
        "_pending",
        "_values",
        "_written",
    )

    def __init__(
        self,
        pending: PendingRow[_Node],
        numbers: NDArray[np.int64],
        values: Row,
        written: bytes,
    ) -> None:
        self._pending = pending
        self._written = written
        self._next = 0
        self._all = numbers, values
        self._sort(_SORTED_FIRST)

    def _sort(self, count: int) -> None:
        numbers, values = self._all
        order = _best_first(values, count)
        self._numbers: list[int] = numbers[order].tolist()
        self._values: list[float] = values[order].tolist()

    def rank(self) -> float | None:
        """Return the rank of the next entry, or None at the end."""
        if self._next == len(self._values):
            if self._next == len(self._all[0]):
                return None
            self._sort(len(self._all[0]))
        pending = self._pending
        return pending.node.log_prob + (pending.base + self._values[self._next])

    def unfold(self, search: _NextWordSearch, most: int) -> int:
        """Open entries while the row stays at the top of the heap; return how many."""
        heap, opened = search.heap, 0
        while heap[0][2] is self and opened < most:
            rank, number, base = -heap[0][0], self._numbers[self._next], self._values[self._next]
            self._next += 1
            opened += 1
            item = search.item_of(self._pending, number, rank, base, self._written)
            if item is not None:
                search.pushed += 1
                heapq.heappush(heap, (-rank, search.pushed, item))
            following = self.rank()
            if following is None:
                heapq.heappop(heap)
                break
            search.pushed += 1
            heapq.heapreplace(heap, (-following, search.pushed, self))
        return opened


def likeliest_words(
    queries: CachedQueries, start: HashedState, params: SearchParams
) -> ModelTask[SearchResult]:
    """Return the `params.count` likeliest words after a context, best first.

    The search is exact: it considers every canonical token sequence, or those of the seen words.
    Ties are in a fixed order. Probabilities are given the history, not conditioned on the prefix.
    `expansions` counts the rows examined, whether requested or from the store. If `max_expansions`
    or the limit on entries stops the search, the result has the likeliest words found so far.
    """
    return (yield from ranked_words(queries, start, params)).result()


def ranked_words(
    queries: CachedQueries, start: HashedState, params: SearchParams
) -> ModelTask[RankedWords]:
    """Return the likeliest words with their log-probabilities as ranks."""
    if params.seen is not None and not params.seen.begins(params.prefix):
        return RankedWords()
    return (yield from _NextWordSearch(queries, params, start).run())


def _best_first(values: Row, count: int) -> NDArray[np.int64]:
    """Return the indices of the `count` largest values and of ties with the last, largest first."""
    if count >= len(values):
        return (-values).argsort(kind="stable")
    ordered = values.copy()
    ordered.partition(len(values) - count)
    [indices] = (values >= ordered[len(values) - count]).nonzero()
    best: NDArray[np.int64] = indices[(-values[indices]).argsort(kind="stable")]
    return best
