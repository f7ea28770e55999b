"""The prefix tree of several sequences of pieces.

Knows sequences of numbers only. Sequences that share a beginning share its nodes.
"""

from collections.abc import Sequence

ROOT = 0
_PIECE_BITS = 32


class PrefixTree:
    """Nodes are numbers from the root (0) on, in the order in which they were first needed.

    `pieces[node]` is read after all of `parents[node]`; the root has no piece (-1) and is its own
    parent. `leaves` are where each sequence ends, in the order given; an empty one ends at the
    root. `levels` are the nodes below the root by depth, children of one parent together. `inner`
    says of each node whether it has children.
    """

    def __init__(self, sequences: Sequence[Sequence[int]]) -> None:
        self.pieces = [-1]
        self.parents = [ROOT]
        self.inner = [False]
        self.levels: list[list[int]] = []
        self._nodes: dict[int, int] = {}
        self.leaves = [self._grow(sequence) for sequence in sequences]
        for level in self.levels:
            level.sort(key=self.parents.__getitem__)

    def __len__(self) -> int:
        return len(self.pieces)

    def _grow(self, sequence: Sequence[int]) -> int:
        node, known = ROOT, self._nodes
        for depth, piece in enumerate(sequence):
            key = node << _PIECE_BITS | piece
            child = known.get(key)
            if child is None:
                child = known[key] = self._add(node, piece, depth)
            node = child
        return node

    def _add(self, parent: int, piece: int, depth: int) -> int:
        self.pieces.append(piece)
        self.parents.append(parent)
        self.inner[parent] = True
        self.inner.append(False)
        if depth == len(self.levels):
            self.levels.append([])
        self.levels[depth].append(len(self.parents) - 1)
        return len(self.parents) - 1
