"""Search a lattice for the transcripts with the greatest totals.

This is a best-first (A*) search. The most promising partial hypotheses are extended first, several
per model request. A partial hypothesis stands for all paths with its text, so paths with equal
texts are merged. The remaining score is a backward Viterbi pass over everything but the language
model. The upper bound adds 0 for the language model, since no log-probability is above 0. The
estimate, which orders the queue, adds an average log-probability. Sources: Soong and Huang 1991, "A
tree-trellis based fast search for finding the n best sentence hypotheses"; recombination of
histories as in Hori et al. 2014.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heappushpop
from typing import NamedTuple

from wordgate.errors import InvalidInput
from wordgate.lm.requests import YIELD, ModelTask, State, TimeSlice
from wordgate.lm.tokenizer import EOS
from wordgate.scoring.growing_prefix_tree import ROOT, GrowingPrefixTree
from wordgate.scoring.lattice_graph import LatticeGraph, ReachedNodes
from wordgate.scoring.lattice_heuristic import Heuristic
from wordgate.scoring.score_weights import ScoreWeights
from wordgate.scoring.scoring import MAX_CANDIDATE_BYTES, MAX_CANDIDATE_TOKENS, TokenizedText
from wordgate.text import words

TRANSCRIPTS = 10
"""Default number of transcripts to return."""

AT_ONCE = 16
"""Partial hypotheses extended together in one batch."""

MAX_MADE = 200_000
"""Limit on partial hypotheses created per search; the search then ends."""

MAX_PENDING_CHARACTERS = 4096
"""Limit on the length of a word if the separator is empty."""

MAX_WORK = 10_000_000
"""Limit on work per search; the search then ends.

An arc counts as 1, a new partial hypothesis as 30.
"""

MAX_READ = 20_000
"""Limit on tokens read by the model per search, whose states are all kept; the search then ends."""

_PARTIAL_WORK = 30
_STEPS_AT_ONCE = 2000
_NOTHING = Heuristic(0.0, 0.0)

_UINT32_END = 1 << 32


@dataclass(frozen=True)
class SearchBounds:
    """Limits of a search.

    - `max_transcripts`: transcripts to return. The default is all for an n-best list, `TRANSCRIPTS`
      for a lattice or a confusion network.
    - `beam`: partial hypotheses to extend per node, the most promising ones.
    - `recombination_words`: extend only the best of the partial hypotheses that share a node and
      this many last words; 0 turns recombination off.
    - `max_expansions`: partial hypotheses to extend in all. If no transcript is complete by then,
      the search still completes one.

    Raises `InvalidInput` naming the field for values below 1 (0 for `recombination_words`).
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
        if number is not None and not least <= number < _UINT32_END:
            raise InvalidInput(f"search.{name}", f"is {number}; send at least {least}")


class LatticeSearchResult(NamedTuple):
    """A transcript as units, with its total, lattice score and log-probability."""

    units: tuple[str, ...]
    total: float
    path_score: float
    log_prob: float


@dataclass(slots=True, eq=False)
class _PartialHypothesis:
    """The beginning of a transcript: the text of one or more paths from the start.

    If the separator is empty, `pending` is the unfinished last word, which the model has not read
    yet, and `ahead` is its heuristic. `tree_node` is the prefix-tree node of the text before it.
    `path_score` is the merged score of the paths that end here.
    """

    before: "_PartialHypothesis | None"
    unit: str
    frontier: ReachedNodes
    tree_node: int = ROOT
    pending: str = ""
    ahead: Heuristic = _NOTHING
    last_words: tuple[str, ...] = ()
    word_count: int = 0
    boost: float = 0.0
    bound: float = 0.0
    priority: float = 0.0
    leader: int = 0
    path_score: float = 0.0
    token_count: int = 0
    byte_count: int = 0

    def units(self) -> tuple[str, ...]:
        """Return all units, from the start of the transcript."""
        found: list[str] = []
        at: _PartialHypothesis | None = self
        while at is not None and at.before is not None:
            found.append(at.unit)
            at = at.before
        return tuple(reversed(found))


class LatticeSearch:
    """A search over one lattice. `expansions` counts the extended partial hypotheses."""

    def __init__(
        self,
        graph: LatticeGraph,
        outlook: Callable[[str], Heuristic],
        tokenize: Callable[[str], TokenizedText],
        score_weights: ScoreWeights,
        start: State,
        bounds: SearchBounds,
        separator: str,
        count_eos: bool = True,
    ) -> None:
        self.expansions = 0
        self._graph = graph
        self._outlook = outlook
        self._score_weights = score_weights
        self._tokenize = tokenize
        self._bounds = bounds
        self._wanted = bounds.max_transcripts or TRANSCRIPTS
        self._whole = bool(separator)
        self._end = [EOS] if count_eos else []
        self._time_slice = TimeSlice()
        self.read = GrowingPrefixTree(start, self._time_slice)
        self._walked = 0
        self._open: list[tuple[float, int, _PartialHypothesis]] = []
        self._made = 0
        self._groups: dict[tuple[int, int], list[float]] = {}
        self._ahead: dict[tuple[object, ...], float] = {}
        self._dropped = -math.inf
        self._finishing = False
        self._found: list[tuple[float, int, LatticeSearchResult]] = []

    def run(self) -> ModelTask[tuple[list[LatticeSearchResult], bool]]:
        """Return the best transcripts, and whether they are proven to be the best."""
        self._add(_PartialHypothesis(None, "", self._graph.start))
        while batch := self._take():
            yield from self._continue(batch)
        found = [each for _, _, each in sorted(self._found, key=lambda entry: -entry[0])]
        left = max((entry[2].bound for entry in self._open), default=-math.inf)
        return found, max(left, self._dropped) <= self._threshold()

    def _take(self) -> list[_PartialHypothesis]:
        """Remove the next batch from the queue; skip what is out of bounds or pruned."""
        spent = self._bounds.max_expansions <= self.expansions
        spent |= self._made >= MAX_MADE or self._walked >= MAX_WORK
        spent |= self.read.steps >= MAX_READ
        if self._finishing or spent:
            return self._take_last()
        batch: list[_PartialHypothesis] = []
        most = min(AT_ONCE, self._bounds.max_expansions - self.expansions)
        steps = 0
        while self._open and len(batch) < most and steps < _STEPS_AT_ONCE:
            _, _, partial = heappop(self._open)
            if partial.bound <= self._threshold():
                continue
            if self._is_pruned(partial):
                self._dropped = max(self._dropped, partial.bound)
            else:
                batch.append(partial)
                steps += self._graph.fan(partial.frontier)
        self.expansions += len(batch)
        return batch

    def _take_last(self) -> list[_PartialHypothesis]:
        """Return the best partial hypothesis once limits are spent and no transcript is complete.

        All others are dropped, so that the search completes one transcript greedily.
        """
        if self._found or not self._open:
            return []
        self._finishing = True
        _, _, best = heappop(self._open)
        self._dropped = max([self._dropped, *(entry[2].bound for entry in self._open)])
        self._open = []
        self.expansions += 1
        return [best]

    def _is_pruned(self, partial: _PartialHypothesis) -> bool:
        """Return whether the beam or recombination prunes a partial hypothesis."""
        if self._ahead.get(self._recombined(partial), -math.inf) > partial.priority:
            return True
        group = self._groups[self._group(partial)]
        return len(group) == self._bounds.beam and group[0] > partial.priority

    def _continue(self, batch: Sequence[_PartialHypothesis]) -> ModelTask[None]:
        """Extend each partial hypothesis by its possible units; complete those at the end node."""
        made: list[tuple[_PartialHypothesis, str]] = []
        ended: list[tuple[_PartialHypothesis, str]] = []
        for partial in batch:
            settled = yield from self._time_slice.run(self._graph.settle(partial.frontier))
            if self._graph.end in settled:
                partial.path_score = settled[self._graph.end]
                ended.append((partial, partial.pending))
            following = yield from self._time_slice.run(self._graph.follow(settled))
            for unit, frontier in following.items():
                made.append(self._extend(partial, unit, frontier))
            self._walked += self._graph.fan(settled)
            if self._time_slice.is_over():
                yield YIELD
        wanted = [(b.tree_node, self._tokenize(word).tokens) for b, word in made]
        wanted += [(b.tree_node, [*self._tokenize(word).tokens, *self._end]) for b, word in ended]
        tree_nodes = yield from self.read.read(wanted)
        for (partial, word), tree_node in zip(made, tree_nodes, strict=False):
            self._finish(partial, word, tree_node)
        yield from self._look_ahead([partial for partial, _ in made])
        for partial, _ in made:
            self._add(partial)
            self._walked += _PARTIAL_WORK
            if self._time_slice.is_over():
                yield YIELD
        for (partial, word), tree_node in zip(ended, tree_nodes[len(made) :], strict=True):
            self._finalize(partial, word, tree_node)
            if self._time_slice.is_over():
                yield YIELD

    def _extend(
        self, before: _PartialHypothesis, unit: str, frontier: ReachedNodes
    ) -> tuple[_PartialHypothesis, str]:
        """Return the extension by one unit, and the word that it completes (or an empty text).

        Raises `InvalidInput` for a text that is too long.
        """
        made = _PartialHypothesis(
            before,
            unit,
            frontier,
            before.tree_node,
            "",
            _NOTHING,
            before.last_words,
            before.word_count,
            before.boost,
            token_count=before.token_count,
            byte_count=before.byte_count + self._whole + len(unit.encode("utf-8")),
        )
        if made.byte_count > MAX_CANDIDATE_BYTES:
            problem = f"have a transcript of more than {MAX_CANDIDATE_BYTES} bytes; split them"
            raise InvalidInput("hypotheses", problem)
        if self._whole:
            return made, unit
        if unit.isspace():
            return made, before.pending
        if words.begins_word(before.pending, unit):
            made.pending, made.ahead = unit, self._outlook(unit)
            return made, before.pending
        if len(before.pending) >= MAX_PENDING_CHARACTERS:
            problem = f"have a word of more than {MAX_PENDING_CHARACTERS} characters; send spaces"
            raise InvalidInput("confusion_network.slots", problem)
        made.pending = before.pending + unit
        more = self._outlook(unit)
        made.ahead = Heuristic(
            before.ahead.bound + more.bound, before.ahead.estimate + more.estimate
        )
        return made, ""

    def _finish(self, partial: _PartialHypothesis, word: str, tree_node: int) -> None:
        """Add a completed word, scored by the model, to a partial hypothesis."""
        partial.tree_node = tree_node
        partial.token_count += len(self._tokenize(word).tokens)
        if partial.token_count > MAX_CANDIDATE_TOKENS:
            problem = f"have a transcript of more than {MAX_CANDIDATE_TOKENS} tokens; split them"
            raise InvalidInput("hypotheses", problem)
        for each in self._tokenize(word).words:
            known = (*partial.last_words, each)
            partial.boost += (
                self._score_weights.boost_at(known, len(known))
                if self._score_weights.boosts
                else 0.0
            )
            keep = max(self._bounds.recombination_words, self._score_weights.longest_phrase - 1)
            partial.last_words = known[len(known) - keep :] if keep < len(known) else known
            partial.word_count += 1

    def _look_ahead(self, made: Sequence[_PartialHypothesis]) -> ModelTask[None]:
        """Estimate unfinished words of one letter by the model, where letters are words.

        Only a combining mark could continue such a word, so the beam compares hypotheses up to the
        last character.
        """
        guessed, wanted = [], []
        for each in made:
            if each.pending and words.is_whole_word(each.pending[0]):
                guessed.append(each)
                wanted.append((each.tree_node, self._tokenize(each.pending).tokens))
            if self._time_slice.is_over():
                yield YIELD
        tree_nodes = yield from self.read.read(wanted)
        for partial, tree_node in zip(guessed, tree_nodes, strict=True):
            gain = self.read.log_probs[tree_node] - self.read.log_probs[partial.tree_node]
            estimate = (
                self._score_weights.lm_weight * gain + self._score_weights.word_insertion_bonus
            )
            partial.ahead = Heuristic(partial.ahead.bound, estimate)

    def _lm_score(self, partial: _PartialHypothesis) -> float:
        """Return the weighted language-model score with word insertion bonus and boosts."""
        score_weights = self._score_weights
        log_prob = self.read.log_probs[partial.tree_node]
        return (
            score_weights.lm_weight * log_prob
            + score_weights.word_insertion_bonus * partial.word_count
            + partial.boost
        )

    def _add(self, partial: _PartialHypothesis) -> None:
        """Queue a partial hypothesis unless it cannot be among the best."""
        graph = self._graph
        charge = self._lm_score(partial)
        bounds = (score + graph.bounds[node] for node, score in partial.frontier.items())
        partial.bound = graph.merge_all(bounds) + charge + partial.ahead.bound
        estimates = [(score + graph.estimates[n], -n) for n, score in partial.frontier.items()]
        estimate, leader = max(estimates)
        partial.priority = estimate + charge + partial.ahead.estimate
        partial.leader = -leader
        if not (math.isfinite(partial.priority) and math.isfinite(partial.bound)):
            raise InvalidInput(
                "score_weights", "gives totals that are not finite; send smaller ones"
            )
        if partial.bound <= self._threshold():
            return
        if self._bounds.recombination_words and not self._finishing:
            key = self._recombined(partial)
            if self._ahead.get(key, -math.inf) >= partial.priority:
                self._dropped = max(self._dropped, partial.bound)
                return
            self._ahead[key] = partial.priority
        group = self._groups.setdefault(self._group(partial), [])
        if len(group) < self._bounds.beam:
            heappush(group, partial.priority)
        else:
            heappushpop(group, partial.priority)
        self._made += 1
        heappush(self._open, (-partial.priority, self._made, partial))

    def _group(self, partial: _PartialHypothesis) -> tuple[int, int]:
        """Return the beam group: equal node and equal length of the unfinished word."""
        return partial.leader, len(partial.pending)

    def _recombined(self, partial: _PartialHypothesis) -> tuple[int, str, tuple[str, ...]]:
        """Return the recombination key: node, unfinished word and last words."""
        last_words = partial.last_words[-self._bounds.recombination_words :]
        return partial.leader, partial.pending, last_words

    def _finalize(self, partial: _PartialHypothesis, word: str, tree_node: int) -> None:
        """Record a complete transcript if it is among the best so far."""
        ended = _PartialHypothesis(
            partial.before,
            partial.unit,
            partial.frontier,
            tree_node,
            "",
            _NOTHING,
            partial.last_words,
            partial.word_count,
            partial.boost,
            token_count=partial.token_count,
        )
        self._finish(ended, word, tree_node)
        total = partial.path_score + self._lm_score(ended)
        found = LatticeSearchResult(
            ended.units(), total, partial.path_score, self.read.log_probs[tree_node]
        )
        self._made += 1
        entry = (total, -self._made, found)
        if len(self._found) < self._wanted:
            heappush(self._found, entry)
        else:
            heappushpop(self._found, entry)

    def _threshold(self) -> float:
        """Return the total that another transcript must exceed to be among the best."""
        full = len(self._found) == self._wanted
        return self._found[0][0] if full else -math.inf
