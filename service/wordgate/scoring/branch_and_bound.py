"""Score no more of many candidates than it takes to know the best of them.

Knows pieces, what a candidate is worth beside the model's opinion, and what to ask of a model. A
log-probability is never above zero and falls with every piece. So a beginning need not be read on
when the best of its candidates, with the log-probability that it has so far, stays below the worst
of those wanted (branch and bound; Land and Doig 1960).
"""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from heapq import heappush, heappushpop, nlargest

from wordgate.lm.adaptive_softmax import likely_log_prob
from wordgate.lm.requests import SHORT_ROUND, ModelTask, Pace, State, Step, TokenLogProbs
from wordgate.scoring.prefix_tree import ROOT, PrefixTree
from wordgate.text.steps import Steps, stretches

_PROBED = 4
"""Candidates that are scored first, for the others to be measured by."""

_LONGEST_PROBED = 256
"""Pieces of those that are scored first: their states are kept meanwhile."""

_NODES_A_STEP = 1024


def score_best(
    sequences: Sequence[Sequence[int]],
    start: State,
    fixed_scores: Sequence[float],
    lm_weight: float,
    wanted: int,
) -> ModelTask[list[float | None]]:
    """Log-probabilities as `scoring.score` has them, None for some that are not of the best.

    A total is `fixed_scores[i] + lm_weight * log_prob`, `lm_weight` not negative. Of all sequences
    whose total is no smaller than the `wanted`-th greatest, the log-probability is there.
    """
    pace = Pace(SHORT_ROUND)
    tree = PrefixTree()
    yield from pace.run(tree.grow(sequences))
    reading = _Reading(tree, start, fixed_scores, lm_weight, wanted)
    yield from pace.run(reading.prepare())
    probed = max(wanted, _PROBED)
    promising = yield from pace.run(_promising(sequences, fixed_scores, lm_weight, probed))
    yield from reading.probe(promising)
    yield from reading.read()
    return [reading.log_probs[leaf] for leaf in reading.tree.leaves]


def _promising(
    sequences: Sequence[Sequence[int]], fixed_scores: Sequence[float], lm_weight: float, count: int
) -> Steps[list[int]]:
    """The numbers of the sequences with the greatest totals, by a guess at the model's part."""
    guesses = []
    for number, (worth, pieces) in enumerate(zip(fixed_scores, sequences, strict=True)):
        if len(pieces) <= _LONGEST_PROBED:
            guesses.append((worth + lm_weight * sum(map(_guess, pieces)), number))
            yield 1 + len(pieces) // 4
    return [number for _, number in nlargest(count, guesses)]


_guess = cache(likely_log_prob)


class _Reading:
    """What was read of a tree. `log_probs` are of the pieces from the root to each node."""

    def __init__(
        self,
        tree: PrefixTree,
        start: State,
        fixed_scores: Sequence[float],
        lm_weight: float,
        wanted: int,
    ) -> None:
        self.tree = tree
        self.log_probs: list[float | None] = [0.0, *[None] * (len(tree) - 1)]
        self._states: dict[int, State] = {ROOT: start}
        self._lm_weight = lm_weight
        self._wanted = wanted
        self._best: list[float] = []
        self._worths: dict[int, list[float]] = {}
        for leaf, worth in zip(tree.leaves, fixed_scores, strict=True):
            self._worths.setdefault(leaf, []).append(worth)
        self._most: list[float] = []

    def prepare(self) -> Steps[None]:
        """Find what the sequences through each node are worth; before all else."""
        self._most = yield from self._greatest_worths()
        self._end(ROOT, 0.0)

    def probe(self, numbers: Iterable[int]) -> ModelTask[None]:
        """Read some sequences to their ends."""
        parents = self.tree.parents
        nodes: set[int] = set()
        for number in numbers:
            node = self.tree.leaves[number]
            while node not in nodes:
                nodes.add(node)
                node = parents[node]
        going = {parents[node] for node in nodes}
        for level in self.tree.levels:
            mine = [node for node in level if node in nodes]
            if not mine:
                return
            yield from self._ask(mine)
            yield from self._advance([node for node in mine if node in going])

    def read(self) -> ModelTask[None]:
        """Read on all that can still be of the best, level by level."""
        parents, inner = self.tree.parents, self.tree.inner
        live = [ROOT]
        for level in self.tree.levels:
            known = set(live)
            mine = [node for node in level if parents[node] in known and self._may_win(node)]
            yield from self._ask([node for node in mine if self.log_probs[node] is None])
            going = [node for node in mine if inner[node] and self._may_go_on(node)]
            yield from self._advance([node for node in going if node not in self._states])
            for node in live:
                del self._states[node]
            live = going

    def _ask(self, nodes: Sequence[int]) -> ModelTask[None]:
        """Ask for the log-probability of each node's piece after its parent."""
        parents, pieces = self.tree.parents, self.tree.pieces
        if not nodes:
            return
        questions = [(self._states[parents[node]], pieces[node]) for node in nodes]
        for node, gain in zip(nodes, (yield TokenLogProbs(questions)), strict=True):
            log_prob = gain + self.log_probs[parents[node]]
            self.log_probs[node] = log_prob
            if node in self._worths:
                self._end(node, log_prob)

    def _advance(self, nodes: Sequence[int]) -> ModelTask[None]:
        parents, pieces = self.tree.parents, self.tree.pieces
        if nodes:
            steps = [(self._states[parents[node]], pieces[node]) for node in nodes]
            self._states.update(zip(nodes, (yield Step(steps)), strict=True))

    def _end(self, node: int, log_prob: float) -> None:
        """Count the totals of the sequences that end at a node."""
        for worth in self._worths.get(node, ()):
            put = heappushpop if len(self._best) == self._wanted else heappush
            put(self._best, worth + self._lm_weight * log_prob)

    def _may_win(self, node: int) -> bool:
        """Whether a sequence through a node can be of the best, by what was read before it."""
        before = self.log_probs[self.tree.parents[node]]
        return self._reaches(self._most[node], before)

    def _may_go_on(self, node: int) -> bool:
        """Whether a sequence beyond a node, or at it, can be of the best."""
        return self._reaches(self._most[node], self.log_probs[node])

    def _reaches(self, worth: float, log_prob: float | None) -> bool:
        """Whether the total that is left to hope for is as great as those wanted.

        In floating point, too, a sum falls with its parts: nothing is cut off by rounding.
        """
        if len(self._best) < self._wanted:
            return True
        return worth + self._lm_weight * (log_prob or 0.0) >= self._best[0]

    def _greatest_worths(self) -> Steps[list[float]]:
        """For each node the greatest worth of the sequences through it."""
        parents = self.tree.parents
        most = [-math.inf] * len(parents)
        for node, fixed_scores in self._worths.items():
            most[node] = max(fixed_scores)
        for part in stretches(len(parents) - 1, _NODES_A_STEP):
            for place in range(part.start, min(part.stop, len(parents) - 1)):
                node = len(parents) - 1 - place
                most[parents[node]] = max(most[parents[node]], most[node])
            yield _NODES_A_STEP // 2
        return most
