"""A prefix tree (trie) of token sequences."""

from collections.abc import Sequence

from wordgate.text.cooperative_steps import Steps, finish

ROOT = 0
_TOKEN_BITS = 32


class PrefixTree:
    """A prefix tree whose nodes are numbered from the root (0) in insertion order.

    - `tokens[node]`: the node's token; -1 for the root.
    - `parents[node]`: the node's parent; the root is its own parent.
    - `inner[node]`: whether the node has children.
    - `levels`: the nodes below the root by depth, with siblings next to each other.
    - `leaves`: the last node of each sequence, in the order given; the root for an empty sequence.
    """

    def __init__(self, sequences: Sequence[Sequence[int]] = ()) -> None:
        self.tokens = [-1]
        self.parents = [ROOT]
        self.inner = [False]
        self.levels: list[list[int]] = []
        self.leaves: list[int] = []
        self._nodes: list[dict[int, int]] = []
        finish(self.grow(sequences))

    def grow(self, sequences: Sequence[Sequence[int]]) -> Steps[None]:
        """Add sequences to an empty tree, as steps."""
        for sequence in sequences:
            self.leaves.append(self._add(sequence))
            yield
        self._nodes = []  # the index takes most of the memory
        for level in self.levels:
            level.sort(key=self.parents.__getitem__)
            yield

    def path(self, node: int) -> list[int]:
        """Return the nodes from below the root to this one."""
        nodes = []
        while node != ROOT:
            nodes.append(node)
            node = self.parents[node]
        return nodes[::-1]

    def __len__(self) -> int:
        return len(self.tokens)

    def _add(self, sequence: Sequence[int]) -> int:
        node = ROOT
        for depth, token in enumerate(sequence):
            known = self._nodes[depth] if depth < len(self._nodes) else {}
            child = known.get(node << _TOKEN_BITS | token)
            if child is None:
                return self._branch(node, sequence, depth)
            node = child
        return node

    def _branch(self, node: int, sequence: Sequence[int], depth: int) -> int:
        """Add the rest of a sequence below `node`; none of its nodes exist yet."""
        rest = sequence[depth:]
        first = len(self.tokens)
        new = range(first, first + len(rest))
        self.inner[node] = True
        self.inner.extend([True] * (len(rest) - 1))
        self.inner.append(False)
        self.tokens.extend(rest)
        self.parents.append(node)
        self.parents.extend(new[:-1])
        new_levels = depth + len(rest) - len(self.levels)
        self.levels.extend([] for _ in range(new_levels))
        self._nodes.extend({} for _ in range(new_levels))
        for child, token in zip(new, rest, strict=True):
            self._nodes[depth][node << _TOKEN_BITS | token] = child
            self.levels[depth].append(child)
            node, depth = child, depth + 1
        return node
