"""Model requests: the interface between the algorithms and a model.

The algorithms of this package are generators without I/O. They yield one of these requests and are
sent a list with one result per row of the request. They do not depend on onnxruntime or on the
driver. Therefore a scheduler can batch the requests of many algorithms, and tests can use a fake
model with known numbers.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from time import perf_counter
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.text.cooperative_steps import Steps

MAX_ROWS = 64
"""Maximum rows per inference; docs/performance.md has the measured curve."""

State = Any
"""The network's state after reading some tokens. It is opaque here; the model owns it."""

Row = NDArray[np.float32]

Activations = NDArray[np.float32]


class Step(list[tuple[State, int]]):
    """Read one token after each state. Rows: (state, token). Results: the new states, in order."""

    __slots__ = ()

    @staticmethod
    def answered_by(model: "Model", rows: Sequence[tuple[State, int]]) -> list[State]:
        """Return the results of a model."""
        return model.step(rows)


class StepActivations(list[tuple[State, int]]):
    """Read one token after each state, and return what the cells did. Rows: (state, token).

    Results: (new state, activations), activations as float32 [layers, 5, width]: input gate, forget
    gate, candidate, output gate, and the cell state after the step. The states are those of `Step`.
    """

    __slots__ = ()

    @staticmethod
    def answered_by(
        model: "Model", rows: Sequence[tuple[State, int]]
    ) -> list[tuple[State, Activations]]:
        """Return the results of a model."""
        return model.step_activations(rows)


class TokenLogProbs(list[tuple[State, int]]):
    """Log-probability of a token after a state. Rows: (state, token). Results: natural logarithms.

    Put the rows of one state next to each other: they share a row of the output layer.
    """

    __slots__ = ()

    @staticmethod
    def answered_by(model: "Model", rows: Sequence[tuple[State, int]]) -> list[float]:
        """Return the results of a model."""
        return model.token_log_probs(rows)


class OutputRows(list[tuple[State, int]]):
    """One full output level after a state. Rows: (state, level). Results: float32 [level's width].

    Level 0 is the head: its tokens, then one value per cluster of rarer tokens. Level n has the
    log-probabilities within cluster n, to be added to the cluster's value in the head.
    """

    __slots__ = ()

    @staticmethod
    def answered_by(model: "Model", rows: Sequence[tuple[State, int]]) -> list[Row]:
        """Return the results of a model."""
        return model.output_rows(rows)


class HiddenVectors(list[State]):
    """Hidden values of the top layer for each state. Results: float32 [width]."""

    __slots__ = ()

    @staticmethod
    def answered_by(model: "Model", rows: Sequence[State]) -> list[Row]:
        """Return the results of a model."""
        return model.hidden_vectors(rows)


class Prefill:
    """Read tokens one after another, after a state. Result: one row, the state after the last.

    The driver of the task reads the tokens in steps, without resuming the task in between. `keys`
    maps indices of tokens to keys: the state after such a token is passed to `put` with its key,
    and reading continues from the state that `put` returns. `tokens` must not be empty.
    """

    __slots__ = ("_index", "_keys", "_put", "_tokens", "state")

    def __init__(
        self,
        state: State,
        tokens: Sequence[int],
        keys: Mapping[int, bytes] | None = None,
        put: Callable[[bytes, State], State] = lambda key, state: state,
    ) -> None:
        self.state = state
        self._tokens = tokens
        self._keys = keys or {}
        self._put = put
        self._index = 0

    def __len__(self) -> int:
        return len(self._tokens) - self._index

    def step(self) -> Step:
        """Return the request for the first token."""
        return Step([(self.state, self._tokens[0])])

    def advance(self, state: State) -> Step | None:
        """Take the state after the next token; return the request for the one after it, if any."""
        key = self._keys.get(self._index)
        self.state = state if key is None else self._put(key, state)
        self._index += 1
        if self._index == len(self._tokens):
            return None
        return Step([(self.state, self._tokens[self._index])])


ModelRequest = Step | StepActivations | TokenLogProbs | OutputRows | HiddenVectors
"""A request is a list of rows."""

T = TypeVar("T")
ModelTask = Generator[ModelRequest | Prefill, Any, T]
"""A generator that yields model requests, is sent their results, and returns a `T`."""

YIELD = Step()
"""An empty request: a CPU-bound algorithm yields it to let other tasks run."""

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
    """A model that serves requests. Each method returns one result per row, in order."""

    levels: AdaptiveSoftmaxLayout
    start: State
    """The zero state, before any token is read."""

    def step(self, rows: Sequence[tuple[State, int]]) -> list[State]:
        """Serve `Step`."""
        ...

    def step_activations(
        self, rows: Sequence[tuple[State, int]]
    ) -> list[tuple[State, Activations]]:
        """Serve `StepActivations`."""
        ...

    def token_log_probs(self, rows: Sequence[tuple[State, int]]) -> list[float]:
        """Serve `TokenLogProbs`."""
        ...

    def output_rows(self, rows: Sequence[tuple[State, int]]) -> list[Row]:
        """Serve `OutputRows`."""
        ...

    def hidden_vectors(self, rows: Sequence[State]) -> list[Row]:
        """Serve `HiddenVectors`."""
        ...


def run_request(request: ModelRequest | Prefill, model: Model) -> list[Any]:
    """Return a model's results for a single request."""
    if isinstance(request, Prefill):
        step: Step | None = request.step()
        while step is not None:
            step = request.advance(model.step(step)[0])
        return [request.state]
    return list(request.answered_by(model, request)) if request else []


def run_to_completion(task: ModelTask[T], model: Model) -> T:
    """Run a single task to its end against a model."""
    try:
        request = next(task)
        while True:
            request = task.send(run_request(request, model))
    except StopIteration as stop:
        result: T = stop.value
        return result
