"""The likeliest next words: exact best-first search over pieces.

Knows pieces, output levels and what to ask of a model; does not know onnxruntime or who is asking.

The probability of a word is the product of its canonical pieces, so a node's own log-probability
bounds all that lies below it. The search always continues at the best open node; when a finished
word is the best of all that is open, nothing can beat it any more. A cluster of rare pieces is an
open node like any other. Nodes near the best one are expanded with it in the same call, which
changes no answer: it only finds the same words in fewer calls.
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
from wordgate.text.steps import Steps
from wordgate.text.words import MAX_WORD_CHARACTERS

DEFAULT_MAX_EXPANSIONS = 2000
_TOGETHER = 8
_WORTH_TOGETHER = 2.5
_SORTED_FIRST = 64
_LEAST_ENTRIES, _ENTRIES_A_ROW = 10_000, 20
"""Entries of rows that a search looks at, in all: fewer than ten a row are usual."""

_FEW = 16
"""Up to this many seen words with one prefix are cut into pieces, and only their entries of a row
are looked at."""

_ROW_WORK = 200
_ENTRIES_A_STEP, _ENTRY_WORK = 32, 6
_FINISHED_WORK = 40

_LAST_ENTRIES = 5000
"""Entries that it looks at for words that are already there, when no row may be asked for."""

_MAX_PIECES = 4 * MAX_WORD_CHARACTERS
"""No word has more: a piece has a byte or more, a character at most four."""


@dataclass(frozen=True)
class SearchParams:
    """What to look for: the `count` likeliest words that begin with the bytes of `prefix`.

    `accepts` says whether a word (in normal form) may be answered. Words below
    `min_log_prob` are not looked for. After `max_expansions` rows of the output layer the search
    goes no further, answers what it has found and says that it is not exact. With `seen`, only its
    words are looked for. `floor` bounds words as `min_log_prob` does, but not biased ones.
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
    """The likeliest words, best first; `exact` unless a bound was hit before they were proven."""

    words: list[ScoredWord] = field(default_factory=list)
    exact: bool = True
    expansions: int = 0


_Trail = tuple[Any, int] | None
"""A last piece and the trail before it. A search opens hundreds of thousands of beginnings, which
share their trails; lists of their pieces would take a gigabyte."""


@dataclass(eq=False, slots=True)  # never changed; frozen ones take three times as long to make
class _Node:
    """`length` pieces of an unfinished word: `context` has read all but the last of them."""

    trail: "_Trail"
    length: int
    log_prob: float
    context: HashedState
    remaining: bytes


@dataclass(eq=False, slots=True)
class _PendingRow:
    """A row that was not asked for yet: `base` is its cluster's own log-probability."""

    node: _Node
    level: int
    base: float


class _Children:
    """The entries of one row that fit the prefix, best first, sorted only as far as needed.

    `written` is what the pieces before them write, where only seen words are looked for.
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
        """The log-probability of the next entry within its row; None when there is none."""
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
        """All pieces of the word."""
        return _pieces_of(self.trail)


def _pieces_of(trail: _Trail) -> tuple[int, ...]:
    found = []
    while trail is not None:
        trail, piece = trail
        found.append(piece)
    return tuple(reversed(found))


_Open = _Node | _PendingRow | _Children | _Finished


class _Frontier:
    """All that is open, the likeliest first; equal ones in the order in which they came."""

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
        """Whether as many entries were looked at as may be, so that there may be better ones."""
        return self._entries_left <= 0

    def limit_entries(self, most: int) -> None:
        """Look at so many more entries at most."""
        self._entries_left = min(self._entries_left, most)

    def push(self, log_prob: float, item: _Open) -> None:
        heapq.heappush(self._heap, (-log_prob, self._pushed, item))
        self._pushed += 1

    def settle(self) -> bool:
        """Unfold rows of children, a few at most, until something else is the best of all that is
        open; return whether it is."""
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
        """The best open item, after `settle`."""
        if not self._heap or self._entries_left <= 0:
            return None
        negative, _, item = heapq.heappop(self._heap)
        return -negative, item

    def add_row(self, asked: _PendingRow, row: Row) -> None:
        """Open the entries of an answered row."""
        numbers, written = None, b""
        if self._seen is not None:
            sequence = _pieces_of(asked.node.trail)
            written = b"".join(self._pieces.bytes_of[piece] for piece in sequence)
            numbers = self._seen_entries(self._seen, sequence, written, asked.level)
        if numbers is None:
            numbers = self._pieces.fitting(self._levels, asked.level, asked.node.remaining)
        if len(numbers):
            self._push_children(_Children(asked, numbers, row[numbers], written))

    def _seen_entries(
        self, seen: SeenWords, sequence: tuple[int, ...], written: bytes, level: int
    ) -> NDArray[np.int64] | None:
        """Entries of a level's row that lead to seen words, where these are few."""
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
        asked = children.parent
        if asked.level == 0 and number >= self._levels.head:
            level = number - self._levels.head + 1
            self.push(asked.node.log_prob + value, _PendingRow(asked.node, level, value))
        else:
            self._push_piece(children, self._levels.first(asked.level) + number, value)
        self._push_children(children)

    def _push_piece(self, children: _Children, piece: int, value: float) -> None:
        asked = children.parent
        node = asked.node
        if self._seen is not None:
            written = children.written + self._pieces.bytes_of[piece]
            leads = self._seen.has if self._pieces.ends_word[piece] else self._seen.goes_on
            if not leads(written):
                return
        if node.trail and not self._pieces.adjacent(node.trail[1], piece):
            return
        trail = node.trail, piece
        log_prob = node.log_prob + (asked.base + value)
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
    """The `search.count` likeliest words after a context, best first.

    Exact: every canonical piece sequence is considered (of the seen words, where only these are
    looked for); equal probabilities come in a fixed order.
    `expansions` counts the rows that were looked at, whether asked for or known to the store.
    Where `max_expansions` ends the search, the likeliest of the words found so far; so too where
    it has looked at very many entries that make no words. Sequences that
    are not canonical, no valid UTF-8 or not one word are no words. A probability is the word's own
    after the history, not conditioned on the prefix.
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
            found.exact = False  # goes on with what is known, without the rows it may not ask for
            frontier.limit_entries(_LAST_ENTRIES)
        else:
            room = min(_TOGETHER, search.max_expansions - found.expansions)
            companions = _companions(frontier, log_prob, item, search.count, room)
            unasked = yield from pace.run(companions)
            yield from _expand(frontier, unasked, store)
            found.expansions += len(unasked)
            if pace.is_due(_ROW_WORK * len(unasked)):
                yield YIELD
    return found


def _expand(frontier: _Frontier, unasked: Sequence[_Open], store: StateStore) -> ModelTask[None]:
    """Ask for one row of each of these, unless the store has it."""
    nodes = [entry for entry in unasked if isinstance(entry, _Node)]
    rows = [entry for entry in unasked if isinstance(entry, _PendingRow)]
    if nodes:
        contexts = yield from advance(store, _last_pieces(nodes))
        for node, context in zip(nodes, contexts, strict=True):
            grown = _Node(node.trail, node.length, node.log_prob, context, node.remaining)
            rows.append(_PendingRow(grown, 0, 0.0))
    for row, values in (yield from answered(store, rows)):
        frontier.add_row(row, values)


def _last_pieces(nodes: Sequence[_Node]) -> list[tuple[HashedState, int]]:
    """The piece that each node's context has not read."""
    return [(node.context, node.trail[1]) for node in nodes if node.trail]


def _companions(
    frontier: _Frontier, best: float, item: _Open, wanted_words: int, room: int
) -> Steps[list[_Open]]:
    """The item and open ones close behind it, `room` in all, fewer when enough words would be
    finished."""
    taken = [item]
    set_aside: list[tuple[float, _Open]] = []
    while len(taken) < room and len(set_aside) < wanted_words:
        while not frontier.settle():
            yield _ENTRY_WORK * _ENTRIES_A_STEP
        following = frontier.pop()
        if following is None:
            break
        if following[0] < best - _WORTH_TOGETHER:
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
    """Places of the `count` largest values (and of their equals), the first of equals first."""
    if count >= len(values):
        return np.argsort(-values, kind="stable")
    least = np.partition(values, len(values) - count)[len(values) - count]
    places = np.flatnonzero(values >= least)
    return places[np.argsort(-values[places], kind="stable")]
