"""Exact best-first search over the prefix tree of tokens.

A rank is a word's log-probability, with biases or typos added. The rank of a node is an upper bound
for all words below it. The search always expands the best open node; once a finished word is the
best open item, no other word can beat it. A cluster of rare tokens is an open node like any other.
Nodes close to the best one are expanded in the same batch. This needs fewer inferences and gives
the same words.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.requests import YIELD, ModelTask, Row
from wordgate.lm.seen_words import SeenWords
from wordgate.text.words import MAX_WORD_CHARACTERS

DEFAULT_MAX_EXPANSIONS = 2000
_ENTRIES_PER_CHECK = 32
"""Entries of rows to unfold between two checks of the time slice."""


@dataclass(frozen=True)
class SearchParams:
    """Search parameters: find the `count` best words that begin with the bytes of `prefix`.

    `accepts` tells whether a word (in normal form) may be returned. Words below `min_log_prob` are
    skipped. After `max_expansions` output rows the search stops, returns what it has found and
    marks the result as not exact. With `seen`, only its words are searched. `floor` is a further
    minimum, which does not apply to biased words. The other fields only tune the search.
    """

    count: int
    prefix: bytes = b""
    accepts: Callable[[str], bool] = lambda word: True
    min_log_prob: float = -math.inf
    max_expansions: int = DEFAULT_MAX_EXPANSIONS
    seen: SeenWords | None = None
    floor: float = -math.inf
    max_tokens: int = 4 * MAX_WORD_CHARACTERS
    """Maximum length of a word: one token per byte, four bytes per character."""
    batch_rows: int = 8
    """Maximum number of rows to request together."""
    batch_margin: float = 2.5
    """Next words: a batch has the nodes that rank at most this many nats below the best one."""
    ranked_batch_margin: float = 1.0
    """Margin for biased words and corrections, in nats."""
    base_entries: int = 10_000
    entries_per_row: int = 20
    """Limit on the entries that a search for next words examines: a base and an allowance per row
    of `max_expansions`. Most searches examine fewer than ten entries per row."""
    entries_after_last_row: int = 5000
    """Entries to examine for words in known rows once `max_expansions` is reached."""
    few_seen_words: int = 16
    """If at most this many seen words have the prefix, only their tokens are examined."""


@dataclass(frozen=True)
class ScoredWord:
    """A word in normal form and its log-probability (natural logarithm)."""

    word: str
    log_prob: float


@dataclass
class SearchResult:
    """The best words, best first.

    `exact` is false if a limit was reached before they were proven to be the best.
    """

    words: list[ScoredWord] = field(default_factory=list)
    exact: bool = True
    expansions: int = 0


@dataclass
class RankedWords:
    """Words with their ranks, best first. `exact` is false if a search limit was reached."""

    words: list[tuple[float, ScoredWord]] = field(default_factory=list)
    exact: bool = True
    expansions: int = 0

    def added(self, offset: float) -> "RankedWords":
        """Return these words with `offset` added to their ranks and log-probabilities."""
        words = [
            (rank + offset, ScoredWord(word.word, word.log_prob + offset))
            for rank, word in self.words
        ]
        return RankedWords(words, self.exact, self.expansions)

    def above(self, rank: float) -> "RankedWords":
        """Return only the words that rank above `rank`."""
        words = [entry for entry in self.words if entry[0] > rank]
        return RankedWords(words, self.exact, self.expansions)

    def least(self, count: int, otherwise: float) -> float:
        """Return the rank that other words must reach to be among the best `count`."""
        return max(self.words[-1][0], otherwise) if len(self.words) >= count else otherwise

    def result(self) -> SearchResult:
        """Return the words without their ranks."""
        return SearchResult([word for _, word in self.words], self.exact, self.expansions)


def best_of(first: RankedWords, second: RankedWords, count: int) -> SearchResult:
    """Merge two ranked lists and keep the best `count`. At equal ranks `first` wins."""
    ranked = heapq.nsmallest(count, [*first.words, *second.words], key=lambda entry: -entry[0])
    return SearchResult(
        [word for _, word in ranked],
        first.exact and second.exact,
        first.expansions + second.expansions,
    )


Trail = tuple[Any, int] | None
"""A token and the trail before it: a linked list. A search opens hundreds of thousands of nodes,
which share their trails. Separate lists of tokens would take a gigabyte."""


def tokens_of(trail: Trail) -> tuple[int, ...]:
    """Return all tokens of a trail."""
    tokens = []
    while trail is not None:
        trail, token = trail
        tokens.append(token)
    return tuple(reversed(tokens))


@dataclass(eq=False, slots=True)
class Node:
    """The first `length` tokens of a word.

    `context` has read all but the last of them, and all once the node is expanded.
    """

    trail: Trail
    length: int
    log_prob: float
    context: HashedState


N = TypeVar("N", bound=Node)


@dataclass(eq=False, slots=True)
class PendingRow(Generic[N]):
    """An output row to request after a node. `base` is the log-probability of its cluster."""

    node: N
    level: int = 0
    base: float = 0.0


@dataclass(eq=False, slots=True)
class FinishedWord:
    """All tokens of a word. `word`, if set, is known to be acceptable."""

    trail: Trail
    log_prob: float
    word: str = ""


class LazyRow:  # not an ABC: isinstance would take ten times as long
    """The successors of a node that are not open yet. It ranks as the best of them.

    It does not refer to its search: a reference cycle would keep an unloaded model in memory.
    """

    __slots__ = ()

    def unfold(self, search: Any, most: int) -> int:
        """Open the best successors while this row, at the top of the heap, stays the best item.

        Opens at most `most`; returns how many.
        """
        raise NotImplementedError


_Item = Node | PendingRow[Any] | FinishedWord | LazyRow
_Entry = tuple[float, int, _Item]
"""An open item after its negative rank and its number, by which ties are in insertion order."""


class BestFirstSearch(Generic[N]):
    """A search for the best words by rank. Subclasses open the successors of expanded nodes.

    A batch has nodes that rank at most `margin` below the best one and above the `passed_words`-th
    finished word. Items below `min_rank` are not expanded. `entries` limits the entries of lazy
    rows, `last_entries` those after the last row.
    """

    def __init__(
        self,
        queries: CachedQueries,
        params: SearchParams,
        margin: float,
        passed_words: int = 1,
        min_rank: float = -math.inf,
        entries: float = math.inf,
        last_entries: int = 0,
    ) -> None:
        self.queries = queries
        self.params = params
        self._margin = margin
        self._passed_words = passed_words
        self._least_rank = min_rank
        self._entries = entries
        self._last_entries = last_entries
        self.heap: list[_Entry] = []
        self.pushed = 0

    def add_row(self, pending: PendingRow[N], row: Row) -> None:
        """Open the successors of a node whose row was answered."""
        raise NotImplementedError

    def push(self, rank: float, item: _Item) -> None:
        """Open an item."""
        self.pushed += 1
        heapq.heappush(self.heap, (-rank, self.pushed, item))

    def follows(self, node: Node, token: int, written: bytes) -> bool:
        """Return whether a token may follow a node. `written` has the bytes of both, if needed."""
        seen = self.params.seen
        if seen is not None:
            ends = self.queries.tokenizer.ends_word[token]
            if not (seen.has(written) if ends else seen.goes_on(written)):
                return False
        return not node.trail or self.queries.tokenizer.adjacent(node.trail[1], token)

    def run(self) -> ModelTask[RankedWords]:
        """Return the best `count` words, best first, with ties in a fixed order."""
        params, time_slice, found = self.params, self.queries.time_slice, RankedWords()
        heap = self.heap
        while len(found.words) < params.count:
            if heap and isinstance(heap[0][2], LazyRow):
                yield from self._unfold()
            if not heap or self._entries <= 0 or -heap[0][0] < self._least_rank:
                break
            negative_rank, _, item = heapq.heappop(heap)
            if isinstance(item, FinishedWord):
                word = self._accepted(item)
                if word is not None:
                    found.words.append((-negative_rank, ScoredWord(word, item.log_prob)))
            elif found.expansions >= params.max_expansions:
                found.exact = False  # continue with the known rows only
                self._entries = min(self._entries, self._last_entries)
            else:
                room = min(params.batch_rows, params.max_expansions - found.expansions)
                batch = [item, *(yield from self._companions(negative_rank, room - 1))]
                yield from self._expand(batch)
                found.expansions += len(batch)
            if time_slice.is_over():
                yield YIELD
        found.exact = found.exact and self._entries > 0
        return found

    def _unfold(self) -> ModelTask[None]:
        """Unfold rows until the best open item is something else, or up to the limit."""
        heap, unchecked = self.heap, 0
        while heap and self._entries > 0 and isinstance(row := heap[0][2], LazyRow):
            opened = row.unfold(self, int(min(_ENTRIES_PER_CHECK, self._entries)))
            self._entries -= opened
            unchecked += opened
            if unchecked >= _ENTRIES_PER_CHECK:
                unchecked = 0
                if self.queries.time_slice.is_over():
                    yield YIELD

    def _companions(self, negative_rank: float, room: int) -> ModelTask[list[_Item]]:
        """Remove and return open items close behind an item, to expand in the same batch.

        Stop early once enough finished words are among the best.
        """
        taken: list[_Item] = []
        passed: list[_Entry] = []
        heap = self.heap
        while len(taken) < room and len(passed) < self._passed_words:
            if heap and isinstance(heap[0][2], LazyRow):
                yield from self._unfold()
            if not heap or self._entries <= 0 or heap[0][0] > negative_rank + self._margin:
                break
            entry = heapq.heappop(heap)
            if isinstance(entry[2], FinishedWord):
                passed.append(entry)
            else:
                taken.append(entry[2])
        for entry in passed:
            heapq.heappush(heap, entry)
        return taken

    def _accepted(self, finished: FinishedWord) -> str | None:
        """Return a finished word if it may be returned.

        Sequences that are not canonical, not valid UTF-8 or not a single word are skipped.
        """
        params = self.params
        if finished.word:
            return finished.word
        if finished.log_prob < max(params.min_log_prob, params.floor):
            return None
        word = self.queries.tokenizer.canonical_word(tokens_of(finished.trail))
        return word if word is not None and params.accepts(word) else None

    def _expand(self, batch: Sequence[Any]) -> ModelTask[None]:
        """Request one row per item, unless it is in the store."""
        nodes: list[Any] = []
        rows: list[PendingRow[N]] = []
        for item in batch:
            (nodes if isinstance(item, Node) else rows).append(item)
        if nodes:
            steps = [(node.context, node.trail[1]) for node in nodes]
            contexts = yield from self.queries.advance(steps)
            for node, context in zip(nodes, contexts, strict=True):
                node.context = context
                rows.append(PendingRow(node))
        for pending, row in (yield from self.queries.answered(rows)):
            self.add_row(pending, row)
