"""Recogniser lattices and confusion networks as a client sends them, and their validation.

Every path from the start to the end spells a transcript. Lattices: Ney and Aubert 1994. Confusion
networks: Mangu et al. 2000, "Finding consensus in speech recognition".
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from wordgate.errors import InvalidInput
from wordgate.scoring.score_weights import check_finite, check_scores
from wordgate.text.cooperative_steps import Steps
from wordgate.text.normalization import require_unicode

NULL_LABELS = ("!NULL", "!SENT_*", "<*>", "[*]")
"""Default null labels. `*`, at most once per pattern, matches any characters."""

_MAX_NODES = 1 << 32

SEPARATORS = (" ", "")

_VARIANT = re.compile(r"(?<=.)\(\d+\)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Arc:
    """An arc between two nodes with its label and the recogniser's scores by name."""

    start: int
    end: int
    label: str
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Lattice:
    """An acyclic graph of arcs; each path from `start` to `end` spells a transcript.

    Nodes are numbered from 0. `times` holds the time of each node in seconds, or is empty. Labels
    that are empty, that are only white space, or that match `null_labels` add no text. A
    pronunciation variant such as `read(2)` is read as `read` unless `keep_variants` is set. Paths
    with the same text are merged: the best one counts, or with `sum_paths` the log-sum-exp of all.
    """

    arcs: Sequence[Arc]
    start: int
    end: int
    times: Sequence[float] = ()
    null_labels: Sequence[str] = NULL_LABELS
    keep_variants: bool = False
    sum_paths: bool = False

    def said(self, label: str) -> str:
        """Return the text of a label without its variant number; empty for a null label."""
        if label not in self._said:
            null = any(_matches(label, pattern) for pattern in self.null_labels)
            plain = label if self.keep_variants else _VARIANT.sub("", label)
            self._said[label] = "" if null else plain
        return self._said[label]

    @cached_property
    def _said(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True, slots=True)
class Alternative:
    """One alternative of a slot. An empty text adds nothing to the transcript."""

    text: str
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ConfusionNetwork:
    """A sequence of slots; a transcript takes one alternative from each.

    `separator` joins the texts of the slots: a space if slots hold words, empty if they hold
    characters (spaces are then alternatives like any other). `times` holds the start of each slot
    and the end of the last one, in seconds, or is empty.
    """

    slots: Sequence[Sequence[Alternative]]
    separator: str = " "
    times: Sequence[float] = ()
    sum_paths: bool = False


def check_lattice(lattice: Lattice) -> Steps[None]:
    """Raise `InvalidInput` naming the field of a lattice that is not valid.

    Check for scores that some arcs lack or that are not finite, nodes that are negative or have no
    time, and labels that are not Unicode. Cycles and a missing path are detected later, by the
    topological sort.
    """
    if not lattice.arcs:
        raise InvalidInput("lattice.arcs", "is empty; send at least one arc")
    for number, arc in enumerate(lattice.arcs):
        field_name = f"lattice.arcs[{number}]"
        require_unicode(arc.label, f"{field_name}.label")
        _check_node(f"{field_name}.start_node", arc.start, lattice.times)
        _check_node(f"{field_name}.end_node", arc.end, lattice.times)
        yield
    for number, pattern in enumerate(lattice.null_labels):
        field_name = f"lattice.null_labels.patterns[{number}]"
        require_unicode(pattern, field_name)
        if pattern.count("*") > 1:
            raise InvalidInput(field_name, f"is {pattern!r}; send at most one *")
        yield
    _check_node("lattice.start_node", lattice.start, lattice.times)
    _check_node("lattice.end_node", lattice.end, lattice.times)
    yield from _check_times("lattice.node_times_seconds", lattice.times)
    yield from check_scores(
        (partial("lattice.arcs[{}].scores".format, number), arc.scores)
        for number, arc in enumerate(lattice.arcs)
    )


def check_confusion_network(network: ConfusionNetwork) -> Steps[None]:
    """Raise `InvalidInput` naming the field of a confusion network that is not valid."""
    field_name = "confusion_network.slots"
    if not network.slots:
        raise InvalidInput(field_name, "is empty; send at least one slot")
    if network.separator not in SEPARATORS:
        problem = f"is {network.separator!r}; send a space or an empty string"
        raise InvalidInput("confusion_network.separator", problem)
    for number, slot in enumerate(network.slots):
        if not slot:
            raise InvalidInput(
                f"{field_name}[{number}].alternatives", "is empty; send at least one"
            )
        for rank, alternative in enumerate(slot):
            require_unicode(alternative.text, f"{field_name}[{number}].alternatives[{rank}].text")
            yield
    if network.times and len(network.times) != len(network.slots) + 1:
        expected = len(network.slots) + 1
        problem = f"has {len(network.times)} entries for {len(network.slots)} slots; send "
        raise InvalidInput("confusion_network.times_seconds", f"{problem}{expected}, or none")
    yield from _check_times("confusion_network.times_seconds", network.times)
    yield from check_scores(
        (
            partial("{}[{}].alternatives[{}].scores".format, field_name, number, rank),
            alternative.scores,
        )
        for number, slot in enumerate(network.slots)
        for rank, alternative in enumerate(slot)
    )


def _check_times(field_name: str, times: Sequence[float]) -> Steps[None]:
    """Raise `InvalidInput` for a time that is not finite."""
    for number, time in enumerate(times):
        if not math.isfinite(time):
            check_finite(f"{field_name}[{number}]", time)
        yield


def _matches(label: str, pattern: str) -> bool:
    first, star, last = pattern.partition("*")
    if not star:
        return label == pattern
    fits = len(label) >= len(first) + len(last)
    return fits and label.startswith(first) and label.endswith(last)


def _check_node(field_name: str, node: int, times: Sequence[float]) -> None:
    if not 0 <= node < _MAX_NODES:
        raise InvalidInput(field_name, f"is {node}; send a node number from 0 to {_MAX_NODES - 1}")
    if times and node >= len(times):
        problem = f"is {node}, but node_times_seconds has {len(times)} entries"
        raise InvalidInput(field_name, problem)
