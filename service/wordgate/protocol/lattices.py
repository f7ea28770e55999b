"""Encode and decode lattices and confusion networks.

A request of 1 MiB contains tens of thousands of entries. The server first checks only their number.
It decodes them in the engine, in short steps, after the request is admitted.
"""

from collections.abc import Mapping
from typing import Any

from wordgate.api.v1 import rescoring_pb2
from wordgate.errors import InvalidInput
from wordgate.lm.requests import YIELD, ModelTask
from wordgate.protocol.limits import Limits, check_bytes, check_most
from wordgate.scoring.lattice import (
    NULL_LABELS,
    Alternative,
    Arc,
    ConfusionNetwork,
    Lattice,
    check_confusion_network,
    check_lattice,
)
from wordgate.text.cooperative_steps import finish

_SUMS_PATHS: Mapping[int, bool] = {
    rescoring_pb2.PATH_MERGING_UNSPECIFIED: False,
    rescoring_pb2.PATH_MERGING_BEST: False,
    rescoring_pb2.PATH_MERGING_SUM: True,
}

ENTRIES_PER_STEP = 50
"""Entries that a task decodes or encodes before it yields to the scheduler."""


def encode_lattice(lattice: Lattice) -> rescoring_pb2.Lattice:
    """Return a lattice as a message. Raises `InvalidInput` for an invalid field."""
    finish(check_lattice(lattice))
    return rescoring_pb2.Lattice(
        arcs=[
            rescoring_pb2.Arc(
                start_node=arc.start, end_node=arc.end, label=arc.label, scores=arc.scores
            )
            for arc in lattice.arcs
        ],
        start_node=lattice.start,
        end_node=lattice.end,
        node_times_seconds=lattice.times,
        null_labels=rescoring_pb2.NullLabels(patterns=lattice.null_labels),
        keep_variants=lattice.keep_variants,
        merging=_merging(lattice.sum_paths),
    )


def encode_confusion_network(network: ConfusionNetwork) -> rescoring_pb2.ConfusionNetwork:
    """Return a confusion network as a message. Raises `InvalidInput` for an invalid field."""
    finish(check_confusion_network(network))
    return rescoring_pb2.ConfusionNetwork(
        slots=[
            rescoring_pb2.Slot(
                alternatives=[
                    rescoring_pb2.Alternative(text=each.text, scores=each.scores) for each in slot
                ]
            )
            for slot in network.slots
        ],
        separator=network.separator,
        times_seconds=network.times,
        merging=_merging(network.sum_paths),
    )


def _merging(sum_paths: bool) -> rescoring_pb2.PathMerging.ValueType:
    if sum_paths:
        return rescoring_pb2.PATH_MERGING_SUM
    return rescoring_pb2.PATH_MERGING_BEST


def decode_confusion_network(
    message: rescoring_pb2.ConfusionNetwork, limits: Limits
) -> ModelTask[ConfusionNetwork]:
    """Decode a confusion network in steps.

    Raises `InvalidInput` if it exceeds a limit or has an unknown value.
    """
    sum_paths = _decode_merging("confusion_network.merging", message.merging)
    field = "confusion_network.slots"
    alternatives = 0
    for number, slot in enumerate(message.slots):
        if is_step(number):
            yield YIELD
        alternatives += len(slot.alternatives)
        if alternatives > limits.max_arcs:
            problem = f"has too many alternatives; the limit is {limits.max_arcs}"
            raise InvalidInput(field, problem)
    slots: list[list[Alternative]] = []
    read = 0
    for number, slot in enumerate(message.slots):
        slots.append([])
        for rank, each in enumerate(slot.alternatives):
            if is_step(read):
                yield YIELD
            read += 1
            entry = f"{field}[{number}].alternatives[{rank}]"
            check_bytes(f"{entry}.text", each.text, limits.max_label_bytes)
            slots[-1].append(
                Alternative(each.text, decode_named_scores(f"{entry}.scores", each, limits))
            )
    return ConfusionNetwork(
        slots,
        message.separator if message.HasField("separator") else ConfusionNetwork.separator,
        list(message.times_seconds),
        sum_paths,
    )


def decode_lattice(message: rescoring_pb2.Lattice, limits: Limits) -> ModelTask[Lattice]:
    """Decode a lattice in steps.

    Raises `InvalidInput` if it exceeds a limit or has an unknown value.
    """
    sum_paths = _decode_merging("lattice.merging", message.merging)
    patterns = message.null_labels.patterns
    for number, pattern in enumerate(patterns):
        field = f"lattice.null_labels.patterns[{number}]"
        check_bytes(field, pattern, limits.max_label_bytes)
    arcs = []
    for number, arc in enumerate(message.arcs):
        if is_step(number):
            yield YIELD
        entry = f"lattice.arcs[{number}]"
        check_bytes(f"{entry}.label", arc.label, limits.max_label_bytes)
        scores = decode_named_scores(f"{entry}.scores", arc, limits)
        arcs.append(Arc(arc.start_node, arc.end_node, arc.label, scores))
    return Lattice(
        arcs,
        message.start_node,
        message.end_node,
        list(message.node_times_seconds),
        list(patterns) if message.HasField("null_labels") else NULL_LABELS,
        message.keep_variants,
        sum_paths,
    )


def _decode_merging(field: str, number: int) -> bool:
    sum_paths = _SUMS_PATHS.get(number)
    if sum_paths is None:
        raise InvalidInput(field, f"has the unknown value {number}")
    return sum_paths


def is_step(entries: int) -> bool:
    """Return whether a task yields to the scheduler after this many entries."""
    return entries > 0 and entries % ENTRIES_PER_STEP == 0


def decode_named_scores(field: str, scored: Any, limits: Limits) -> dict[str, float]:
    """Decode the named scores of an entry. Raises `InvalidInput` if they exceed a limit."""
    check_scores(field, scored.scores, limits)
    return dict(scored.scores)


def check_scores(field: str, scores: Mapping[str, float], limits: Limits) -> None:
    """Raise `InvalidInput` for too many scores or for a name that is too long."""
    check_most(field, scores, limits.max_scores)
    for name in scores:
        check_bytes(field, name, limits.max_score_name_bytes)
