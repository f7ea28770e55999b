"""Lattices and confusion networks as messages, in both directions.

A request of a megabyte holds tens of thousands of entries. The server counts them before reading
any, and reads them in the engine, in short steps, once the request has been admitted.
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

ENTRIES_PER_STEP = 50


def encode_lattice(lattice: Lattice) -> rescoring_pb2.Lattice:
    """The message of a lattice. Raises `InvalidInput` naming a field that cannot be sent."""
    check_lattice(lattice)
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
    """The message of a confusion network. Raises `InvalidInput` as `lattice_message`."""
    check_confusion_network(network)
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
    asked: rescoring_pb2.ConfusionNetwork, limits: Limits
) -> ModelTask[ConfusionNetwork]:
    """Return a confusion network, with pauses. Raises `InvalidInput` for one beyond the limits."""
    place = "confusion_network.slots"
    alternatives = 0
    for number, slot in enumerate(asked.slots):
        if is_step(number):
            yield YIELD
        alternatives += len(slot.alternatives)
        if alternatives > limits.max_arcs:
            problem = f"has more than {limits.max_arcs} alternatives, which is the limit"
            raise InvalidInput(place, problem)
    slots: list[list[Alternative]] = []
    read = 0
    for number, slot in enumerate(asked.slots):
        slots.append([])
        for rank, each in enumerate(slot.alternatives):
            if is_step(read):
                yield YIELD
            read += 1
            where = f"{place}[{number}].alternatives[{rank}]"
            check_bytes(f"{where}.text", each.text, limits.max_label_bytes)
            slots[-1].append(
                Alternative(each.text, decode_named_scores(f"{where}.scores", each, limits))
            )
    return ConfusionNetwork(
        slots,
        asked.separator if asked.HasField("separator") else ConfusionNetwork.separator,
        list(asked.times_seconds),
        asked.merging == rescoring_pb2.PATH_MERGING_SUM,
    )


def decode_lattice(asked: rescoring_pb2.Lattice, limits: Limits) -> ModelTask[Lattice]:
    """Return a lattice, with pauses. Raises `InvalidInput` for one beyond the limits."""
    patterns = asked.null_labels.patterns
    for number, pattern in enumerate(patterns):
        place = f"lattice.null_labels.patterns[{number}]"
        check_bytes(place, pattern, limits.max_label_bytes)
    arcs = []
    for number, arc in enumerate(asked.arcs):
        if is_step(number):
            yield YIELD
        where = f"lattice.arcs[{number}]"
        check_bytes(f"{where}.label", arc.label, limits.max_label_bytes)
        scores = decode_named_scores(f"{where}.scores", arc, limits)
        arcs.append(Arc(arc.start_node, arc.end_node, arc.label, scores))
    return Lattice(
        arcs,
        asked.start_node,
        asked.end_node,
        list(asked.node_times_seconds),
        list(patterns) if asked.HasField("null_labels") else NULL_LABELS,
        asked.keep_variants,
        asked.merging == rescoring_pb2.PATH_MERGING_SUM,
    )


def is_step(entries: int) -> bool:
    """Return whether a pause is due after this many entries."""
    return entries > 0 and entries % ENTRIES_PER_STEP == 0


def decode_named_scores(place: str, scored: Any, limits: Limits) -> dict[str, float]:
    """Return the scores of an entry by name. Raises `InvalidInput` beyond the limits."""
    check_scores(place, scored.scores, limits)
    return dict(scored.scores)


def check_scores(place: str, scores: Mapping[str, float], limits: Limits) -> None:
    """Raise `InvalidInput` for too many scores, or names that are too long."""
    check_most(place, scores, limits.max_scores)
    for name in scores:
        check_bytes(place, name, limits.max_score_name_bytes)
