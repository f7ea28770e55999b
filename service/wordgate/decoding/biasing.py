"""The best words where some are ranked otherwise than by their log-probability alone.

Knows pieces and ranks; does not know why a word is biased. Biased words are few and named, so
their own log-probabilities are computed, best first over their beginnings; all others come from
the search, by log-probability. Both are exact, and so is the best of both together.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wordgate.decoding.search import ScoredWord, SearchParams, SearchResult, likeliest_words
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import HashedState, advance, answered
from wordgate.lm.requests import SHORT_ROUND, YIELD, ModelTask, Pace, Row
from wordgate.lm.state_store import StateStore
from wordgate.lm.tokenizer import Tokenizer

_TOGETHER = 8
_WORTH_TOGETHER = 1.0
_WORD_WORK, _ROW_WORK = 8, 100


@dataclass(frozen=True, slots=True)
class WordBias:
    """Bias of one word: the probability mass of the cache model, and a boost in nats.

    The word's probability is (1 - weight) p(model) + `cache_prob`, see `WordBiases`; its rank is
    the logarithm of that plus `boost`.
    """

    cache_prob: float = 0.0
    boost: float = 0.0


_NEUTRAL = WordBias()


@dataclass(frozen=True)
class WordBiases:
    """Biased words in normal form; `weight` is the weight of the other model, 0 to 1.

    The shares of all words add up to `weight`.
    """

    words: Mapping[str, WordBias] = field(default_factory=dict)
    weight: float = 0.0

    @property
    def offset(self) -> float:
        """What all other words have added to their log-probability."""
        return math.log1p(-self.weight)

    def of(self, word: str) -> WordBias:
        """Why this word is ranked otherwise: for no reason, where it is not named."""
        return self.words.get(word, _NEUTRAL)

    def log_prob(self, log_prob: float, share: float) -> float:
        """The logarithm of a word's probability, both models taken together."""
        ours = log_prob + self.offset
        if not share:
            return ours
        theirs = math.log(share)
        return max(ours, theirs) + math.log1p(math.exp(-abs(ours - theirs)))


@dataclass
class RankedWords:
    """Words with their ranks, the best first; `exact` unless a bound was hit."""

    words: list[tuple[float, ScoredWord]] = field(default_factory=list)
    exact: bool = True
    expansions: int = 0

    def added(self, offset: float) -> "RankedWords":
        """The same with so much added to ranks and log-probabilities."""
        words = [
            (rank + offset, ScoredWord(word.word, word.log_prob + offset))
            for rank, word in self.words
        ]
        return RankedWords(words, self.exact, self.expansions)

    def above(self, rank: float) -> "RankedWords":
        """Those of a better rank alone."""
        words = [entry for entry in self.words if entry[0] > rank]
        return RankedWords(words, self.exact, self.expansions)

    def least(self, count: int, otherwise: float) -> float:
        """What others must reach to be among the best `count` too."""
        return max(self.words[-1][0], otherwise) if len(self.words) >= count else otherwise


def best_of(first: RankedWords, second: RankedWords, count: int) -> SearchResult:
    """The best of both; of equal ranks the first ones'."""
    ranked = heapq.nsmallest(count, [*first.words, *second.words], key=lambda entry: -entry[0])
    return SearchResult(
        [word for _, word in ranked],
        first.exact and second.exact,
        first.expansions + second.expansions,
    )


def best_words(
    pieces: Tokenizer,
    levels: AdaptiveSoftmaxLayout,
    start: HashedState,
    search: SearchParams,
    biases: WordBiases,
    store: StateStore,
) -> ModelTask[SearchResult]:
    """The `search.count` best words after a context by rank, equal ones in a fixed order.

    Log-probabilities are of both models together; ranks are not told. `search.max_expansions`
    bounds the rows for biased words, and those for all others.
    """
    if not biases.words:
        return (yield from likeliest_words(pieces, levels, start, search, store))
    others = replace(
        search,
        accepts=lambda word: word not in biases.words and search.accepts(word),
        min_log_prob=search.min_log_prob - biases.offset,
    )
    found = yield from likeliest_words(pieces, levels, start, others, store)
    plain = RankedWords(
        [(word.log_prob, word) for word in found.words], found.exact, found.expansions
    )
    plain = plain.added(biases.offset)
    fitting = {
        word: bias
        for word, bias in biases.words.items()
        if word.encode("utf-8").startswith(search.prefix) and search.accepts(word)
    }
    least = plain.least(search.count, -math.inf)
    best = yield from best_biased(pieces, levels, start, search, biases, fitting, least, store)
    return best_of(best, plain, search.count)


_Encoded = tuple[tuple[int, ...], str, WordBias]
"""A biased word with its pieces."""


@dataclass(frozen=True, eq=False, slots=True)
class _Node:
    """A beginning of biased words: `context` has read all but the last of its pieces."""

    pieces: tuple[int, ...]
    log_prob: float
    words: Sequence[_Encoded]
    context: HashedState


@dataclass(frozen=True, eq=False, slots=True)
class _PendingRow:
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


_Open = _Node | _PendingRow | ScoredWord


class _Frontier:
    """All that is open, the best rank first.

    The greatest share and the greatest boost of its words bound what may come of a beginning.
    """

    def __init__(
        self,
        levels: AdaptiveSoftmaxLayout,
        biases: WordBiases,
        min_log_prob: float,
        least_rank: float,
    ) -> None:
        self._levels = levels
        self._biases = biases
        self._min_log_prob = min_log_prob
        self._least_rank = least_rank
        self._heap: list[tuple[float, int, _Open]] = []
        self._pushed = 0

    def push(self, item: _Node | _PendingRow) -> None:
        """Open a beginning, or a row of it."""
        log_prob = item.log_prob
        share = max(bias.cache_prob for _, _, bias in item.words)
        boost = max(bias.boost for _, _, bias in item.words)
        self._push(self._biases.log_prob(log_prob, share) + boost, item)

    def pop(self) -> tuple[float, _Open] | None:
        """The best of all that is open."""
        if not self._heap:
            return None
        negative, _, item = heapq.heappop(self._heap)
        return -negative, item

    def companions(self, rank: float, room: int) -> Iterator[_Node | _PendingRow]:
        """What is open close behind a rank and before the next word, `room` at most."""
        while room > 0 and self._heap and -self._heap[0][0] >= rank - _WORTH_TOGETHER:
            item = self._heap[0][2]
            if isinstance(item, ScoredWord):
                return
            heapq.heappop(self._heap)
            room -= 1
            yield item

    def add_row(self, asked: _PendingRow, row: Row) -> None:
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
            self.push(_PendingRow(node, words, cluster, base))

    def _open_piece(
        self, asked: _PendingRow, piece: int, gain: float, words: Sequence[_Encoded]
    ) -> None:
        """A piece that ends its word ends all of these, which are one: no two are cut alike."""
        node = asked.node
        pieces, log_prob = (*node.pieces, piece), node.log_prob + gain
        encoded, text, bias = words[0]
        if len(encoded) > len(pieces):
            self.push(_Node(pieces, log_prob, words, node.context))
            return
        log_prob = self._biases.log_prob(log_prob, bias.cache_prob)
        if log_prob >= self._min_log_prob:
            self._push(log_prob + bias.boost, ScoredWord(text, log_prob))

    def _push(self, rank: float, item: _Open) -> None:
        if rank >= self._least_rank:
            self._pushed += 1
            heapq.heappush(self._heap, (-rank, self._pushed, item))


def best_biased(
    pieces: Tokenizer,
    levels: AdaptiveSoftmaxLayout,
    start: HashedState,
    search: SearchParams,
    biases: WordBiases,
    words: Mapping[str, WordBias],
    least_rank: float,
    store: StateStore,
) -> ModelTask[RankedWords]:
    """The best of `words`, each with the bias that it has here: `search.count` at most.

    Those below `least_rank` are not looked for. The search's prefix and what it accepts are not
    looked at, and its `min_log_prob` is of both models together.
    """
    pace = Pace(SHORT_ROUND)
    texts = sorted(words)
    each = yield from pace.run(pieces.encoding_each(texts))
    encoded = [(cut, word, words[word]) for cut, word in zip(each, texts, strict=True)]
    frontier = _Frontier(levels, biases, search.min_log_prob, least_rank)
    if encoded:
        frontier.push(_PendingRow(_Node((), 0.0, encoded, start), encoded, 0, 0.0))
    if pace.is_due(_WORD_WORK * len(encoded)):
        yield YIELD
    found = RankedWords()
    while len(found.words) < search.count and (best := frontier.pop()) is not None:
        rank, item = best
        if isinstance(item, ScoredWord):
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
            yield YIELD
    return found


def _expand(
    frontier: _Frontier, asked: Sequence[_Node | _PendingRow], store: StateStore
) -> ModelTask[None]:
    """Ask for one row of each of these, unless the store has it."""
    nodes = [item for item in asked if isinstance(item, _Node)]
    rows = [item for item in asked if isinstance(item, _PendingRow)]
    contexts = yield from advance(store, [(node.context, node.pieces[-1]) for node in nodes])
    for node, context in zip(nodes, contexts, strict=True):
        rows.append(_PendingRow(replace(node, context=context), node.words, 0, 0.0))
    for row, values in (yield from answered(store, rows)):
        frontier.add_row(row, values)


def _by_next(words: Iterable[_Encoded], place: int) -> dict[int, list[_Encoded]]:
    """Words by their piece at a place, in the order in which the pieces first come."""
    found: dict[int, list[_Encoded]] = {}
    for word in words:
        found.setdefault(word[0][place], []).append(word)
    return found
