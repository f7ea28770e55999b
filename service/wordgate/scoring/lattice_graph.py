"""A topologically sorted lattice with backward bounds for A* search.

Every arc adds one unit to the text: a white-space-separated token, or one character if the
separator is empty. Each text thus has a single segmentation, and paths with the same text can be
merged.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from heapq import heapify, heappop, heappush
from itertools import takewhile
from typing import Any

from wordgate.errors import InvalidInput
from wordgate.scoring.lattice import ConfusionNetwork, Lattice
from wordgate.scoring.lattice_heuristic import Heuristic
from wordgate.scoring.score_weights import ScoreWeights
from wordgate.text.cooperative_steps import Steps

MAX_NODES = 50_000
"""Limit on graph nodes, including those added between the units of a label."""

MAX_WEIGHT = 1e12
"""Limit on the absolute weighted score of an arc."""

_ARCS_PER_STEP = 256
"""Arcs of one node to process without pausing. All arcs of a lattice may leave the same node."""

NEVER = -math.inf

ReachedNodes = dict[int, float]
"""Nodes that a text reaches, with the merged weighted score of its paths to each."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A weighted arc to the node `end` that adds `unit`; an epsilon arc if `unit` is empty."""

    unit: str
    end: int
    weight: float
    arc: int


class LatticeGraph:
    """A lattice with nodes numbered in topological order, from 0 (start) to the last (end).

    `steps[node]` holds the arcs with a unit, `epsilon_arcs[node]` the epsilon arcs. `bounds[node]`
    is an upper bound on what the paths from the node to the end can add to a total;
    `estimates[node]` is an estimate of what the best of them adds.
    """

    def __init__(self, sum_paths: bool) -> None:
        self.start: ReachedNodes = {0: 0.0}
        self.merge = log_add if sum_paths else max
        self.end = 0
        self.steps: list[list[Transition]] = []
        self.epsilon_arcs: list[list[Transition]] = []
        self._fans: list[int] = []
        self.bounds: list[float] = []
        self.estimates: list[float] = []

    def build(self, joined: "ArcTable", outlook: Callable[[str], Heuristic]) -> Steps[None]:
        """Sort the arcs topologically and compute bounds and estimates. Call this first.

        Raises `InvalidInput` for a cycle, or if no path leads from the start to the end.
        """
        order = yield from _topological(joined)
        self.end = len(order) - 1
        for _ in order:
            self.steps.append([])
            self.epsilon_arcs.append([])
            yield
        for node, steps in enumerate(joined.steps):
            for count, step in enumerate(steps):
                if count % _ARCS_PER_STEP == 0:
                    yield
                if node in order and step.end in order:
                    moved = Transition(step.unit, order[step.end], step.weight, step.arc)
                    (self.steps if step.unit else self.epsilon_arcs)[order[node]].append(moved)
        for node, steps in enumerate(self.steps):
            self._fans.append(len(steps) + len(self.epsilon_arcs[node]))
            yield
        self.bounds = yield from self._backward(self.merge, lambda unit: outlook(unit).bound)
        self.estimates = yield from self._backward(max, lambda unit: outlook(unit).estimate)

    def merge_all(self, scores: Iterable[float]) -> float:
        """Merge the scores of several paths with equal texts."""
        return reduce(self.merge, scores)

    def follow(self, frontier: ReachedNodes) -> Steps[dict[str, ReachedNodes]]:
        """Return the nodes that each possible next unit reaches from a settled frontier.

        The returned frontiers are not settled: epsilon arcs from their nodes are not followed.
        """
        following: dict[str, ReachedNodes] = {}
        for node, score in frontier.items():
            for count, step in enumerate(self.steps[node]):
                if count % _ARCS_PER_STEP == 0:
                    yield
                reached = following.setdefault(step.unit, {})
                value = score + step.weight
                known = reached.get(step.end)
                reached[step.end] = value if known is None else self.merge(known, value)
        return following

    def fan(self, nodes: Iterable[int]) -> int:
        """Return the number of outgoing arcs of these nodes."""
        return sum(map(self._fans.__getitem__, nodes))

    def settle(self, frontier: ReachedNodes) -> Steps[ReachedNodes]:
        """Return the epsilon closure of a frontier."""
        frontier = dict(frontier)
        waiting = [node for node in frontier if self.epsilon_arcs[node]]
        heapify(waiting)
        while waiting:
            node = heappop(waiting)
            for count, step in enumerate(self.epsilon_arcs[node]):
                if count % _ARCS_PER_STEP == 0:
                    yield
                value = frontier[node] + step.weight
                known = frontier.get(step.end)
                frontier[step.end] = value if known is None else self.merge(known, value)
                if known is None and self.epsilon_arcs[step.end]:
                    heappush(waiting, step.end)
        return frontier

    def best_paths(self, texts: Sequence[Sequence[str]]) -> Steps[list[list[tuple[str, int]]]]:
        """Return the best path of each text, as (unit, arc number) pairs.

        The unit of an epsilon arc is empty. An arc with several units has one pair per unit. Of
        paths with equal scores, the one whose arcs were sent first is returned.
        """
        layers = [(yield from self._trace({0: (0.0, None)}))]
        before: Sequence[str] = ()
        paths = {}
        for units in sorted(map(tuple, texts)):
            equal = takewhile(lambda pair: pair[0] == pair[1], zip(before, units, strict=False))
            shared = len(list(equal))
            del layers[shared + 1 :]
            for unit in units[shared:]:
                layer = yield from self._lead_on(layers[-1], unit)
                layers.append((yield from self._trace(layer)))
            paths[units] = yield from _path(layers[-1][self.end][1])
            before = units
        return [paths[tuple(units)] for units in texts]

    def _lead_on(self, layer: "_Layer", unit: str) -> Steps["_Layer"]:
        """Return the layer that a unit leads to (one Viterbi step)."""
        reached: _Layer = {}
        for node in sorted(layer):
            for count, step in enumerate(self.steps[node]):
                if count % _ARCS_PER_STEP == 0:
                    yield
                if step.unit == unit:
                    _lead(reached, layer[node], step)
        return reached

    def _trace(self, layer: "_Layer") -> Steps["_Layer"]:
        """Add the epsilon closure of a layer to it, with the best path to each node."""
        waiting = [node for node in layer if self.epsilon_arcs[node]]
        heapify(waiting)
        while waiting:
            node = heappop(waiting)
            for count, step in enumerate(self.epsilon_arcs[node]):
                if count % _ARCS_PER_STEP == 0:
                    yield
                if step.end not in layer and self.epsilon_arcs[step.end]:
                    heappush(waiting, step.end)
                _lead(layer, layer[node], step)
        return layer

    def _backward(
        self, merge: Callable[[float, float], float], allowed: Callable[[str], float]
    ) -> Steps[list[float]]:
        """Return the merged score of all paths from each node to the end."""
        scores = [NEVER] * (self.end + 1)
        scores[self.end] = 0.0
        for node in range(self.end - 1, -1, -1):
            for count, step in enumerate(self.epsilon_arcs[node]):
                if count % _ARCS_PER_STEP == 0:
                    yield
                scores[node] = merge(scores[node], step.weight + scores[step.end])
            for count, step in enumerate(self.steps[node]):
                if count % _ARCS_PER_STEP == 0:
                    yield
                value = step.weight + allowed(step.unit) + scores[step.end]
                scores[node] = merge(scores[node], value)
        return scores


_Link = tuple[Any, Transition] | None
"""Back-pointer of a node: the link of the previous node and the arc from there."""

_Layer = dict[int, tuple[float, _Link]]
"""Reached nodes, with the weighted score of the best path to each and its back-pointer."""


def _path(link: _Link) -> Steps[list[tuple[str, int]]]:
    """Follow the back-pointers and return the path from the start."""
    path = []
    while link is not None:
        link, step = link
        path.append((step.unit, step.arc))
        yield
    return path[::-1]


def _lead(reached: _Layer, before: tuple[float, _Link], step: Transition) -> None:
    """Follow an arc if that gives its end node a better score (Viterbi update)."""
    value = before[0] + step.weight
    if step.end not in reached or value > reached[step.end][0]:
        reached[step.end] = value, (before[1], step)


class ArcTable:
    """Weighted arcs with one unit each, between nodes numbered in order of first use.

    An arc with several units is split by extra nodes between them. `named` maps the client's node
    numbers to those of the table. `units` holds the distinct units.
    """

    def __init__(self, start: int, end: int) -> None:
        self.steps: list[list[Transition]] = []
        self.named: dict[int, int] = {}
        self.units: dict[str, None] = {}
        self.start, self.end = self.node(start), self.node(end)

    def node(self, name: int) -> int:
        """Return the table's number of a client's node, which is added if it is new."""
        if name not in self.named:
            self.named[name] = self._new()
        return self.named[name]

    def add(self, start: int, end: int, units: Sequence[str], weight: float, arc: int) -> None:
        """Add an arc; without units it is an epsilon arc."""
        node = self.node(start)
        self.units.update(dict.fromkeys(units))
        for unit in units[:-1]:
            following = self._new()
            self.steps[node].append(Transition(unit, following, weight, arc))
            node, weight = following, 0.0
        self.steps[node].append(Transition(units[-1] if units else "", self.node(end), weight, arc))

    def name(self, node: int) -> int:
        """Return the client's number of a node; inside a label, of the node before it."""
        names = {number: name for name, number in self.named.items()}
        while node not in names:
            node -= 1
        return names[node]

    def _new(self) -> int:
        if len(self.steps) >= MAX_NODES:
            raise InvalidInput("hypotheses", f"have more than {MAX_NODES} nodes; send fewer")
        self.steps.append([])
        return len(self.steps) - 1


def join(source: Lattice | ConfusionNetwork, score_weights: ScoreWeights) -> Steps[ArcTable]:
    """Convert a lattice or a confusion network into an arc table.

    Raises `InvalidInput` for a weighted score beyond ±`MAX_WEIGHT`, or for too many nodes.
    """
    if isinstance(source, Lattice):
        table = ArcTable(source.start, source.end)
        for number, arc in enumerate(source.arcs):
            units = source.said(arc.label).split()
            weight = _weighted(score_weights, arc.scores, f"lattice.arcs[{number}].scores")
            table.add(arc.start, arc.end, units, weight, number)
            yield
        return table
    number = 0
    table = ArcTable(0, len(source.slots))
    for index, slot in enumerate(source.slots):
        for rank, alternative in enumerate(slot):
            text = alternative.text
            field = f"confusion_network.slots[{index}].alternatives[{rank}].scores"
            weight = _weighted(score_weights, alternative.scores, field)
            units = text.split() if source.separator else list(text)
            table.add(index, index + 1, units, weight, number)
            number += 1
            yield
    return table


def _weighted(score_weights: ScoreWeights, scores: Mapping[str, float], field: str) -> float:
    """Return the weighted score of an arc. Raises `InvalidInput` if sums of it could overflow."""
    weight = score_weights.weighted_sum(scores)
    if not abs(weight) <= MAX_WEIGHT:
        problem = f"have the weighted sum {weight:g}; keep it within ±{MAX_WEIGHT:g}"
        raise InvalidInput(field, problem)
    return weight


def _topological(table: ArcTable) -> Steps[dict[int, int]]:
    """Return the topological position of each node on a path from the start to the end."""
    backward: list[list[int]] = []
    for _ in table.steps:
        backward.append([])
        yield
    for node, steps in enumerate(table.steps):
        for count, step in enumerate(steps):
            if count % _ARCS_PER_STEP == 0:
                yield
            backward[step.end].append(node)
    forward = yield from _reachable(table.start, lambda node: [s.end for s in table.steps[node]])
    useful = forward & (yield from _reachable(table.end, backward.__getitem__))
    if not useful:
        raise InvalidInput("lattice", "has no path from start_node to end_node")
    before = {}
    for node in useful:
        before[node] = sum(other in useful for other in backward[node])
        yield
    order: dict[int, int] = {}
    ready = deque(node for node in (table.start,) if before[node] == 0)
    while ready:
        node = ready.popleft()
        order[node] = len(order)
        for count, step in enumerate(table.steps[node]):
            if count % _ARCS_PER_STEP == 0:
                yield
            if step.end in useful:
                before[step.end] -= 1
                if before[step.end] == 0:
                    ready.append(step.end)
    if len(order) < len(useful):
        name = table.name(min(useful - order.keys()))
        problem = f"have a cycle through or after node {name}; send an acyclic lattice"
        raise InvalidInput("lattice.arcs", problem)
    return order


def _reachable(start: int, neighbours: Callable[[int], Sequence[int]]) -> Steps[set[int]]:
    """Return the nodes that can be reached from `start`."""
    found, waiting = {start}, [start]
    while waiting:
        following = neighbours(waiting.pop())
        for node in following:
            if node not in found:
                found.add(node)
                waiting.append(node)
        yield
    return found


def log_add(first: float, second: float) -> float:
    """Return log(exp(first) + exp(second)) (log-sum-exp)."""
    high, low = max(first, second), min(first, second)
    return high if low == NEVER else high + math.log1p(math.exp(low - high))
