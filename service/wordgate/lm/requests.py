"""Model requests: the interface between the algorithms and a model.

The algorithms of this package are generators without I/O. They yield one of these requests and are
sent the answer, a list with one entry per row of the request. They do not depend on onnxruntime or
on the driver. Therefore a scheduler can batch the requests of many algorithms, and tests can use a
fake model with known numbers.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.text.steps import Steps

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

SLICE_SECONDS = 0.001
"""Work between two yields. An interactive request may have to wait this long for another task."""


class TimeSlice:
    """Decides when a CPU-bound algorithm should yield to other tasks: after `SLICE_SECONDS`.

    Time that the algorithm spends waiting does not count: a slice starts at the first check after a
    yield, and after a model request if the algorithm calls `restart`. No result depends on it.
    """

    def __init__(self) -> None:
        self._ends_at = 0.0

    def restart(self) -> None:
        """Start a new slice at the next check."""
        self._ends_at = 0.0

    def is_over(self) -> bool:
        """Return whether the algorithm should yield now."""
        now = perf_counter()
        if now < self._ends_at:
            return False
        is_running = self._ends_at > 0.0
        self._ends_at = 0.0 if is_running else now + SLICE_SECONDS
        return is_running

    def run(self, steps: Steps[T]) -> ModelTask[T]:
        """Run a computation to its end, yielding whenever a slice is over."""
        try:
            while True:
                next(steps)
                if perf_counter() >= self._ends_at and self.is_over():
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
            request = task.send([] if request is YIELD else model.answer([request])[0])
    except StopIteration as stop:
        result: T = stop.value
        return result
