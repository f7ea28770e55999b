"""What an algorithm wants from a model.

The algorithms of this package are generators without I/O: they yield one of these questions and
are sent its answer, a list with one entry for each row of the question. They know neither
onnxruntime nor who drives them, so a scheduler can merge the questions of many, and a fake model
whose numbers are worked out by hand can test them.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.text.steps import Steps

State = Any
"""The network's state after reading some pieces; opaque here, owned by the model."""


@dataclass(frozen=True, slots=True)
class Step:
    """Read one piece after each state. Answer: the states after it, in order.

    `following`: rows that the same text will ask for after this question, one after the other.
    """

    steps: Sequence[tuple[State, int]]
    following: int = field(default=0, compare=False)

    def __len__(self) -> int:
        return len(self.steps)

    def part(self, first: int, after: int) -> "Step":
        """The same question about rows [first, after) alone."""
        return Step(self.steps[first:after])


@dataclass(frozen=True, slots=True)
class TokenLogProbs:
    """How likely is this piece after this state? Answer: `list[float]`, natural logarithms.

    The questions of one state should stand together: they share a row of the output layer.
    """

    questions: Sequence[tuple[State, int]]

    def __len__(self) -> int:
        return len(self.questions)

    def part(self, first: int, after: int) -> "TokenLogProbs":
        """The same question about rows [first, after) alone."""
        return TokenLogProbs(self.questions[first:after])


@dataclass(frozen=True, slots=True)
class OutputRows:
    """All of one output level after each state. Answer: a list of float32 [width of the level].

    Level 0 is the head: its pieces, then one value for each cluster of rarer pieces. Level n is
    cluster n's own distribution, to be added to its value in the head.
    """

    level: int
    states: Sequence[State]

    def __len__(self) -> int:
        return len(self.states)

    def part(self, first: int, after: int) -> "OutputRows":
        """The same question about rows [first, after) alone."""
        return OutputRows(self.level, self.states[first:after])


@dataclass(frozen=True, slots=True)
class HiddenVectors:
    """The top layer's hidden values of each state. Answer: a list of float32 [width]."""

    states: Sequence[State]

    def __len__(self) -> int:
        return len(self.states)

    def part(self, first: int, after: int) -> "HiddenVectors":
        """The same question about rows [first, after) alone."""
        return HiddenVectors(self.states[first:after])


ModelRequest = Step | TokenLogProbs | OutputRows | HiddenVectors

T = TypeVar("T")
ModelTask = Generator[ModelRequest, Any, T]
"""A generator that asks a model and returns a `T`."""

YIELD = Step([])
"""Asks nothing, so that others have their turn; for an algorithm that works long by itself."""

Row = NDArray[np.float32]

_ROUND = 10_000
SHORT_ROUND = 2_000
"""Work between two pauses; an interactive request waits for so much of another's."""


class Pace:
    """Tells an algorithm that works long by itself when it should pause.

    `work` is counted in units of half a microsecond or so, of which `every` so many are a round.
    `total` is all that was done.
    """

    def __init__(self, every: int = _ROUND) -> None:
        self.total = 0
        self._every = self._next = every

    def is_due(self, work: int) -> bool:
        """Count this much work; whether others should have their turn now."""
        self.total += work
        if self.total < self._next:
            return False
        self._next = self.total + self._every
        return True

    def run(self, steps: Steps[T]) -> ModelTask[T]:
        """Run a computation to its end, with a pause whenever one is due."""
        try:
            while True:
                if self.is_due(next(steps)):
                    yield YIELD
        except StopIteration as stop:
            result: T = stop.value
            return result


class Model(Protocol):
    """What answers the asks."""

    levels: AdaptiveSoftmaxLayout
    start: State
    """The zero state, before anything was read."""

    def answer(self, asks: Sequence[ModelRequest]) -> list[Any]:
        """The answers to several asks at once, merged into as few calls as it can."""
        ...


def run_to_completion(asks: ModelTask[T], model: Model) -> T:
    """Run one generator to its end against a model, alone."""
    try:
        ask = next(asks)
        while True:
            ask = asks.send(model.answer([ask])[0])
    except StopIteration as stop:
        result: T = stop.value
        return result
