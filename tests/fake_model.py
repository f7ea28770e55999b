"""A fake bigram model with known probabilities: each token depends only on the one before it."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import (
    HiddenVectors,
    ModelRequest,
    OutputRows,
    State,
    Step,
    StepActivations,
    TokenLogProbs,
)


class FakeModel:
    """A bigram table behind the same requests as the real model.

    `probabilities[p, q]` is P(token q | token p), shape [tokens + 1, tokens]. The last row, -1, is
    the zero state. A state is the last token read. `calls` counts the requests by type.
    """

    start: State = -1

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

    def step(self, rows: Sequence[tuple[int, int]]) -> list[Any]:
        """Return the tokens read: they are the new states."""
        return self.answer(Step(rows))

    def step_activations(self, rows: Sequence[tuple[int, int]]) -> list[Any]:
        """Return the tokens read, and made-up activations of two layers of three units."""
        return self.answer(StepActivations(rows))

    def token_log_probs(self, rows: Sequence[tuple[int, int]]) -> list[Any]:
        """Return log-probabilities from the table."""
        return self.answer(TokenLogProbs(rows))

    def output_rows(self, rows: Sequence[tuple[int, int]]) -> list[Any]:
        """Return rows of the table."""
        return self.answer(OutputRows(rows))

    def hidden_vectors(self, rows: Sequence[int]) -> list[Any]:
        """Return points on the unit circle."""
        return self.answer(HiddenVectors(rows))

    def answer(self, request: ModelRequest) -> list[Any]:
        """Serve one request of any kind. Subclasses record requests here, or fail."""
        self.calls[type(request).__name__] += 1
        if isinstance(request, Step):
            return [token for _, token in request]
        if isinstance(request, StepActivations):
            return [(token, self.activations(token)) for _, token in request]
        if isinstance(request, TokenLogProbs):
            return [self.log_prob(state, token) for state, token in request]
        if isinstance(request, HiddenVectors):
            return [self.vector(state) for state in request]
        return [self._row(level, state) for state, level in request]

    def log_prob(self, state: int, token: int) -> float:
        """Return the value that `TokenLogProbs` gives for one question."""
        level = self.levels.of(token)
        head = self._row(0, state)
        if level == 0:
            return float(head[token])
        row = self._row(level, state)
        cluster = float(head[self.levels.head + level - 1])
        return cluster + float(row[token - self.levels.firsts[level]])

    def vector(self, state: int) -> NDArray[np.float32]:
        """Return the hidden values of a state: a point on the unit circle."""
        return np.array([np.cos(state), np.sin(state)], np.float32)

    def activations(self, token: int) -> NDArray[np.float32]:
        """Return the activations when a token is read: float32 [2, 5, 3]."""
        return np.random.default_rng(token).random((2, 5, 3), np.float32)

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


class TokenReader(FakeModel):
    """A fake model whose state is the sequence of tokens read. `read` counts them."""

    start: State = ()

    def __init__(self, levels: AdaptiveSoftmaxLayout) -> None:
        super().__init__(levels, np.zeros((1, 1)))
        self.read = 0

    def step(self, rows: Sequence[tuple[State, int]]) -> list[State]:
        """Return the states after the tokens."""
        self.read += len(rows)
        return [(*state, token) for state, token in rows]
