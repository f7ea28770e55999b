"""The prefix tree of several sequences of pieces.

Knows sequences of numbers only. Sequences that share a beginning share its nodes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Node:
    """A piece after its parent's pieces; the root has no piece (-1) and is its own parent."""

    index: int
    piece: int
    parent: "Node"
    children: "dict[int, Node]"

    @classmethod
    def new_root(cls) -> "Node":
        """A node that nothing comes before."""
        root = cls.__new__(cls)
        root.__init__(0, -1, root, {})  # type: ignore[misc]
        return root


class PrefixTree:
    """Nodes numbered from the root (0) in the order in which they were first needed."""

    def __init__(self, sequences: Sequence[Sequence[int]]) -> None:
        self.root = Node.new_root()
        self._nodes = [self.root]
        self._leaves = [self._grow(sequence) for sequence in sequences]

    def __len__(self) -> int:
        return len(self._nodes)

    def leaves(self) -> list[Node]:
        """Where each sequence ends, in the order given; an empty one ends at the root."""
        return self._leaves

    def levels(self) -> Iterator[list[Node]]:
        """The nodes below the root, level by level, children of one parent together."""
        level = list(self.root.children.values())
        while level:
            yield level
            level = [child for node in level for child in node.children.values()]

    def _grow(self, sequence: Sequence[int]) -> Node:
        node = self.root
        for piece in sequence:
            child = node.children.get(piece)
            if child is None:
                child = Node(len(self._nodes), piece, node, {})
                self._nodes.append(child)
                node.children[piece] = child
            node = child
        return node
