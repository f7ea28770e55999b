"""The best words where some are ranked otherwise than by their log-probability alone.

Knows pieces and ranks; does not know why a word is favoured. Favoured words are few and named, so
their own log-probabilities are computed, best first over their beginnings; all others come from
the search, by log-probability. Both are exact, and so is the best of both together.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wordgate.decoding.search import Found, FoundWord, Search, likeliest_words
from wordgate.lm.adaptive_softmax import Levels
from wordgate.lm.cached_queries import Context, advance, answered
from wordgate.lm.requests import PAUSE, SHORT_ROUND, Asks, Pace, Row
from wordgate.lm.state_store import StateStore
from wordgate.lm.tokenizer import Pieces

_TOGETHER = 8
_WORTH_TOGETHER = 1.0
_WORD_WORK, _ROW_WORK = 8, 100


@dataclass(frozen=True, slots=True)
class Favour:
    """Why a word is ranked otherwise: the share of another model, and what is added to its rank.

    A word's probability is (1 - weight) p(model) + `share`, see `Favours`; its rank the logarithm
    of that, plus `boost`.
    """

    share: float = 0.0
    boost: float = 0.0


_NO_FAVOUR = Favour()


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

    def of(self, word: str) -> Favour:
        """Why this word is ranked otherwise: for no reason, where it is not named."""
        return self.words.get(word, _NO_FAVOUR)

    def log_prob(self, log_prob: float, share: float) -> float:
        """The logarithm of a word's probability, both models taken together."""
        ours = log_prob + self.offset
        if not share:
            return ours
        theirs = math.log(share)
        return max(ours, theirs) + math.log1p(math.exp(-abs(ours - theirs)))


@dataclass
class Ranked:
    """Words with their ranks, the best first; `exact` unless a bound was hit."""

    words: list[tuple[float, FoundWord]] = field(default_factory=list)
    exact: bool = True
    expansions: int = 0

    def added(self, offset: float) -> "Ranked":
        """The same with so much added to ranks and log-probabilities."""
        words = [
            (rank + offset, FoundWord(word.word, word.log_prob + offset))
            for rank, word in self.words
        ]
        return Ranked(words, self.exact, self.expansions)

    def above(self, rank: float) -> "Ranked":
        """Those of a better rank alone."""
        words = [entry for entry in self.words if entry[0] > rank]
        return Ranked(words, self.exact, self.expansions)

    def least(self, count: int, otherwise: float) -> float:
        """What others must reach to be among the best `count` too."""
        return max(self.words[-1][0], otherwise) if len(self.words) >= count else otherwise


def best_of(first: Ranked, second: Ranked, count: int) -> Found:
    """The best of both; of equal ranks the first ones'."""
    ranked = heapq.nsmallest(count, [*first.words, *second.words], key=lambda entry: -entry[0])
    return Found(
        [word for _, word in ranked],
        first.exact and second.exact,
        first.expansions + second.expansions,
    )


def best_words(
    pieces: Pieces,
    levels: Levels,
    start: Context,
    search: Search,
    favours: Favours,
    store: StateStore,
) -> Asks[Found]:
    """The `search.count` best words after a context by rank, equal ones in a fixed order.

    Log-probabilities are of both models together; ranks are not told. `search.max_expansions`
    bounds the rows for favoured words, and those for all others.
    """
    if not favours.words:
        return (yield from likeliest_words(pieces, levels, start, search, store))
    others = replace(
        search,
        accepts=lambda word: word not in favours.words and search.accepts(word),
        min_log_prob=search.min_log_prob - favours.offset,
    )
    found = yield from likeliest_words(pieces, levels, start, others, store)
    plain = Ranked([(word.log_prob, word) for word in found.words], found.exact, found.expansions)
    plain = plain.added(favours.offset)
    fitting = {
        word: favour
        for word, favour in favours.words.items()
        if word.encode("utf-8").startswith(search.prefix) and search.accepts(word)
    }
    least = plain.least(search.count, -math.inf)
    best = yield from best_favoured(pieces, levels, start, search, favours, fitting, least, store)
    return best_of(best, plain, search.count)


_Encoded = tuple[tuple[int, ...], str, Favour]
"""A favoured word with its pieces."""


@dataclass(frozen=True, eq=False, slots=True)
class _Node:
    """A beginning of favoured words: `context` has read all but the last of its pieces."""

    pieces: tuple[int, ...]
    log_prob: float
    words: Sequence[_Encoded]
    context: Context


@dataclass(frozen=True, eq=False, slots=True)
class _Unasked:
    """A row that says how a beginning goes on to `words`; its context has read all of it.

    `base` is the cluster's own log-probability.
    """

    node: _Node
    words: Sequence[_Encoded]
    level: int
    base: float

    @property
    def log_prob(self) -> float:
        """That of all the words of the cluster together bounds that of each."""
        return self.node.log_prob + self.base


_Open = _Node | _Unasked | FoundWord


class _Frontier:
    """All that is open, the best rank first.

    The greatest share and the greatest boost of its words bound what may come of a beginning.
    """

    def __init__(
        self, levels: Levels, favours: Favours, min_log_prob: float, least_rank: float
    ) -> None:
        self._levels = levels
        self._favours = favours
        self._min_log_prob = min_log_prob
        self._least_rank = least_rank
        self._heap: list[tuple[float, int, _Open]] = []
        self._pushed = 0

    def push(self, item: _Node | _Unasked) -> None:
        """Open a beginning, or a row of it."""
        log_prob = item.log_prob
        share = max(favour.share for _, _, favour in item.words)
        boost = max(favour.boost for _, _, favour in item.words)
        self._push(self._favours.log_prob(log_prob, share) + boost, item)

    def pop(self) -> tuple[float, _Open] | None:
        """The best of all that is open."""
        if not self._heap:
            return None
        negative, _, item = heapq.heappop(self._heap)
        return -negative, item

    def companions(self, rank: float, room: int) -> Iterator[_Node | _Unasked]:
        """What is open close behind a rank and before the next word, `room` at most."""
        while room > 0 and self._heap and -self._heap[0][0] >= rank - _WORTH_TOGETHER:
            item = self._heap[0][2]
            if isinstance(item, FoundWord):
                return
            heapq.heappop(self._heap)
            room -= 1
            yield item

    def add_row(self, asked: _Unasked, row: Row) -> None:
        """Open what follows by an answered row."""
        node, level = asked.node, asked.level
        rarer: dict[int, list[_Encoded]] = {}
        for piece, words in _by_next(asked.words, len(node.pieces)).items():
            of_piece = self._levels.of(piece)
            if of_piece == level:
                value = float(row[piece - self._levels.first(level)])
                self._open_piece(asked, piece, asked.base + value, words)
            elif level == 0:
                rarer.setdefault(of_piece, []).extend(words)
        for cluster, words in rarer.items():
            base = float(row[self._levels.head + cluster - 1])
            self.push(_Unasked(node, words, cluster, base))

    def _open_piece(
        self, asked: _Unasked, piece: int, gain: float, words: Sequence[_Encoded]
    ) -> None:
        """A piece that ends its word ends all of these, which are one: no two are cut alike."""
        node = asked.node
        pieces, log_prob = (*node.pieces, piece), node.log_prob + gain
        encoded, text, favour = words[0]
        if len(encoded) > len(pieces):
            self.push(_Node(pieces, log_prob, words, node.context))
            return
        log_prob = self._favours.log_prob(log_prob, favour.share)
        if log_prob >= self._min_log_prob:
            self._push(log_prob + favour.boost, FoundWord(text, log_prob))

    def _push(self, rank: float, item: _Open) -> None:
        if rank >= self._least_rank:
            self._pushed += 1
            heapq.heappush(self._heap, (-rank, self._pushed, item))


def best_favoured(
    pieces: Pieces,
    levels: Levels,
    start: Context,
    search: Search,
    favours: Favours,
    words: Mapping[str, Favour],
    least_rank: float,
    store: StateStore,
) -> Asks[Ranked]:
    """The best of `words`, each with the favour that it has here: `search.count` at most.

    Those below `least_rank` are not looked for. The search's prefix and what it accepts are not
    looked at, and its `min_log_prob` is of both models together.
    """
    pace = Pace(SHORT_ROUND)
    texts = sorted(words)
    each = yield from pace.run(pieces.encoding_each(texts))
    encoded = [(cut, word, words[word]) for cut, word in zip(each, texts, strict=True)]
    frontier = _Frontier(levels, favours, search.min_log_prob, least_rank)
    if encoded:
        frontier.push(_Unasked(_Node((), 0.0, encoded, start), encoded, 0, 0.0))
    if pace.is_due(_WORD_WORK * len(encoded)):
        yield PAUSE
    found = Ranked()
    while len(found.words) < search.count and (best := frontier.pop()) is not None:
        rank, item = best
        if isinstance(item, FoundWord):
            found.words.append((rank, item))
            continue
        room = min(_TOGETHER, search.max_expansions - found.expansions)
        if room <= 0:
            found.exact = False
            break
        asked = [item, *frontier.companions(rank, room - 1)]
        yield from _expand(frontier, asked, store)
        found.expansions += len(asked)
        if pace.is_due(sum(_ROW_WORK + _WORD_WORK * len(each.words) for each in asked)):
            yield PAUSE
    return found


def _expand(
    frontier: _Frontier, asked: Sequence[_Node | _Unasked], store: StateStore
) -> Asks[None]:
    """Ask for one row of each of these, unless the store has it."""
    nodes = [item for item in asked if isinstance(item, _Node)]
    rows = [item for item in asked if isinstance(item, _Unasked)]
    contexts = yield from advance(store, [(node.context, node.pieces[-1]) for node in nodes])
    for node, context in zip(nodes, contexts, strict=True):
        rows.append(_Unasked(replace(node, context=context), node.words, 0, 0.0))
    for row, values in (yield from answered(store, rows)):
        frontier.add_row(row, values)


def _by_next(words: Iterable[_Encoded], place: int) -> dict[int, list[_Encoded]]:
    """Words by their piece at a place, in the order in which the pieces first come."""
    found: dict[int, list[_Encoded]] = {}
    for word in words:
        found.setdefault(word[0][place], []).append(word)
    return found
