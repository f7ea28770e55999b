"""Next-word search: the likeliest words after a context, ranked by their log-probability.

The probability of a word is the product of the probabilities of its canonical tokens. A node's
log-probability is therefore an upper bound for all words below it.
"""

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
        numbers, written = None, b""
        if seen is not None:
            tokens = tokens_of(pending.node.trail)
            written = b"".join(tokenizer.bytes_of[token] for token in tokens)
            numbers = self._seen_entries(seen, tokens, written, pending.level)
        if numbers is None:
            numbers = tokenizer.fitting(layout, pending.level, pending.node.remaining)
        if len(numbers):
            _Entries(pending, numbers, row[numbers], written).push(self)

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

    def open_entry(
        self, pending: PendingRow[_Node], number: int, value: float, written: bytes
    ) -> None:
        """Open the cluster or the token of an entry. `written` is as in `_Entries`."""
        node, layout, tokenizer = pending.node, self.queries.layout, self.queries.tokenizer
        if pending.level == 0 and number >= layout.head:
            cluster = number - layout.head + 1
            self.push(node.log_prob + value, PendingRow(node, cluster, value))
            return
        token = layout.first(pending.level) + number
        spelled = tokenizer.bytes_of[token]
        if not self.follows(node, token, written + spelled):
            return
        trail, length = (node.trail, token), node.length + 1
        log_prob = node.log_prob + (pending.base + value)
        if tokenizer.ends_word[token]:
            self.push(log_prob, FinishedWord(trail, log_prob))
        elif length < self.params.max_tokens:
            remaining = node.remaining[len(spelled) :]
            self.push(log_prob, _Node(trail, length, log_prob, node.context, remaining))


class _Entries(LazyRow):
    """The entries of one row that agree with the prefix, best first, sorted lazily.

    `written` has the bytes of the tokens before them, if only seen words are searched.
    """

    __slots__ = ("_all", "_next", "_numbers", "_pending", "_values", "_written")

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

    def push(self, search: _NextWordSearch) -> None:
        """Open the row with the rank of the next entry, if there is one."""
        if self._next == len(self._values):
            if self._next == len(self._all[0]):
                return
            self._sort(len(self._all[0]))
        pending = self._pending
        best = self._values[self._next]
        search.push(pending.node.log_prob + (pending.base + best), self)

    def unfold(self, search: _NextWordSearch) -> None:
        """Open the next entry."""
        number, value = self._numbers[self._next], self._values[self._next]
        self._next += 1
        search.open_entry(self._pending, number, value, self._written)
        self.push(search)


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
        return np.argsort(-values, kind="stable")
    least = np.partition(values, len(values) - count)[len(values) - count]
    indices = np.flatnonzero(values >= least)
    return indices[np.argsort(-values[indices], kind="stable")]
