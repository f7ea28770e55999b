"""Words that were meant where a finger slipped: exact best-first search over what may be meant.

Knows pieces, output levels and slips; does not know who is asking. A word's rank is
log P(word | history) + log P(typed | word); the probability of the pieces so far and of the
likeliest slip that they still fit bounds all that may follow, as in `core.search`.
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordgate.core.asks import Asks, Row
from wordgate.core.known import Context, advance, level_rows
from wordgate.core.levels import Levels
from wordgate.core.pieces import Pieces
from wordgate.core.search import FoundWord
from wordgate.core.state_store import StateStore

LEAST_RANK = -25.0
"""Less likely words are no corrections of anything."""

_MAX_EXPANSIONS = 100

Alternative = tuple[bytes, float]
"""What is still to come of a beginning that may be meant, and the log-probability of the slip."""


@dataclass(frozen=True)
class Slip:
    """What may be meant, with log P(typed | meant), and whether the word is finished.

    Words of `least_rank` or less are not looked for. `accepts` says whether a word (in normal
    form) may be answered.
    """

    meant: dict[str, float]
    is_finished: bool
    least_rank: float
    accepts: Callable[[str], bool]


@dataclass(frozen=True, eq=False, slots=True)
class _Node:
    """Pieces of a word: `context` has read all but the last, `alternatives` are still possible."""

    pieces: tuple[int, ...]
    log_prob: float
    context: Context
    alternatives: Sequence[Alternative]


@dataclass(frozen=True, eq=False, slots=True)
class _Unasked:
    """A row to be asked for: `base` is its cluster's own log-probability."""

    node: _Node
    level: int
    base: float


@dataclass(frozen=True, eq=False, slots=True)
class _Finished:
    word: str
    log_prob: float


_Open = _Node | _Unasked | _Finished


class _Frontier:
    """All that is open, the best rank first."""

    def __init__(self, pieces: Pieces, levels: Levels, slip: Slip) -> None:
        self._pieces = pieces
        self._levels = levels
        self._slip = slip
        self._heap: list[tuple[float, int, _Open]] = []
        self._pushed = 0

    def push(self, rank: float, item: _Open) -> None:
        if rank > self._slip.least_rank:
            self._pushed += 1
            heapq.heappush(self._heap, (-rank, self._pushed, item))

    def pop(self) -> _Open | None:
        return heapq.heappop(self._heap)[2] if self._heap else None

    def add_row(self, asked: _Unasked, row: Row) -> None:
        """Open the entries of an answered row that are likely enough."""
        node, level = asked.node, asked.level
        numbers, slips = _fitting(self._pieces, node.alternatives, self._slip.is_finished)
        first, after = self._levels.first(level), self._levels.cuts[level]
        here = (numbers >= first) & (numbers < after)
        base = node.log_prob + asked.base
        ranks = base + row[numbers[here] - first].astype(np.float64) + slips[here]
        for place in np.flatnonzero(ranks > self._slip.least_rank):
            piece = int(numbers[here][place])
            self._open_piece(asked, piece, float(row[piece - first]))
        for cluster in range(1, self._levels.count if level == 0 else 0):
            inside = self._levels.of_many(numbers) == cluster
            if inside.any():
                value = float(row[self._levels.head + cluster - 1])
                rank = base + value + float(slips[inside].max())
                self.push(rank, _Unasked(node, cluster, value))

    def _open_piece(self, asked: _Unasked, piece: int, value: float) -> None:
        node = asked.node
        if node.pieces and not self._pieces.adjacent(node.pieces[-1], piece):
            return
        log_prob = node.log_prob + (asked.base + value)
        pieces = (*node.pieces, piece)
        ends = bool(self._pieces.ends_word[piece])
        is_finished = self._slip.is_finished
        left = _left(node.alternatives, self._pieces.bytes_of[piece], ends, is_finished)
        if not left:
            return
        rank = log_prob + max(slip for _, slip in left)
        if not ends:
            self.push(rank, _Node(pieces, log_prob, node.context, left))
            return
        word = self._pieces.canonical_word(pieces)
        if word is not None and self._slip.accepts(word):
            self.push(rank, _Finished(word, log_prob))


def corrections(
    pieces: Pieces, levels: Levels, start: Context, slip: Slip, count: int, store: StateStore
) -> Asks[list[FoundWord]]:
    """The `count` best words that may be meant, best first, with their own log-probabilities.

    Exact, unless it had to stop after a hundred rows: then those found so far.
    """
    frontier = _Frontier(pieces, levels, slip)
    alternatives = [(text.encode("utf-8"), value) for text, value in slip.meant.items()]
    if alternatives:
        root = _Node((), 0.0, start, alternatives)
        frontier.push(max(value for _, value in alternatives), _Unasked(root, 0, 0.0))
    found: list[FoundWord] = []
    expansions = 0
    while len(found) < count and expansions < _MAX_EXPANSIONS:
        item = frontier.pop()
        if item is None:
            break
        if isinstance(item, _Finished):
            found.append(FoundWord(item.word, item.log_prob))
            continue
        expansions += 1
        unasked = item
        if isinstance(unasked, _Node):
            [context] = yield from advance(store, [(unasked.context, unasked.pieces[-1])])
            grown = _Node(unasked.pieces, unasked.log_prob, context, unasked.alternatives)
            unasked = _Unasked(grown, 0, 0.0)
        [row] = yield from level_rows(store, unasked.level, [unasked.node.context])
        frontier.add_row(unasked, row)
    return found


def _left(
    alternatives: Iterable[Alternative], written: bytes, ends: bool, is_finished: bool
) -> list[Alternative]:
    """What is left of the alternatives after a piece that writes these bytes."""
    left = []
    for text, slip in alternatives:
        if is_finished and (ends != (text == written) or not text.startswith(written)):
            continue
        if text.startswith(written) and not (ends and text != written):
            left.append((text[len(written) :], slip))
        elif written.startswith(text):
            left.append((b"", slip))
    return left


def _fitting(
    pieces: Pieces, alternatives: Sequence[Alternative], is_finished: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The pieces that some alternative can go on with, and the likeliest slip of each."""
    best: dict[int, float] = {}
    for text, slip in sorted(alternatives, key=lambda entry: -entry[1]):
        for piece in pieces.continuations(text).tolist():
            if piece not in best and (not is_finished or _fits_finished(pieces, piece, text)):
                best[piece] = slip
    numbers = np.fromiter(best, np.int64, len(best))
    return numbers, np.fromiter(best.values(), np.float64, len(best))


def _fits_finished(pieces: Pieces, piece: int, text: bytes) -> bool:
    """Whether a finished word that is `text` can go on with a piece."""
    written = pieces.bytes_of[piece]
    return bool(pieces.ends_word[piece]) == (written == text) and text.startswith(written)
