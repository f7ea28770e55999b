"""A recogniser's lattice, or its confusion network, as it was sent.

Knows nodes, arcs, labels and scores; does not know how they are searched. A path from the start to
the end says a transcript. Lattices: Ney and Aubert 1994. Confusion networks: Mangu et al. 2000,
"Finding consensus in speech recognition".
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from wordgate.errors import InvalidInput
from wordgate.scoring.weighting import check_finite, check_scores
from wordgate.text.normalization import require_unicode
from wordgate.text.steps import Steps

NULL_LABELS = ("!NULL", "!SENT_*", "<*>", "[*]")
"""Labels that say nothing unless told otherwise; `*`, once in each, stands for any characters."""

_MOST_NODES = 1 << 32
_CHECK_WORK = 6

SEPARATORS = (" ", "")

_VARIANT = re.compile(r"(?<=.)\(\d+\)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Arc:
    """A step from one node to another that says `label`, with a recogniser's scores by name."""

    start: int
    end: int
    label: str
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Lattice:
    """Arcs without a circle; a transcript is what the arcs of a path from `start` to `end` say.

    Nodes are numbers from 0. `times` are the seconds of each node, or there are none. A label of
    white space alone, an empty one and those that match `null_labels` say nothing; a pronunciation
    variant, `read(2)`, says `read` unless `keep_variants`. Of paths that say the same, the best
    counts, or with `sum_paths` the logarithm of the sum of all.
    """

    arcs: Sequence[Arc]
    start: int
    end: int
    times: Sequence[float] = ()
    null_labels: Sequence[str] = NULL_LABELS
    keep_variants: bool = False
    sum_paths: bool = False

    def said(self, label: str) -> str:
        """What a label says: nothing, or the word without its variant."""
        if label not in self._said:
            null = any(_matches(label, pattern) for pattern in self.null_labels)
            plain = label if self.keep_variants else _VARIANT.sub("", label)
            self._said[label] = "" if null else plain
        return self._said[label]

    def is_known(self, label: str) -> bool:
        """Whether `said` has been asked about a label before."""
        return label in self._said

    @cached_property
    def _said(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of the possibilities of a slot; an empty text says nothing."""

    text: str
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ConfusionNetwork:
    """Slots, of each of which one alternative is said.

    `separator` stands between what slots say: a space where they hold words, nothing where they
    hold characters (then spaces are alternatives like any other). `times` are the seconds at which
    each slot begins and, at the end, the last one ends; or there are none.
    """

    slots: Sequence[Sequence[Alternative]]
    separator: str = " "
    times: Sequence[float] = ()
    sum_paths: bool = False


def check_lattice(lattice: Lattice) -> Steps[None]:
    """Raise `InvalidInput` naming the field of a lattice that cannot be searched.

    Scores that not all arcs have or that are not finite, nodes that are negative or have no time,
    labels that are not Unicode. (That it has a path and no circle is found out when it is put in
    order.)
    """
    if not lattice.arcs:
        raise InvalidInput("lattice.arcs", "is empty; send at least one arc")
    for number, arc in enumerate(lattice.arcs):
        place = f"lattice.arcs[{number}]"
        require_unicode(arc.label, f"{place}.label")
        _check_node(f"{place}.start_node", arc.start, lattice.times)
        _check_node(f"{place}.end_node", arc.end, lattice.times)
        yield _CHECK_WORK
    for number, pattern in enumerate(lattice.null_labels):
        place = f"lattice.null_labels.patterns[{number}]"
        require_unicode(pattern, place)
        if pattern.count("*") > 1:
            raise InvalidInput(place, f"is {pattern!r}; send one * at most")
        yield _CHECK_WORK
    _check_node("lattice.start_node", lattice.start, lattice.times)
    _check_node("lattice.end_node", lattice.end, lattice.times)
    yield from _check_times("lattice.node_times_seconds", lattice.times)
    yield from check_scores(
        (partial("lattice.arcs[{}].scores".format, number), arc.scores)
        for number, arc in enumerate(lattice.arcs)
    )


def check_confusion_network(network: ConfusionNetwork) -> Steps[None]:
    """Raise `InvalidInput` naming the field of a confusion network that cannot be searched."""
    place = "confusion_network.slots"
    if not network.slots:
        raise InvalidInput(place, "is empty; send at least one slot")
    if network.separator not in SEPARATORS:
        problem = f"is {network.separator!r}; send a space or nothing"
        raise InvalidInput("confusion_network.separator", problem)
    for number, slot in enumerate(network.slots):
        if not slot:
            raise InvalidInput(f"{place}[{number}].alternatives", "is empty; send at least one")
        for rank, alternative in enumerate(slot):
            require_unicode(alternative.text, f"{place}[{number}].alternatives[{rank}].text")
            yield _CHECK_WORK
    if network.times and len(network.times) != len(network.slots) + 1:
        problem = f"has {len(network.times)} entries for {len(network.slots)} slots; send one more"
        raise InvalidInput("confusion_network.times_seconds", problem + " than slots, or none")
    yield from _check_times("confusion_network.times_seconds", network.times)
    yield from check_scores(
        (partial("{}[{}].alternatives[{}].scores".format, place, number, rank), alternative.scores)
        for number, slot in enumerate(network.slots)
        for rank, alternative in enumerate(slot)
    )


def _check_times(place: str, times: Sequence[float]) -> Steps[None]:
    """Raise `InvalidInput` for a moment that is not finite."""
    for number, time in enumerate(times):
        if not math.isfinite(time):
            check_finite(f"{place}[{number}]", time)
        yield 1


def _matches(label: str, pattern: str) -> bool:
    first, star, last = pattern.partition("*")
    if not star:
        return label == pattern
    fits = len(label) >= len(first) + len(last)
    return fits and label.startswith(first) and label.endswith(last)


def _check_node(place: str, node: int, times: Sequence[float]) -> None:
    if not 0 <= node < _MOST_NODES:
        raise InvalidInput(place, f"is {node}; nodes are numbers from 0 to {_MOST_NODES - 1}")
    if times and node >= len(times):
        problem = f"is {node}, but node_times_seconds has {len(times)} entries"
        raise InvalidInput(place, problem)
