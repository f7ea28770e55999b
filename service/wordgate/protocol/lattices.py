"""Lattices and confusion networks as messages.

Knows both and refuses what a message cannot carry; does not know connections.
"""

from wordgate.api.v1 import rescoring_pb2
from wordgate.scoring.lattice import (
    ConfusionNetwork,
    Lattice,
    check_confusion_network,
    check_lattice,
)


def lattice_message(lattice: Lattice) -> rescoring_pb2.Lattice:
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


def confusion_network_message(network: ConfusionNetwork) -> rescoring_pb2.ConfusionNetwork:
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
