"""Next-word search with biasing: per-word boosts and an interpolated cache model.

Biased words are few and known, so their log-probabilities are computed by a best-first search over
their prefix tree. All other words come from the ordinary search, ranked by log-probability. Both
searches are exact, and so is the merged result.
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

_BATCH_ROWS = 8
_BATCH_MARGIN = 1.0
_WORD_WORK, _ROW_WORK = 8, 100


@dataclass(frozen=True, slots=True)
class WordBias:
    """Bias of one word: its probability mass from the cache model, and a boost in nats.

    The word's probability is (1 - weight) p(model) + `cache_prob`, see `WordBiases`. Its rank is
    the logarithm of that plus `boost`.
    """

    cache_prob: float = 0.0
    boost: float = 0.0


_NEUTRAL = WordBias()


@dataclass(frozen=True)
class WordBiases:
    """The biased words, in normal form. `weight` is the interpolation weight of the cache model.

    The `cache_prob` of all words add up to `weight`, which is 0 to 1.
    """

    words: Mapping[str, WordBias] = field(default_factory=dict)
    weight: float = 0.0

    @property
    def offset(self) -> float:
        """Offset of the log-probability of words that are not biased: log(1 - weight)."""
        return math.log1p(-self.weight)

    def of(self, word: str) -> WordBias:
        """Return a word's bias (neutral by default)."""
        return self.words.get(word, _NEUTRAL)

    def log_prob(self, log_prob: float, share: float) -> float:
        """Return the log-probability of a word under the interpolated model (log-sum-exp)."""
        ours = log_prob + self.offset
        if not share:
            return ours
        theirs = math.log(share)
        return max(ours, theirs) + math.log1p(math.exp(-abs(ours - theirs)))


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


def best_of(first: RankedWords, second: RankedWords, count: int) -> SearchResult:
    """Merge two ranked lists and keep the best `count`. At equal ranks `first` wins."""
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
    """Return the `search.count` best words after a context by rank, with ties in a fixed order.

    Log-probabilities are those of the interpolated model, without boosts. `search.max_expansions`
    limits the rows of the search for biased words and those of the search for other words.
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
"""A biased word with its tokens."""


@dataclass(frozen=True, eq=False, slots=True)
class _Node:
    """A prefix-tree node of biased words. `context` has read all of its tokens but the last."""

    pieces: tuple[int, ...]
    log_prob: float
    words: Sequence[_Encoded]
    context: HashedState


@dataclass(frozen=True, eq=False, slots=True)
class _PendingRow:
    """An output row to request after a node, for the next tokens of `words`.

    The node's context has read all of its tokens. `base` is the log-probability of the row's
    cluster.
    """

    node: _Node
    words: Sequence[_Encoded]
    level: int
    base: float

    @property
    def log_prob(self) -> float:
        """Joint log-probability of all words of the cluster, an upper bound for each."""
        return self.node.log_prob + self.base


_Open = _Node | _PendingRow | ScoredWord


class _Frontier:
    """The priority queue of open nodes and rows, best rank bound first.

    The bound of a node is its log-probability with the largest `cache_prob` and the largest boost
    of its words.
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
        """Add a node or a pending row."""
        log_prob = item.log_prob
        share = max(bias.cache_prob for _, _, bias in item.words)
        boost = max(bias.boost for _, _, bias in item.words)
        self._push(self._biases.log_prob(log_prob, share) + boost, item)

    def pop(self) -> tuple[float, _Open] | None:
        """Remove and return the best open item."""
        if not self._heap:
            return None
        negative, _, item = heapq.heappop(self._heap)
        return -negative, item

    def companions(self, rank: float, room: int) -> Iterator[_Node | _PendingRow]:
        """Pop up to `room` items that rank close behind, to expand in the same batch.

        Stop at the next finished word.
        """
        while room > 0 and self._heap and -self._heap[0][0] >= rank - _BATCH_MARGIN:
            item = self._heap[0][2]
            if isinstance(item, ScoredWord):
                return
            heapq.heappop(self._heap)
            room -= 1
            yield item

    def add_row(self, pending: _PendingRow, row: Row) -> None:
        """Add the children of a node from an answered row."""
        node, level = pending.node, pending.level
        rarer: dict[int, list[_Encoded]] = {}
        for piece, words in _by_next(pending.words, len(node.pieces)).items():
            of_piece = self._levels.of(piece)
            if of_piece == level:
                value = float(row[piece - self._levels.first(level)])
                self._open_piece(pending, piece, pending.base + value, words)
            elif level == 0:
                rarer.setdefault(of_piece, []).extend(words)
        for cluster, words in rarer.items():
            base = float(row[self._levels.head + cluster - 1])
            self.push(_PendingRow(node, words, cluster, base))

    def _open_piece(
        self, pending: _PendingRow, piece: int, gain: float, words: Sequence[_Encoded]
    ) -> None:
        """Add the child for one token. At the end of a word, `words` has just that word."""
        node = pending.node
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
    """Return the best of `words` by rank, at most `search.count`, with the biases given there.

    Words below `least_rank` are skipped. `search.prefix` and `search.accepts` are ignored, and
    `search.min_log_prob` applies to the interpolated model.
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
        room = min(_BATCH_ROWS, search.max_expansions - found.expansions)
        if room <= 0:
            found.exact = False
            break
        pending = [item, *frontier.companions(rank, room - 1)]
        yield from _expand(frontier, pending, store)
        found.expansions += len(pending)
        if pace.is_due(sum(_ROW_WORK + _WORD_WORK * len(each.words) for each in pending)):
            yield YIELD
    return found


def _expand(
    frontier: _Frontier, pending: Sequence[_Node | _PendingRow], store: StateStore
) -> ModelTask[None]:
    """Request one row per item, unless it is in the store."""
    nodes = [item for item in pending if isinstance(item, _Node)]
    rows = [item for item in pending if isinstance(item, _PendingRow)]
    contexts = yield from advance(store, [(node.context, node.pieces[-1]) for node in nodes])
    for node, context in zip(nodes, contexts, strict=True):
        rows.append(_PendingRow(replace(node, context=context), node.words, 0, 0.0))
    for row, values in (yield from answered(store, rows)):
        frontier.add_row(row, values)


def _by_next(words: Iterable[_Encoded], place: int) -> dict[int, list[_Encoded]]:
    """Group words by their token at an index, in the order in which tokens first occur."""
    found: dict[int, list[_Encoded]] = {}
    for word in words:
        found.setdefault(word[0][place], []).append(word)
    return found
