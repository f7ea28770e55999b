"""Search a lattice for the transcripts with the greatest totals.

Knows a graph, weights, words and what to ask of a model; does not know where the lattice is from.
Best first: of all beginnings of a transcript, those that promise most are continued, several at a
time. A beginning stands for all paths that say it, so equal texts meet by themselves. What the
rest of a path may bring is a Viterbi pass from the end over all but the language model; the order
adds what the model is likely to say of it, the bounds add nothing for it. (Soong and Huang 1991, a
tree-trellis search for n-best hypotheses; recombination of histories as in Hori et al. 2014.)
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heappushpop
from typing import NamedTuple

from wordgate.errors import InvalidInput
from wordgate.lm.adaptive_softmax import likely_log_prob
from wordgate.lm.requests import SHORT_ROUND, YIELD, ModelTask, Pace, State
from wordgate.lm.tokenizer import EOS
from wordgate.scoring.growing_prefix_tree import ROOT, GrowingPrefixTree
from wordgate.scoring.lattice_graph import Heuristic, LatticeGraph, ReachedNodes
from wordgate.scoring.scoring import MAX_CANDIDATE_TOKENS, TokenizedText
from wordgate.scoring.weighting import Weighting
from wordgate.text import words
from wordgate.text.normalization import normalise

TRANSCRIPTS = 10
"""How many are found unless a request says so."""

AT_ONCE = 16
"""Beginnings that are continued together."""

MAX_MADE = 200_000
"""Beginnings that are made in one search, continued or not; then it ends."""

MAX_PENDING_CHARACTERS = 4096
"""A longer word, where characters are not separated, is refused."""

MAX_WORK = 10_000_000
"""Arcs that are walked in one search, a beginning that is made counting as 30; then it ends."""

MAX_READ = 20_000
"""Pieces that the model reads in one search, whose states are kept meanwhile; then it ends."""

_BEGINNING_WORK = 30
_SAYING_WORK = 4
_STEPS_AT_ONCE = 2000
_NOTHING = Heuristic(0.0, 0.0)

INT32_MAX = 1 << 32
_CHARACTER = -1.2
_WORDS_A_CHARACTER = 0.2
"""About what a model says of a character, and how many words it makes."""


@dataclass(frozen=True)
class SearchBounds:
    """How far a search goes.

    It answers with `max_transcripts` at most (of an n-best list with all unless told otherwise, of
    others with `TRANSCRIPTS`) and continues at most `max_expansions` beginnings
    (then it finishes one transcript, if it has none), of those that have come equally far the
    `beam` most promising. Beginnings at one node whose last
    `recombination_words` words are equal are continued from the best of them alone (0: from all).
    Raises `InvalidInput` naming the field when made with less than 1, or 0 words.
    """

    max_transcripts: int | None = None
    beam: int = 8
    recombination_words: int = 5
    max_expansions: int = 2000

    def __post_init__(self) -> None:
        for name, least in (("max_transcripts", 1), ("beam", 1), ("max_expansions", 1)):
            self._check(name, least)
        self._check("recombination_words", 0)

    def _check(self, name: str, least: int) -> None:
        number = getattr(self, name)
        if number is not None and not least <= number < INT32_MAX:
            raise InvalidInput(f"search.{name}", f"is {number}; send {least} or more")


class LatticeSearchResult(NamedTuple):
    """A transcript as units, with its total and the model's log-probability."""

    units: tuple[str, ...]
    total: float
    path_score: float
    log_prob: float


@dataclass(slots=True, eq=False)
class _PartialHypothesis:
    """A text that paths from the start may say.

    `pending` is its unfinished word, where characters are not separated, and `ahead` what that may
    bring; `place` is what the model has read before it. `path_score` is that of the paths which
    end here.
    """

    before: "_PartialHypothesis | None"
    unit: str
    frontier: ReachedNodes
    place: int = ROOT
    pending: str = ""
    ahead: Heuristic = _NOTHING
    last_words: tuple[str, ...] = ()
    word_count: int = 0
    boost: float = 0.0
    bound: float = 0.0
    promise: float = 0.0
    leader: int = 0
    path_score: float = 0.0
    piece_count: int = 0

    def units(self) -> tuple[str, ...]:
        """All that was said."""
        found: list[str] = []
        at: _PartialHypothesis | None = self
        while at is not None and at.before is not None:
            found.append(at.unit)
            at = at.before
        return tuple(reversed(found))


class LatticeSearch:
    """One search. `expansions` counts the beginnings that were continued."""

    def __init__(
        self,
        graph: LatticeGraph,
        outlook: Callable[[str], Heuristic],
        cut: Callable[[str], TokenizedText],
        weighting: Weighting,
        start: State,
        bounds: SearchBounds,
        separator: str,
        count_eos: bool = True,
    ) -> None:
        self.expansions = 0
        self._graph = graph
        self._outlook = outlook
        self._weighting = weighting
        self._cut = cut
        self._bounds = bounds
        self._wanted = bounds.max_transcripts or TRANSCRIPTS
        self._whole = bool(separator)
        self._end = [EOS] if count_eos else []
        self.read = GrowingPrefixTree(start)
        self._pace = Pace(SHORT_ROUND)
        self._walked = 0
        self._open: list[tuple[float, int, _PartialHypothesis]] = []
        self._made = 0
        self._groups: dict[tuple[int, int], list[float]] = {}
        self._ahead: dict[tuple[object, ...], float] = {}
        self._dropped = -math.inf
        self._finishing = False
        self._found: list[tuple[float, int, LatticeSearchResult]] = []

    def run(self) -> ModelTask[tuple[list[LatticeSearchResult], bool]]:
        """The best transcripts that were found, and whether no other can be among them."""
        self._add(_PartialHypothesis(None, "", self._graph.start))
        while batch := self._take():
            yield from self._continue(batch)
        found = [each for _, _, each in sorted(self._found, key=lambda entry: -entry[0])]
        left = max((entry[2].bound for entry in self._open), default=-math.inf)
        return found, max(left, self._dropped) <= self._threshold()

    def _take(self) -> list[_PartialHypothesis]:
        """The most promising beginnings that are still worth it."""
        spent = self._bounds.max_expansions <= self.expansions
        spent |= self._made >= MAX_MADE or self._walked >= MAX_WORK
        spent |= self.read.steps >= MAX_READ
        if self._finishing or spent:
            return self._take_last()
        batch: list[_PartialHypothesis] = []
        most = min(AT_ONCE, self._bounds.max_expansions - self.expansions)
        steps = 0
        while self._open and len(batch) < most and steps < _STEPS_AT_ONCE:
            _, _, beginning = heappop(self._open)
            if beginning.bound <= self._threshold():
                continue
            if self._is_pruned(beginning):
                self._dropped = max(self._dropped, beginning.bound)
            else:
                batch.append(beginning)
                steps += self._graph.fan(beginning.frontier)
        self.expansions += len(batch)
        return batch

    def _take_last(self) -> list[_PartialHypothesis]:
        """After the last expansion: nothing, or what leads to a first transcript soonest."""
        if self._found or not self._open:
            return []
        self._finishing = True
        _, _, best = heappop(self._open)
        self._dropped = max([self._dropped, *(entry[2].bound for entry in self._open)])
        self._open = []
        self.expansions += 1
        return [best]

    def _is_pruned(self, beginning: _PartialHypothesis) -> bool:
        """Whether enough others that came as far promise more, or one with the same last words."""
        if self._ahead.get(self._recombined(beginning), -math.inf) > beginning.promise:
            return True
        group = self._groups[self._group(beginning)]
        return len(group) == self._bounds.beam and group[0] > beginning.promise

    def _continue(self, batch: Sequence[_PartialHypothesis]) -> ModelTask[None]:
        """Say what can come next after each, and end those that can end."""
        made: list[tuple[_PartialHypothesis, str]] = []
        ended: list[tuple[_PartialHypothesis, str]] = []
        for beginning in batch:
            settled = yield from self._pace.run(self._graph.settle(beginning.frontier))
            if self._graph.end in settled:
                beginning.path_score = settled[self._graph.end]
                ended.append((beginning, beginning.pending))
            following = yield from self._pace.run(self._graph.follow(settled))
            for unit, frontier in following.items():
                made.append(self._extend(beginning, unit, frontier))
            self._walked += self._graph.fan(settled)
            if self._pace.is_due(len(settled) // 2 + _SAYING_WORK * len(following)):
                yield YIELD
        wanted = [(b.place, self._cut(word).pieces) for b, word in made]
        wanted += [(b.place, [*self._cut(word).pieces, *self._end]) for b, word in ended]
        places = yield from self.read.read(wanted)
        for (beginning, word), place in zip(made, places, strict=False):
            self._finish(beginning, word, place)
            self._add(beginning)
            self._walked += _BEGINNING_WORK
            if self._pace.is_due(_BEGINNING_WORK + 2 * len(beginning.frontier)):
                yield YIELD
        for (beginning, word), place in zip(ended, places[len(made) :], strict=True):
            self._finalize(beginning, word, place)
            if self._pace.is_due(_BEGINNING_WORK + len(word)):
                yield YIELD

    def _extend(
        self, before: _PartialHypothesis, unit: str, frontier: ReachedNodes
    ) -> tuple[_PartialHypothesis, str]:
        """A beginning with one more unit, and the word that it finishes."""
        made = _PartialHypothesis(
            before,
            unit,
            frontier,
            before.place,
            "",
            _NOTHING,
            before.last_words,
            before.word_count,
            before.boost,
            piece_count=before.piece_count,
        )
        if self._whole:
            return made, unit
        if unit.isspace():
            return made, before.pending
        if words.begins_word(before.pending, unit):
            made.pending, made.ahead = unit, self._outlook(unit)
            return made, before.pending
        if len(before.pending) >= MAX_PENDING_CHARACTERS:
            problem = f"make a word of more than {MAX_PENDING_CHARACTERS} characters; send spaces"
            raise InvalidInput("confusion_network.slots", problem)
        made.pending = before.pending + unit
        more = self._outlook(unit)
        made.ahead = Heuristic(before.ahead.bound + more.bound, before.ahead.hope + more.hope)
        return made, ""

    def _finish(self, beginning: _PartialHypothesis, word: str, place: int) -> None:
        """Count a finished word, which the model has read."""
        beginning.place = place
        beginning.piece_count += len(self._cut(word).pieces)
        if beginning.piece_count > MAX_CANDIDATE_TOKENS:
            problem = f"make a transcript of more than {MAX_CANDIDATE_TOKENS} pieces; cut them up"
            raise InvalidInput("hypotheses", problem)
        for each in self._cut(word).words:
            known = (*beginning.last_words, each)
            beginning.boost += (
                self._weighting.boost_at(known, len(known)) if self._weighting.boosts else 0.0
            )
            keep = max(self._bounds.recombination_words, self._weighting.longest_phrase - 1)
            beginning.last_words = known[len(known) - keep :] if keep < len(known) else known
            beginning.word_count += 1

    def _lm_score(self, beginning: _PartialHypothesis) -> float:
        weighting = self._weighting
        log_prob = self.read.log_probs[beginning.place]
        return (
            weighting.lm_weight * log_prob
            + weighting.word_bonus * beginning.word_count
            + beginning.boost
        )

    def _add(self, beginning: _PartialHypothesis) -> None:
        """Put a beginning among those that may be continued."""
        graph = self._graph
        charge = self._lm_score(beginning)
        bounds = (score + graph.bounds[node] for node, score in beginning.frontier.items())
        beginning.bound = graph.merge_all(bounds) + charge + beginning.ahead.bound
        estimates = [(score + graph.estimates[n], -n) for n, score in beginning.frontier.items()]
        promise, leader = max(estimates)
        beginning.promise = promise + charge + beginning.ahead.hope
        beginning.leader = -leader
        if not (math.isfinite(beginning.promise) and math.isfinite(beginning.bound)):
            raise InvalidInput("weighting", "makes totals that are not finite; send smaller ones")
        if beginning.bound <= self._threshold():
            return
        if self._bounds.recombination_words and not self._finishing:
            key = self._recombined(beginning)
            if self._ahead.get(key, -math.inf) >= beginning.promise:
                self._dropped = max(self._dropped, beginning.bound)
                return
            self._ahead[key] = beginning.promise
        group = self._groups.setdefault(self._group(beginning), [])
        if len(group) < self._bounds.beam:
            heappush(group, beginning.promise)
        else:
            heappushpop(group, beginning.promise)
        self._made += 1
        heappush(self._open, (-beginning.promise, self._made, beginning))

    def _group(self, beginning: _PartialHypothesis) -> tuple[int, int]:
        """What has come equally far: to the same node, with as much of a word unfinished."""
        return beginning.leader, len(beginning.pending)

    def _recombined(self, beginning: _PartialHypothesis) -> tuple[int, str, tuple[str, ...]]:
        """What has come equally far with the same last words."""
        last_words = beginning.last_words[-self._bounds.recombination_words :]
        return beginning.leader, beginning.pending, last_words

    def _finalize(self, beginning: _PartialHypothesis, word: str, place: int) -> None:
        ended = _PartialHypothesis(
            beginning.before,
            beginning.unit,
            beginning.frontier,
            place,
            "",
            _NOTHING,
            beginning.last_words,
            beginning.word_count,
            beginning.boost,
            piece_count=beginning.piece_count,
        )
        self._finish(ended, word, place)
        total = beginning.path_score + self._lm_score(ended)
        found = LatticeSearchResult(
            ended.units(), total, beginning.path_score, self.read.log_probs[place]
        )
        self._made += 1
        entry = (total, -self._made, found)
        if len(self._found) < self._wanted:
            heappush(self._found, entry)
        else:
            heappushpop(self._found, entry)

    def _threshold(self) -> float:
        """The total that another transcript must exceed to be among the best."""
        full = len(self._found) == self._wanted
        return self._found[0][0] if full else -math.inf


def outlook(
    unit: str, cut: Callable[[str], TokenizedText], weighting: Weighting, whole: bool
) -> Heuristic:
    """What a unit may bring: a whole token, or a character of one."""
    if whole:
        token = cut(unit)
        count = weighting.word_bonus * len(token.words)
        boost = sum((weighting.most_boost(word) for word in token.words), 0.0)
        hope = sum(map(likely_log_prob, token.pieces))
        return Heuristic(count + boost, count + boost + weighting.lm_weight * hope)
    if unit.isspace():
        return Heuristic(0.0, 0.0)
    count = len(normalise(unit))
    most = max(0.0, weighting.word_bonus) + weighting.most_boost(None)
    hope = weighting.lm_weight * _CHARACTER + weighting.word_bonus * _WORDS_A_CHARACTER
    return Heuristic(count * most, hope)
