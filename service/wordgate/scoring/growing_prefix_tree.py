"""What a model read and said of many texts that share their beginnings.

Knows pieces and what to ask of a model; does not know words. Unlike `prefix_tree`, whose sequences
are all known from the start, this one grows where a search goes on.
"""

from collections.abc import Sequence

from wordgate.lm.requests import SHORT_ROUND, YIELD, ModelTask, Pace, State, Step, TokenLogProbs

ROOT = 0
_PIECE_WORK = 2


class GrowingPrefixTree:
    """Places are numbers; the first (0) is where the texts begin.

    `log_probs[place]` is the natural logarithm of the probability of the pieces from there to the
    place. States are asked for only where something follows.
    """

    def __init__(self, start: State) -> None:
        self.log_probs = [0.0]
        self.steps = 0
        self._pace = Pace(SHORT_ROUND)
        self._pieces = [-1]
        self._parents = [ROOT]
        self._states: dict[int, State] = {ROOT: start}
        self._known: dict[tuple[int, int], int] = {}

    def read(self, wanted: Sequence[tuple[int, Sequence[int]]]) -> ModelTask[list[int]]:
        """The places that pieces lead to, each time from a place; what is known is not asked."""
        reached = [place for place, _ in wanted]
        for depth in range(max((len(pieces) for _, pieces in wanted), default=0)):
            new = []
            for number, (_, pieces) in enumerate(wanted):
                if depth < len(pieces):
                    key = reached[number], pieces[depth]
                    if key not in self._known:
                        self._known[key] = self._add(*key)
                        new.append(self._known[key])
                    reached[number] = self._known[key]
            if self._pace.is_due(_PIECE_WORK * len(wanted)):
                yield YIELD
            if new:
                yield from self._ask(new)
        return reached

    def _add(self, parent: int, piece: int) -> int:
        self._pieces.append(piece)
        self._parents.append(parent)
        self.log_probs.append(self.log_probs[parent])
        return len(self._pieces) - 1

    def _ask(self, new: list[int]) -> ModelTask[None]:
        """Ask for the log-probabilities of new places."""
        new.sort(key=self._parents.__getitem__)
        lacking = [p for p in dict.fromkeys(self._parents[n] for n in new) if p not in self._states]
        if lacking:
            steps = [(self._states[self._parents[p]], self._pieces[p]) for p in lacking]
            self._states.update(zip(lacking, (yield Step(steps)), strict=True))
            self.steps += len(steps)
        asked = [(self._states[self._parents[n]], self._pieces[n]) for n in new]
        for place, gain in zip(new, (yield TokenLogProbs(asked)), strict=True):
            self.log_probs[place] += gain
