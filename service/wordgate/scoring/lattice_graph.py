"""A lattice in the order in which it is walked, and what its rest may still bring.

Knows arcs, weights and words; does not know the model. Its unit is what one arc adds to a text: a
token, or one character where nothing separates them, so that a text has one way to be said and
paths of equal texts meet.
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
from wordgate.scoring.weighting import Weighting
from wordgate.text.steps import Steps

MAX_NODES = 50_000
"""Nodes of a graph, those between the characters of a label among them."""

MAX_WEIGHT = 1e12
"""Greatest weighted score of an arc, above or below zero."""

NEVER = -math.inf

_ARC_WORK = 10
"""Work to join an arc."""

ReachedNodes = dict[int, float]
"""Where a text may have led, with the weighted score of the paths there."""


@dataclass(frozen=True, slots=True)
class Transition:
    """An arc to the node `end` with its weighted score, which adds `unit`, or nothing if empty."""

    unit: str
    end: int
    weight: float
    arc: int


@dataclass(frozen=True, slots=True)
class Heuristic:
    """What a unit may bring at most beside its own scores, and what it is likely to."""

    bound: float
    hope: float


class LatticeGraph:
    """Nodes in topological order from the start (0) to the end (the last one).

    `steps[node]` are those that say something, `silent[node]` those that do not. `bounds[node]` is
    more than any path from there to the end can add to a total, `estimates[node]` what the
    best one is likely to.
    """

    def __init__(self, sum_paths: bool) -> None:
        self.start: ReachedNodes = {0: 0.0}
        self.merge = log_add if sum_paths else max
        self.end = 0
        self.steps: list[list[Transition]] = []
        self.silent: list[list[Transition]] = []
        self._fans: list[int] = []
        self.bounds: list[float] = []
        self.estimates: list[float] = []

    def build(self, joined: "ArcTable", outlook: Callable[[str], Heuristic]) -> Steps[None]:
        """Put joined arcs in order, before all else.

        Raises `InvalidInput` for a circle, and when no path leads from the start to the end.
        """
        order = yield from _topological(joined)
        self.end = len(order) - 1
        for _ in order:
            self.steps.append([])
            self.silent.append([])
            yield 1
        for node, steps in enumerate(joined.steps):
            for step in steps:
                if node in order and step.end in order:
                    moved = Transition(step.unit, order[step.end], step.weight, step.arc)
                    (self.steps if step.unit else self.silent)[order[node]].append(moved)
            yield 1 + 2 * len(steps)
        for node, steps in enumerate(self.steps):
            self._fans.append(len(steps) + len(self.silent[node]))
            yield 1
        self.bounds = yield from self._backward(self.merge, lambda unit: outlook(unit).bound)
        self.estimates = yield from self._backward(max, lambda unit: outlook(unit).hope)

    def merge_all(self, scores: Iterable[float]) -> float:
        """The scores of several paths as one."""
        return reduce(self.merge, scores)

    def follow(self, frontier: ReachedNodes) -> Steps[dict[str, ReachedNodes]]:
        """Where each unit that can come next leads to; `frontier` is settled, they are not."""
        found: dict[str, ReachedNodes] = {}
        for node, score in frontier.items():
            for step in self.steps[node]:
                reached = found.setdefault(step.unit, {})
                value = score + step.weight
                known = reached.get(step.end)
                reached[step.end] = value if known is None else self.merge(known, value)
            yield 1 + len(self.steps[node])
        return found

    def fan(self, nodes: Iterable[int]) -> int:
        """How many steps lead on from these nodes."""
        return sum(map(self._fans.__getitem__, nodes))

    def settle(self, frontier: ReachedNodes) -> Steps[ReachedNodes]:
        """The frontier with all that lies behind silent steps, in topological order."""
        frontier = dict(frontier)
        waiting = [node for node in frontier if self.silent[node]]
        heapify(waiting)
        while waiting:
            node = heappop(waiting)
            for step in self.silent[node]:
                value = frontier[node] + step.weight
                known = frontier.get(step.end)
                frontier[step.end] = value if known is None else self.merge(known, value)
                if known is None and self.silent[step.end]:
                    heappush(waiting, step.end)
            yield 2 + len(self.silent[node])
        return frontier

    def best_paths(self, texts: Sequence[Sequence[str]]) -> Steps[list[list[tuple[str, int]]]]:
        """The best path that says each text: its arcs, each with the unit it says or nothing.

        Of equal paths, the one whose arcs were sent first. An arc of several units comes as often.
        """
        layers = [(yield from self._trace({0: (0.0, None)}))]
        before: Sequence[str] = ()
        paths = {}
        for units in sorted(map(tuple, texts)):
            equal = takewhile(lambda pair: pair[0] == pair[1], zip(before, units, strict=False))
            shared = len(list(equal))
            del layers[shared + 1 :]
            for unit in units[shared:]:
                layers.append((yield from self._trace(self._lead_on(layers[-1], unit))))
                yield 1 + self.fan(layers[-1])
            paths[units] = yield from _path(layers[-1][self.end][1])
            before = units
        return [paths[tuple(units)] for units in texts]

    def _lead_on(self, layer: "_Layer", unit: str) -> "_Layer":
        """Where a unit leads to from the nodes of a layer."""
        reached: _Layer = {}
        for node in sorted(layer):
            for step in self.steps[node]:
                if step.unit == unit:
                    _lead(reached, layer[node], step)
        return reached

    def _trace(self, layer: "_Layer") -> Steps["_Layer"]:
        """As `settle`, with the way there."""
        waiting = [node for node in layer if self.silent[node]]
        heapify(waiting)
        while waiting:
            node = heappop(waiting)
            for step in self.silent[node]:
                if step.end not in layer and self.silent[step.end]:
                    heappush(waiting, step.end)
                _lead(layer, layer[node], step)
            yield 2 + len(self.silent[node])
        return layer

    def _backward(
        self, merge: Callable[[float, float], float], allowed: Callable[[str], float]
    ) -> Steps[list[float]]:
        """For each node what merges from all paths to the end."""
        found = [NEVER] * (self.end + 1)
        found[self.end] = 0.0
        for node in range(self.end - 1, -1, -1):
            for step in self.silent[node]:
                found[node] = merge(found[node], step.weight + found[step.end])
            for step in self.steps[node]:
                value = step.weight + allowed(step.unit) + found[step.end]
                found[node] = merge(found[node], value)
            yield 1 + len(self.silent[node]) + 2 * len(self.steps[node])
        return found


_Link = tuple[Any, Transition] | None
"""How a node was reached: the link of the node before, and the step from there."""

_Layer = dict[int, tuple[float, _Link]]
"""Nodes that were reached, with the weighted score of the best path there."""


def _path(link: _Link) -> Steps[list[tuple[str, int]]]:
    path = []
    while link is not None:
        link, step = link
        path.append((step.unit, step.arc))
        yield 2
    return path[::-1]


def _lead(reached: _Layer, before: tuple[float, _Link], step: Transition) -> None:
    """Take a step, if that is better than what led to its end so far."""
    value = before[0] + step.weight
    if step.end not in reached or value > reached[step.end][0]:
        reached[step.end] = value, (before[1], step)


class ArcTable:
    """Steps between nodes that are numbered as they are met; one more for each inner character.

    `units` are all that is said.
    """

    def __init__(self, start: int, end: int) -> None:
        self.steps: list[list[Transition]] = []
        self.named: dict[int, int] = {}
        self.units: dict[str, None] = {}
        self.start, self.end = self.node(start), self.node(end)

    def node(self, name: int) -> int:
        if name not in self.named:
            self.named[name] = self._new()
        return self.named[name]

    def add(self, start: int, end: int, units: Sequence[str], weight: float, arc: int) -> None:
        place = self.node(start)
        self.units.update(dict.fromkeys(units))
        for unit in units[:-1]:
            following = self._new()
            self.steps[place].append(Transition(unit, following, weight, arc))
            place, weight = following, 0.0
        self.steps[place].append(
            Transition(units[-1] if units else "", self.node(end), weight, arc)
        )

    def name(self, node: int) -> int:
        """The number that a node was sent under; for one inside a label, of a node before it."""
        names = {own: name for name, own in self.named.items()}
        while node not in names:
            node -= 1
        return names[node]

    def _new(self) -> int:
        if len(self.steps) >= MAX_NODES:
            raise InvalidInput("hypotheses", f"have more than {MAX_NODES} nodes; send fewer")
        self.steps.append([])
        return len(self.steps) - 1


def join(source: Lattice | ConfusionNetwork, weighting: Weighting) -> Steps[ArcTable]:
    """All arcs of a lattice or alternatives of a confusion network, as steps.

    Raises `InvalidInput` for a weighted score above `MAX_WEIGHT`, or too many nodes.
    """
    if isinstance(source, Lattice):
        found = ArcTable(source.start, source.end)
        for number, arc in enumerate(source.arcs):
            if not source.is_known(arc.label):
                yield len(source.null_labels)
            units = source.said(arc.label).split()
            weight = _weighted(weighting, arc.scores, f"lattice.arcs[{number}].scores")
            found.add(arc.start, arc.end, units, weight, number)
            yield _ARC_WORK + 2 * len(units)
        return found
    number = 0
    found = ArcTable(0, len(source.slots))
    for place, slot in enumerate(source.slots):
        for rank, alternative in enumerate(slot):
            text = alternative.text
            field = f"confusion_network.slots[{place}].alternatives[{rank}].scores"
            weight = _weighted(weighting, alternative.scores, field)
            units = text.split() if source.separator else list(text)
            found.add(place, place + 1, units, weight, number)
            number += 1
            yield _ARC_WORK + 2 * len(units)
    return found


def _weighted(weighting: Weighting, scores: Mapping[str, float], field: str) -> float:
    """The weighted score of an arc. Raises `InvalidInput` for one whose sums may not be finite."""
    weight = weighting.weighted(scores)
    if not abs(weight) <= MAX_WEIGHT:
        problem = f"weigh {weight:g}; send scores and weights within {MAX_WEIGHT:g}"
        raise InvalidInput(field, problem)
    return weight


def _topological(found: ArcTable) -> Steps[dict[int, int]]:
    """The place of each node that lies on a path from the start to the end."""
    backward: list[list[int]] = []
    for _ in found.steps:
        backward.append([])
        yield 1
    for node, steps in enumerate(found.steps):
        for step in steps:
            backward[step.end].append(node)
        yield 1 + len(steps) // 2
    forward = yield from _reachable(found.start, lambda node: [s.end for s in found.steps[node]])
    useful = forward & (yield from _reachable(found.end, backward.__getitem__))
    if not useful:
        raise InvalidInput("lattice", "has no path from start_node to end_node")
    before = {}
    for node in useful:
        before[node] = sum(other in useful for other in backward[node])
        yield 1 + len(backward[node]) // 4
    order: dict[int, int] = {}
    ready = deque(node for node in (found.start,) if before[node] == 0)
    while ready:
        node = ready.popleft()
        order[node] = len(order)
        for step in found.steps[node]:
            if step.end in useful:
                before[step.end] -= 1
                if before[step.end] == 0:
                    ready.append(step.end)
        yield 2 + len(found.steps[node])
    if len(order) < len(useful):
        name = found.name(min(useful - order.keys()))
        raise InvalidInput("lattice.arcs", f"lead in a circle through or behind node {name}")
    return order


def _reachable(start: int, neighbours: Callable[[int], Sequence[int]]) -> Steps[set[int]]:
    found, waiting = {start}, [start]
    while waiting:
        following = neighbours(waiting.pop())
        for node in following:
            if node not in found:
                found.add(node)
                waiting.append(node)
        yield 1 + len(following)
    return found


def log_add(first: float, second: float) -> float:
    """log(exp(first) + exp(second))."""
    high, low = max(first, second), min(first, second)
    return high if low == NEVER else high + math.log1p(math.exp(low - high))
