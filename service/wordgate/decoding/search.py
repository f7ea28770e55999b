"""Next-word search: exact best-first search over tokens for the likeliest words.

The probability of a word is the product of the probabilities of its canonical tokens. A node's
log-probability is therefore an upper bound for all words below it. The search always expands the
best open node; once a finished word is the best open item, no other word can beat it. A cluster of
rare tokens is an open node like any other. Nodes close to the best one are expanded in the same
batch. This needs fewer inferences and gives the same words.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import HashedState, advance, answered
from wordgate.lm.requests import SHORT_ROUND, YIELD, ModelTask, Pace, Row
from wordgate.lm.seen_words import SeenWords
from wordgate.lm.state_store import StateStore
from wordgate.lm.tokenizer import Tokenizer
from wordgate.text.cooperative_steps import Steps
from wordgate.text.words import MAX_WORD_CHARACTERS

DEFAULT_MAX_EXPANSIONS = 2000
_BATCH_ROWS = 8
_BATCH_MARGIN = 2.5
_SORTED_FIRST = 64
_LEAST_ENTRIES, _ENTRIES_A_ROW = 10_000, 20
"""Limit on the entries that a search examines: a base and an allowance per row. Most searches
examine fewer than ten entries per row."""

_FEW = 16
"""If at most this many seen words have the prefix, they are tokenized and only their entries are
examined."""

_ROW_WORK = 200
_ENTRIES_A_STEP, _ENTRY_WORK = 32, 6
_FINISHED_WORK = 40

_LAST_ENTRIES = 5000
"""Entries to examine for words in known rows after the last row was requested."""

_MAX_PIECES = 4 * MAX_WORD_CHARACTERS
"""Maximum length of a word in tokens: one token per byte, four bytes per character."""


@dataclass(frozen=True)
class SearchParams:
    """Search parameters: find the `count` likeliest words that begin with the bytes of `prefix`.

    `accepts` tells whether a word (in normal form) may be returned. Words below `min_log_prob` are
    skipped. After `max_expansions` output rows the search stops, returns what it has found and
    marks the result as not exact. With `seen`, only its words are searched. `floor` is a further
    minimum, which does not apply to biased words.
    """

    count: int
    prefix: bytes = b""
    accepts: Callable[[str], bool] = lambda word: True
    min_log_prob: float = -np.inf
    max_expansions: int = DEFAULT_MAX_EXPANSIONS
    seen: SeenWords | None = None
    floor: float = -np.inf


@dataclass(frozen=True)
class ScoredWord:
    """A word in normal form and its log-probability (natural logarithm)."""

    word: str
    log_prob: float


@dataclass
class SearchResult:
    """The likeliest words, best first.

    `exact` is false if a limit was reached before they were proven to be the likeliest.
    """

    words: list[ScoredWord] = field(default_factory=list)
    exact: bool = True
    expansions: int = 0


_Trail = tuple[Any, int] | None
"""A token and the trail before it: a linked list. A search opens hundreds of thousands of nodes,
which share their trails. Separate lists of tokens would take a gigabyte."""


@dataclass(eq=False, slots=True)  # immutable by convention; frozen takes 3 times as long to create
class _Node:
    """`length` tokens of an unfinished word. `context` has read all but the last.

    `remaining` is the part of the prefix that is still to be spelled.
    """

    trail: "_Trail"
    length: int
    log_prob: float
    context: HashedState
    remaining: bytes


@dataclass(eq=False, slots=True)
class _PendingRow:
    """An output row to request. `base` is the log-probability of its cluster."""

    node: _Node
    level: int
    base: float


class _Children:
    """The entries of one row that agree with the prefix, best first, sorted lazily.

    `written` has the bytes of the tokens before them, if only seen words are searched.
    """

    __slots__ = ("_all", "_values", "next", "numbers", "parent", "written")

    def __init__(
        self, parent: _PendingRow, numbers: NDArray[np.int64], values: Row, written: bytes
    ) -> None:
        self.parent = parent
        self.written = written
        self.next = 0
        self._all = numbers, values
        self._sort(_SORTED_FIRST)

    def _sort(self, count: int) -> None:
        numbers, values = self._all
        order = _best_first(values, count)
        self.numbers: list[int] = numbers[order].tolist()
        self._values: list[float] = values[order].tolist()

    def peek(self) -> float | None:
        """Return the value of the next entry in its row, or None at the end."""
        if self.next == len(self._values):
            if self.next == len(self._all[0]):
                return None
            self._sort(self.next + len(self._all[0]))
        return self._values[self.next]


@dataclass(eq=False, slots=True)
class _Finished:
    trail: _Trail

    @property
    def pieces(self) -> tuple[int, ...]:
        """All tokens of the word."""
        return _pieces_of(self.trail)


def _pieces_of(trail: _Trail) -> tuple[int, ...]:
    found = []
    while trail is not None:
        trail, piece = trail
        found.append(piece)
    return tuple(reversed(found))


_Open = _Node | _PendingRow | _Children | _Finished


class _Frontier:
    """The priority queue of open items, likeliest first, ties in insertion order."""

    def __init__(
        self, pieces: Tokenizer, levels: AdaptiveSoftmaxLayout, search: SearchParams, entries: int
    ) -> None:
        self._pieces = pieces
        self._levels = levels
        self._seen = search.seen
        self._prefix = search.prefix
        self._heap: list[tuple[float, int, _Open]] = []
        self._pushed = 0
        self._entries_left = entries

    @property
    def is_spent(self) -> bool:
        """Whether the limit on entries was reached, so that the result may not be exact."""
        return self._entries_left <= 0

    def limit_entries(self, most: int) -> None:
        """Examine at most this many more entries."""
        self._entries_left = min(self._entries_left, most)

    def push(self, log_prob: float, item: _Open) -> None:
        heapq.heappush(self._heap, (-log_prob, self._pushed, item))
        self._pushed += 1

    def settle(self) -> bool:
        """Unfold a few entries of rows; return whether the best open item is not a row any more."""
        for _ in range(_ENTRIES_A_STEP):
            if not self._heap or self._entries_left <= 0:
                return True
            item = self._heap[0][2]
            if not isinstance(item, _Children):
                return True
            heapq.heappop(self._heap)
            self._entries_left -= 1
            self._unfold(item)
        return False

    def pop(self) -> tuple[float, _Open] | None:
        """Remove and return the best open item. Call `settle` first."""
        if not self._heap or self._entries_left <= 0:
            return None
        negative, _, item = heapq.heappop(self._heap)
        return -negative, item

    def add_row(self, pending: _PendingRow, row: Row) -> None:
        """Add the entries of an answered row."""
        numbers, written = None, b""
        if self._seen is not None:
            sequence = _pieces_of(pending.node.trail)
            written = b"".join(self._pieces.bytes_of[piece] for piece in sequence)
            numbers = self._seen_entries(self._seen, sequence, written, pending.level)
        if numbers is None:
            numbers = self._pieces.fitting(self._levels, pending.level, pending.node.remaining)
        if len(numbers):
            self._push_children(_Children(pending, numbers, row[numbers], written))

    def _seen_entries(
        self, seen: SeenWords, sequence: tuple[int, ...], written: bytes, level: int
    ) -> NDArray[np.int64] | None:
        """Return the entries of a level's row that lead to seen words, or None if too many."""
        few = seen.few_from(max(written, self._prefix, key=len), _FEW)
        if few is None:
            return None
        cut, length = map(self._pieces.encode_word, few), len(sequence)
        following = {word[length] for word in cut if word[:length] == sequence}
        return self._levels.entries(level, np.array(sorted(following), np.int64))

    def _push_children(self, children: _Children) -> None:
        best = children.peek()
        if best is not None:
            self.push(children.parent.node.log_prob + (children.parent.base + best), children)

    def _unfold(self, children: _Children) -> None:
        value = children.peek()
        if value is None:
            return
        number = children.numbers[children.next]
        children.next += 1
        pending = children.parent
        if pending.level == 0 and number >= self._levels.head:
            level = number - self._levels.head + 1
            self.push(pending.node.log_prob + value, _PendingRow(pending.node, level, value))
        else:
            self._push_piece(children, self._levels.first(pending.level) + number, value)
        self._push_children(children)

    def _push_piece(self, children: _Children, piece: int, value: float) -> None:
        pending = children.parent
        node = pending.node
        if self._seen is not None:
            written = children.written + self._pieces.bytes_of[piece]
            leads = self._seen.has if self._pieces.ends_word[piece] else self._seen.goes_on
            if not leads(written):
                return
        if node.trail and not self._pieces.adjacent(node.trail[1], piece):
            return
        trail = node.trail, piece
        log_prob = node.log_prob + (pending.base + value)
        if self._pieces.ends_word[piece]:
            self.push(log_prob, _Finished(trail))
        elif node.length + 1 < _MAX_PIECES:
            remaining = node.remaining[len(self._pieces.bytes_of[piece]) :]
            longer = _Node(trail, node.length + 1, log_prob, node.context, remaining)
            self.push(log_prob, longer)


def likeliest_words(
    pieces: Tokenizer,
    levels: AdaptiveSoftmaxLayout,
    start: HashedState,
    search: SearchParams,
    store: StateStore,
) -> ModelTask[SearchResult]:
    """Return the `search.count` likeliest words after a context, best first.

    The search is exact: it considers every canonical token sequence, or those of the seen words.
    Sequences that are not canonical, not valid UTF-8 or not a single word are skipped. Ties are in
    a fixed order. Probabilities are given the history, not conditioned on the prefix. `expansions`
    counts the rows examined, whether requested or from the store. If `max_expansions` or the limit
    on entries stops the search, the result has the likeliest words found so far.
    """
    if search.seen is not None and not search.seen.begins(search.prefix):
        return SearchResult()
    least = max(search.min_log_prob, search.floor)
    entries = _LEAST_ENTRIES + _ENTRIES_A_ROW * search.max_expansions
    frontier = _Frontier(pieces, levels, search, entries)
    root = _Node(None, 0, 0.0, start, search.prefix)
    frontier.push(0.0, _PendingRow(root, 0, 0.0))
    found = SearchResult()
    pace = Pace(SHORT_ROUND)
    while len(found.words) < search.count:
        while not frontier.settle():
            if pace.is_due(_ENTRY_WORK * _ENTRIES_A_STEP):
                yield YIELD
        best = frontier.pop()
        if best is None or best[0] < least:
            found.exact = found.exact and not frontier.is_spent
            break
        log_prob, item = best
        if isinstance(item, _Finished):
            word = pieces.canonical_word(item.pieces)
            if word is not None and search.accepts(word):
                found.words.append(ScoredWord(word, log_prob))
            if pace.is_due(_FINISHED_WORK):
                yield YIELD
        elif found.expansions >= search.max_expansions:
            found.exact = False  # continue with the known rows only
            frontier.limit_entries(_LAST_ENTRIES)
        else:
            room = min(_BATCH_ROWS, search.max_expansions - found.expansions)
            companions = _companions(frontier, log_prob, item, search.count, room)
            batch = yield from pace.run(companions)
            yield from _expand(frontier, batch, store)
            found.expansions += len(batch)
            if pace.is_due(_ROW_WORK * len(batch)):
                yield YIELD
    return found


def _expand(frontier: _Frontier, batch: Sequence[_Open], store: StateStore) -> ModelTask[None]:
    """Request one row per item, unless it is in the store."""
    nodes = [entry for entry in batch if isinstance(entry, _Node)]
    rows = [entry for entry in batch if isinstance(entry, _PendingRow)]
    if nodes:
        contexts = yield from advance(store, _last_pieces(nodes))
        for node, context in zip(nodes, contexts, strict=True):
            grown = _Node(node.trail, node.length, node.log_prob, context, node.remaining)
            rows.append(_PendingRow(grown, 0, 0.0))
    for row, values in (yield from answered(store, rows)):
        frontier.add_row(row, values)


def _last_pieces(nodes: Sequence[_Node]) -> list[tuple[HashedState, int]]:
    """Return each node's context and its last token, which the context has not read."""
    return [(node.context, node.trail[1]) for node in nodes if node.trail]


def _companions(
    frontier: _Frontier, best: float, item: _Open, wanted_words: int, room: int
) -> Steps[list[_Open]]:
    """Return the item and the open items close behind it, at most `room`, to expand together.

    Stop early once enough finished words are among the best.
    """
    taken = [item]
    set_aside: list[tuple[float, _Open]] = []
    while len(taken) < room and len(set_aside) < wanted_words:
        while not frontier.settle():
            yield _ENTRY_WORK * _ENTRIES_A_STEP
        following = frontier.pop()
        if following is None:
            break
        if following[0] < best - _BATCH_MARGIN:
            set_aside.append(following)
            break
        if isinstance(following[1], _Finished):
            set_aside.append(following)
        else:
            taken.append(following[1])
    for value, finished in set_aside:
        frontier.push(value, finished)
    return taken


def _best_first(values: Row, count: int) -> NDArray[np.int64]:
    """Return the indices of the `count` largest values and of ties with the last, largest first."""
    if count >= len(values):
        return np.argsort(-values, kind="stable")
    least = np.partition(values, len(values) - count)[len(values) - count]
    places = np.flatnonzero(values >= least)
    return places[np.argsort(-values[places], kind="stable")]
