"""The prefix tree of several sequences of pieces.

Knows sequences of numbers only. Sequences that share a beginning share its nodes.
"""

from collections.abc import Sequence

from wordgate.text.steps import Steps, finish

ROOT = 0
_PIECE_BITS = 32


class PrefixTree:
    """Nodes are numbers from the root (0) on, in the order in which they were first needed.

    `pieces[node]` is read after all of `parents[node]`; the root has no piece (-1) and is its own
    parent. `leaves` are where each sequence ends, in the order given; an empty one ends at the
    root. `levels` are the nodes below the root by depth, children of one parent together. `inner`
    says of each node whether it has children.
    """

    def __init__(self, sequences: Sequence[Sequence[int]] = ()) -> None:
        self.pieces = [-1]
        self.parents = [ROOT]
        self.inner = [False]
        self.levels: list[list[int]] = []
        self.leaves: list[int] = []
        self._nodes: list[dict[int, int]] = []
        finish(self.grow(sequences))

    def grow(self, sequences: Sequence[Sequence[int]]) -> Steps[None]:
        """Add sequences to an empty tree, in steps."""
        for sequence in sequences:
            self.leaves.append(self._add(sequence))
            yield 1 + 3 * len(sequence)
        self._nodes = []  # they take most of the memory
        for level in self.levels:
            level.sort(key=self.parents.__getitem__)
            yield 1 + len(level) // 4

    def path(self, node: int) -> list[int]:
        """Return the nodes from below the root to this one."""
        nodes = []
        while node != ROOT:
            nodes.append(node)
            node = self.parents[node]
        return nodes[::-1]

    def __len__(self) -> int:
        return len(self.pieces)

    def _add(self, sequence: Sequence[int]) -> int:
        node = ROOT
        for depth, piece in enumerate(sequence):
            known = self._nodes[depth] if depth < len(self._nodes) else {}
            child = known.get(node << _PIECE_BITS | piece)
            if child is None:
                return self._branch(node, sequence, depth)
            node = child
        return node

    def _branch(self, node: int, sequence: Sequence[int], depth: int) -> int:
        """Grow what nobody shares: below a new node all are new."""
        rest = sequence[depth:]
        first = len(self.pieces)
        new = range(first, first + len(rest))
        self.inner[node] = True
        self.inner.extend([True] * (len(rest) - 1))
        self.inner.append(False)
        self.pieces.extend(rest)
        self.parents.append(node)
        self.parents.extend(new[:-1])
        new_levels = depth + len(rest) - len(self.levels)
        self.levels.extend([] for _ in range(new_levels))
        self._nodes.extend({} for _ in range(new_levels))
        for child, piece in zip(new, rest, strict=True):
            self._nodes[depth][node << _PIECE_BITS | piece] = child
            self.levels[depth].append(child)
            node, depth = child, depth + 1
        return node
