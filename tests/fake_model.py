"""A fake bigram model with known probabilities: each token depends only on the one before it."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import HiddenVectors, ModelRequest, OutputRows, Step, TokenLogProbs


class FakeModel:
    """A bigram table behind the same requests as the real model.

    `probabilities[p, q]` is P(token q | token p), shape [tokens + 1, tokens]. The last row, -1, is
    the zero state. A state is the last token read. `calls` counts the requests by type.
    """

    start = -1

    def __init__(self, levels: AdaptiveSoftmaxLayout, probabilities: NDArray[np.float64]) -> None:
        self.levels = levels
        self.probabilities = probabilities
        self.calls: Counter[str] = Counter()

    @classmethod
    def random(cls, levels: AdaptiveSoftmaxLayout, seed: int, spread: float = 1.0) -> "FakeModel":
        """Draw a random table. A larger `spread` gives a more confident model."""
        generator = np.random.default_rng(seed)
        size = levels.vocabulary
        logits = spread * generator.normal(size=(size + 1, size))
        weights = np.exp(logits)
        return cls(levels, weights / weights.sum(1, keepdims=True))

    def answer(self, asks: Sequence[ModelRequest]) -> list[Any]:
        """Answer each request separately."""
        return [self._answer(ask) for ask in asks]

    def log_prob(self, state: int, piece: int) -> float:
        """Return the value that `TokenLogProbs` gives for one question."""
        level = self.levels.of(piece)
        head = self._row(0, state)
        if level == 0:
            return float(head[piece])
        row = self._row(level, state)
        cluster = float(head[self.levels.head + level - 1])
        return cluster + float(row[piece - self.levels.first(level)])

    def vector(self, state: int) -> NDArray[np.float32]:
        """Return the hidden values of a state: a point on the unit circle."""
        return np.array([np.cos(state), np.sin(state)], np.float32)

    def _answer(self, ask: ModelRequest) -> Any:
        self.calls[type(ask).__name__] += 1
        if isinstance(ask, Step):
            return [piece for _, piece in ask.steps]
        if isinstance(ask, TokenLogProbs):
            return [self.log_prob(state, piece) for state, piece in ask.questions]
        if isinstance(ask, HiddenVectors):
            return [self.vector(state) for state in ask.states]
        assert isinstance(ask, OutputRows)
        return [self._row(ask.level, state) for state in ask.states]

    def _row(self, level: int, state: int) -> NDArray[np.float32]:
        row = self.probabilities[state]
        cutoffs = self.levels.cutoffs
        if level:
            shares = (
                row[cutoffs[level - 1] : cutoffs[level]]
                / row[cutoffs[level - 1] : cutoffs[level]].sum()
            )
        else:
            sums = [row[first:after].sum() for first, after in pairwise(cutoffs)]
            shares = np.concatenate([row[: cutoffs[0]], sums])
        with np.errstate(divide="ignore"):
            logs: NDArray[np.float32] = np.log(shares).astype(np.float32)
        return logs
