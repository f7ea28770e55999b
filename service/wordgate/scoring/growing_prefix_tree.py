"""A prefix tree of scored token sequences that grows on demand during a search.

Unlike `prefix_tree`, it does not need all sequences in advance.
"""

from collections.abc import Sequence

from wordgate.lm.requests import YIELD, ModelTask, State, Step, TimeSlice, TokenLogProbs

ROOT = 0


class GrowingPrefixTree:
    """Nodes are numbered from the root (0), which stands for the empty sequence.

    `log_probs[node]` is the log-probability (natural logarithm) of the tokens from the root to the
    node. A node's state is computed only once the node has a child. `steps` is the number of
    states that were computed.
    """

    def __init__(self, start: State, time_slice: TimeSlice) -> None:
        """`time_slice` is that of the task, which a model request restarts."""
        self.log_probs = [0.0]
        self.steps = 0
        self._time_slice = time_slice
        self._tokens = [-1]
        self._parents = [ROOT]
        self._states: dict[int, State] = {ROOT: start}
        self._known: dict[tuple[int, int], int] = {}

    def read(self, wanted: Sequence[tuple[int, Sequence[int]]]) -> ModelTask[list[int]]:
        """Return the node that each (node, tokens) pair leads to; score new nodes only."""
        reached = [node for node, _ in wanted]
        for depth in range(max((len(tokens) for _, tokens in wanted), default=0)):
            new = []
            for number, (_, tokens) in enumerate(wanted):
                if depth < len(tokens):
                    key = reached[number], tokens[depth]
                    if key not in self._known:
                        self._known[key] = self._add(*key)
                        new.append(self._known[key])
                    reached[number] = self._known[key]
            if self._time_slice.is_over():
                yield YIELD
            if new:
                yield from self._ask(new)
        return reached

    def _add(self, parent: int, token: int) -> int:
        self._tokens.append(token)
        self._parents.append(parent)
        self.log_probs.append(self.log_probs[parent])
        return len(self._tokens) - 1

    def _ask(self, new: list[int]) -> ModelTask[None]:
        """Compute the log-probabilities of new nodes, and the missing states of their parents."""
        new.sort(key=self._parents.__getitem__)
        missing = [p for p in dict.fromkeys(self._parents[n] for n in new) if p not in self._states]
        if missing:
            steps = [(self._states[self._parents[p]], self._tokens[p]) for p in missing]
            self._states.update(zip(missing, (yield Step(steps)), strict=True))
            self.steps += len(steps)
        queries = [(self._states[self._parents[n]], self._tokens[n]) for n in new]
        gains = yield TokenLogProbs(queries)
        self._time_slice.restart()
        for node, gain in zip(new, gains, strict=True):
            self.log_probs[node] += gain
