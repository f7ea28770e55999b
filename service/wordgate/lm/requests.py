"""Model requests: the interface between the algorithms and a model.

The algorithms of this package are generators without I/O. They yield one of these requests and are
sent the answer, a list with one entry per row of the request. They do not depend on onnxruntime or
on the driver. Therefore a scheduler can batch the requests of many algorithms, and tests can use a
fake model with known numbers.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.text.steps import Steps

MAX_ROWS = 64
"""Maximum rows per inference; docs/performance.md has the measured curve."""

State = Any
"""The network's state after reading some tokens. It is opaque here; the model owns it."""


@dataclass(frozen=True, slots=True)
class Step:
    """Read one token after each state. Answer: the new states, in order.

    `following`: number of rows that the same text will request after this one, one at a time.
    """

    steps: Sequence[tuple[State, int]]
    following: int = field(default=0, compare=False)

    def __len__(self) -> int:
        return len(self.steps)

    def part(self, first: int, after: int) -> "Step":
        """Return the part of this request with rows [first, after)."""
        return Step(self.steps[first:after])


@dataclass(frozen=True, slots=True)
class TokenLogProbs:
    """Log-probability of a token after a state. Answer: `list[float]`, natural logarithms.

    Put the questions of one state next to each other: they share a row of the output layer.
    """

    questions: Sequence[tuple[State, int]]

    def __len__(self) -> int:
        return len(self.questions)

    def part(self, first: int, after: int) -> "TokenLogProbs":
        """Return the part of this request with rows [first, after)."""
        return TokenLogProbs(self.questions[first:after])


@dataclass(frozen=True, slots=True)
class OutputRows:
    """One full output level after each state. Answer: a list of float32 [width of the level].

    Level 0 is the head: its tokens, then one value per cluster of rarer tokens. Level n has the
    log-probabilities within cluster n, to be added to the cluster's value in the head.
    """

    level: int
    states: Sequence[State]

    def __len__(self) -> int:
        return len(self.states)

    def part(self, first: int, after: int) -> "OutputRows":
        """Return the part of this request with rows [first, after)."""
        return OutputRows(self.level, self.states[first:after])


@dataclass(frozen=True, slots=True)
class HiddenVectors:
    """Hidden values of the top layer for each state. Answer: a list of float32 [width]."""

    states: Sequence[State]

    def __len__(self) -> int:
        return len(self.states)

    def part(self, first: int, after: int) -> "HiddenVectors":
        """Return the part of this request with rows [first, after)."""
        return HiddenVectors(self.states[first:after])


ModelRequest = Step | TokenLogProbs | OutputRows | HiddenVectors

T = TypeVar("T")
ModelTask = Generator[ModelRequest, Any, T]
"""A generator that yields model requests and returns a `T`."""

YIELD = Step([])
"""An empty request: a CPU-bound algorithm yields it to let other tasks run."""

Row = NDArray[np.float32]

_ROUND = 10_000
SHORT_ROUND = 2_000
"""Work between two yields. An interactive request may have to wait this long for another task."""


class Pace:
    """Decides when a CPU-bound algorithm should yield to other tasks.

    `work` is counted in units of about 0.5 µs. A yield is due after every `every` units. `total` is
    the work done so far.
    """

    def __init__(self, every: int = _ROUND) -> None:
        self.total = 0
        self._every = self._next = every

    def is_due(self, work: int) -> bool:
        """Add work and return whether the algorithm should yield now."""
        self.total += work
        if self.total < self._next:
            return False
        self._next = self.total + self._every
        return True

    def run(self, steps: Steps[T]) -> ModelTask[T]:
        """Run a computation to its end, yielding whenever a yield is due."""
        try:
            while True:
                if self.is_due(next(steps)):
                    yield YIELD
        except StopIteration as stop:
            result: T = stop.value
            return result


class Model(Protocol):
    """A model that answers requests."""

    levels: AdaptiveSoftmaxLayout
    start: State
    """The zero state, before any token is read."""

    def answer(self, requests: Sequence[ModelRequest]) -> list[Any]:
        """Answer several requests at once, batched into as few inferences as possible."""
        ...


def run_to_completion(task: ModelTask[T], model: Model) -> T:
    """Run a single task to its end against a model."""
    try:
        request = next(task)
        while True:
            request = task.send(model.answer([request])[0])
    except StopIteration as stop:
        result: T = stop.value
        return result
