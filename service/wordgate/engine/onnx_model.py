"""Run a bundle's graphs in onnxruntime.

Results of an int8 bundle are bit-identical in any batch, since rows are computed independently and
every matrix product is an exact sum of integers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from wordgate.bundle.bundle import one_line, refusing
from wordgate.bundle.bundle_files import (
    EMBEDDING_FILE,
    MANIFEST_FILE,
    STEP_FILE,
    output_file,
)
from wordgate.bundle.graph_check import check_graph
from wordgate.bundle.manifest import NetworkSizes, Precision
from wordgate.engine.int8_probe import EXACT_SUMS_OPTION, int8_products_are_exact
from wordgate.engine.lstm_state import NetworkState, StateBatch, gather, gather_top
from wordgate.errors import InvalidBundle, InvalidConfiguration
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import (
    HiddenVectors,
    ModelRequest,
    OutputRows,
    Row,
    State,
    Step,
    TokenLogProbs,
)

MAX_ROWS = 64
"""Maximum rows per inference; docs/performance.md has the measured curve."""

ONNXRUNTIME_VERSION: str = onnxruntime.__version__

_WARM_UP_ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_ZERO_POINT = 128
Numbers = NDArray[np.int64]
_HIDDEN = {"int8": "uint8", "float32": "float"}
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class CallObserver(Protocol):
    """Receives an event for every inference."""

    def called(self, graph: str, rows: int, seconds: float) -> None:
        """Record an inference of a graph (`step`, `output-0` …) with its rows and duration."""
        ...


@dataclass(frozen=True)
class Runtime:
    """Runtime options: the device, and the threads within one inference."""

    device: str = "cpu"
    threads: int = 1


class NetworkModel:
    """A bundle's graphs, which serve the requests of `lm.requests`."""

    def __init__(
        self,
        path: Path,
        sizes: NetworkSizes,
        precision: Precision,
        runtime: Runtime | None = None,
        observer: CallObserver | None = None,
        contents: Mapping[str, bytes] | None = None,
    ) -> None:
        """Load the graphs of the bundle at `path`.

        `contents` holds the bundle's files by name; without it they are read from disk, unverified.
        They are not kept after loading. Raises `InvalidBundle` for graphs that cannot be loaded,
        and `InvalidConfiguration` for a device that is not available or cannot run this precision.
        """
        self.levels = AdaptiveSoftmaxLayout(sizes.cuts)
        self._width = sizes.width
        self._observer = observer
        graphs = [STEP_FILE, *(output_file(n) for n in range(self.levels.count))]
        if contents is None:
            contents = _read(path, [*graphs, EMBEDDING_FILE])
        opener = _SessionOpener(path, sizes, precision, runtime or Runtime(), contents)
        self._step, *self._outputs = [opener.open(name) for name in graphs]
        with refusing(path, "graphs cannot be used"):
            _check_signatures(path, sizes, precision, self._step, self._outputs)
        self.start: State = _zero_state(sizes, precision)

    def answer(self, asks: Sequence[ModelRequest]) -> list[Any]:
        """Return the results in order; merge requests of one kind into batches of `MAX_ROWS`."""
        advances = [ask for ask in asks if isinstance(ask, Step)]
        targets = [ask for ask in asks if isinstance(ask, TokenLogProbs)]
        rows = [ask for ask in asks if isinstance(ask, OutputRows)]
        vectors = [ask for ask in asks if isinstance(ask, HiddenVectors)]
        answers = {
            HiddenVectors: iter(self._top_vectors(vectors)),
            Step: iter(self._advance(advances)),
            TokenLogProbs: iter(self._target_log_probs(targets) if targets else ()),
            OutputRows: iter(self._level_rows(rows)),
        }
        return [next(answers[type(ask)]) for ask in asks]

    def warm_up(self) -> None:
        """Run every graph at typical batch sizes, so that the first requests are not slow.

        Raises `ValueError` for graphs with unexpected outputs.
        """
        self._check_answers()
        for rows in _WARM_UP_ROWS:
            states = self._advance([Step([(self.start, self.levels.vocabulary - 1)] * rows)])[0]
            for level in range(self.levels.count):
                self._level_rows([OutputRows(level, states)])
            last = [self.levels.cuts[level] - 1 for level in range(self.levels.count)]
            for piece in last:
                self._target_log_probs([TokenLogProbs([(s, piece) for s in states])])

    def _check_answers(self) -> None:
        """Raise `ValueError` for outputs of the wrong shape or that contradict each other."""
        rows = 3
        hidden, cells = gather([self.start] * rows)
        token = np.full(rows, self.levels.vocabulary - 1)
        answered = self._step.run(None, {"token": token, "hidden": hidden, "cells": cells})
        if {values.shape for values in answered} != {hidden.shape}:
            raise ValueError(f"{STEP_FILE} does not return one state per row")
        top = gather_top(StateBatch(*answered).states(), self._width)
        for level, session in enumerate(self._outputs):
            width = self.levels.width(level)
            feed = {"top": top, "row": np.arange(rows), "target": np.full(rows, width - 1)}
            targets, log_probs = session.run(["target_log_probs", "log_probs"], feed)
            if log_probs.shape != (rows, width) or not np.array_equal(targets, log_probs[:, -1]):
                raise ValueError(f"{output_file(level)} does not return one row per state")

    def _advance(self, asks: Sequence[Step]) -> list[list[State]]:
        steps = [step for ask in asks for step in ask.steps]
        states: list[State] = []
        for part in _parts(steps):
            hidden, cells = gather([state for state, _ in part])
            token = np.fromiter((piece for _, piece in part), np.int64, len(part))
            feed = {"token": token, "hidden": hidden, "cells": cells}
            answered = self._run("step", self._step, None, feed, len(part))
            states.extend(StateBatch(*answered).states())
        return _divide(states, asks)

    def _top_vectors(self, asks: Sequence[HiddenVectors]) -> list[list[NDArray[np.float32]]]:
        states = [state for ask in asks for state in ask.states]
        if not states:
            return [[] for _ in asks]
        top = gather_top(states, self._width)
        if top.dtype == np.uint8:
            top = (top.astype(np.float32) - _ZERO_POINT) / (_ZERO_POINT - 1)
        return _divide(list(top), asks)

    def _target_log_probs(self, asks: Sequence[TokenLogProbs]) -> list[list[float]]:
        questions = [question for ask in asks for question in ask.questions]
        states, rows = _shared_rows([state for state, _ in questions])
        pieces = np.fromiter((piece for _, piece in questions), np.int64, len(questions))
        levels = self.levels.of_many(pieces)
        head = np.where(levels == 0, pieces, self.levels.head - 1 + levels)
        values = self._targets(0, states, rows, head)
        for level in range(1, self.levels.count):
            [indices] = np.nonzero(levels == level)
            if len(indices):
                inside = pieces[indices] - self.levels.first(level)
                level_states, level_rows = _shared_rows(
                    [states[row] for row in rows[indices].tolist()]
                )
                values[indices] += self._targets(level, level_states, level_rows, inside)
        return _divide(values.tolist(), asks)

    def _targets(
        self, level: int, states: Sequence[State], rows: Numbers, entries: Numbers
    ) -> NDArray[np.float64]:
        """Return entry `entries[i]` of a level's row after `states[rows[i]]`; `rows` ascend."""
        values = np.empty(len(rows))
        for first in range(0, len(states), MAX_ROWS):
            part = states[first : first + MAX_ROWS]
            start, end = np.searchsorted(rows, [first, first + len(part)])
            feed = {
                "top": gather_top(part, self._width),
                "row": rows[start:end] - first,
                "target": entries[start:end],
            }
            [values[start:end]] = self._output(level, "target_log_probs", feed, len(part))
        return values

    def _level_rows(self, asks: Sequence[OutputRows]) -> list[list[Row]]:
        answers: dict[int, list[list[Row]]] = {}
        for level in sorted({ask.level for ask in asks}):
            same_level = [ask for ask in asks if ask.level == level]
            rows: list[Row] = []
            for part in _parts([state for ask in same_level for state in ask.states]):
                none = np.zeros(0, np.int64)
                feed = {"top": gather_top(part, self._width), "row": none, "target": none}
                rows.extend(self._output(level, "log_probs", feed, len(part))[0])
            answers[level] = _divide(rows, same_level)
        return [answers[ask.level].pop(0) for ask in asks]

    def _output(self, level: int, wanted: str, feed: dict[str, Any], rows: int) -> list[Any]:
        return self._run(f"output-{level}", self._outputs[level], [wanted], feed, rows)

    def _run(
        self,
        name: str,
        session: onnxruntime.InferenceSession,
        wanted: list[str] | None,
        feed: dict[str, Any],
        rows: int,
    ) -> list[Any]:
        began = perf_counter()
        outputs: list[Any] = session.run(wanted, feed)
        if self._observer is not None:
            self._observer.called(name, rows, perf_counter() - began)
        return outputs


class _SessionOpener:
    """Opens a bundle's graphs from memory, all with the same options."""

    def __init__(
        self,
        path: Path,
        sizes: NetworkSizes,
        precision: Precision,
        runtime: Runtime,
        contents: Mapping[str, bytes],
    ) -> None:
        self._path = path
        self._sizes = sizes
        self._contents = contents
        self._provider = _provider(path, precision, runtime)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = runtime.threads
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False
        options.enable_cpu_mem_arena = False  # it would keep the memory of the largest batches
        options.log_severity_level = 4  # every logged error is also raised
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if precision == "int8" and not int8_products_are_exact():
            options.add_session_config_entry(EXACT_SUMS_OPTION, "1")
        self._embedding = contents.get(EMBEDDING_FILE, b"")
        options.add_external_initializers_from_files_in_memory(
            [EMBEDDING_FILE], [self._embedding], [len(self._embedding)]
        )
        self._options = options

    def open(self, name: str) -> onnxruntime.InferenceSession:
        """Check and load a graph. Raises `InvalidBundle` and `InvalidConfiguration`."""
        if name not in self._contents:
            problem = f"{name} is not listed in {MANIFEST_FILE}; export the model again"
            raise InvalidBundle(self._path, "content", problem)
        with refusing(self._path, f"{name} cannot be loaded"):
            check_graph(self._contents[name], self._sizes, len(self._embedding))
            session = onnxruntime.InferenceSession(
                self._contents[name],
                self._options,
                providers=[self._provider],
                enable_fallback=int(self._provider != _PROVIDERS["cpu"]),
            )
        session.disable_fallback()
        session._model_bytes = b""  # kept for a fallback to another device
        if self._provider not in session.get_providers():  # silent CPU fallback
            raise InvalidConfiguration("device", f"onnxruntime cannot start {self._provider} here")
        return session


def _read(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Read files without verification, for a bundle that is being created."""
    return {name: (path / name).read_bytes() for name in names if (path / name).is_file()}


def _check_signatures(
    path: Path,
    sizes: NetworkSizes,
    precision: Precision,
    step: onnxruntime.InferenceSession,
    outputs: Sequence[onnxruntime.InferenceSession],
) -> None:
    """Raise `InvalidBundle` unless the graphs have the expected inputs and outputs."""
    levels = AdaptiveSoftmaxLayout(sizes.cuts)
    hidden, real, whole = f"tensor({_HIDDEN[precision]})", "tensor(float)", "tensor(int64)"
    size = sizes.layers * sizes.width
    wanted = {"token": (whole, None), "hidden": (hidden, size), "cells": (real, size)}
    _check_values(path, STEP_FILE, step.get_inputs(), wanted)
    wanted = {"next_hidden": (hidden, size), "next_cells": (real, size)}
    _check_values(path, STEP_FILE, step.get_outputs(), wanted)
    for level, session in enumerate(outputs):
        name = output_file(level)
        wanted = {"top": (hidden, sizes.width), "row": (whole, None), "target": (whole, None)}
        _check_values(path, name, session.get_inputs(), wanted)
        wanted = {"target_log_probs": (real, None), "log_probs": (real, levels.width(level))}
        _check_values(path, name, session.get_outputs(), wanted)


def _check_values(
    path: Path, graph: str, values: Sequence[Any], wanted: Mapping[str, tuple[str, int | None]]
) -> None:
    """Raise `InvalidBundle` unless a graph's inputs or outputs are `wanted`, in this order.

    `wanted` maps names to the type and the row width, which is None for one-dimensional values.
    """
    found = {value.name: (value.type, _entries(value.shape)) for value in values}
    for name, expected in wanted.items():
        if found.get(name) != expected:
            problem = f"{graph}: {name} is {found.get(name)}; expected {expected}"
            raise InvalidBundle(path, "content", one_line(problem))
    if list(found) != list(wanted):
        problem = f"{graph} has {', '.join(found)}; expected {', '.join(wanted)}"
        raise InvalidBundle(path, "content", one_line(problem))


def _entries(shape: Sequence[Any]) -> Any:
    """Return the width of a row, or None for one-dimensional values."""
    return shape[-1] if len(shape) == 2 else None if len(shape) == 1 else tuple(shape)


def _zero_state(sizes: NetworkSizes, precision: Precision) -> NetworkState:
    size = sizes.layers * sizes.width
    cells = np.zeros((1, size), np.float32)
    if precision == "int8":
        return NetworkState(StateBatch(np.full((1, size), _ZERO_POINT, np.uint8), cells), 0)
    return NetworkState(StateBatch(np.zeros((1, size), np.float32), cells), 0)


def _provider(path: Path, precision: Precision, runtime: Runtime) -> str:
    wanted = _PROVIDERS.get(runtime.device)
    if wanted is None:
        raise InvalidConfiguration("device", f"unknown device {runtime.device!r}; set cpu or cuda")
    if runtime.device == "cuda" and precision != "float32":
        raise InvalidConfiguration(
            "device",
            f"cuda cannot run the int8 model {path}; export it with --precision float32",
        )
    if wanted not in onnxruntime.get_available_providers():
        raise InvalidConfiguration(
            "device",
            f"{runtime.device} needs an onnxruntime with {wanted}; install onnxruntime-gpu instead",
        )
    return wanted


def _shared_rows(states: Sequence[State]) -> tuple[list[State], Numbers]:
    """Return the states without adjacent duplicates, and the index there of each state."""
    unique: list[State] = []
    rows = []
    last = None
    for state in states:
        if state is not last:
            last = state
            unique.append(state)
        rows.append(len(unique) - 1)
    return unique, np.array(rows, np.int64)


def _parts(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Split rows into inferences of up to `MAX_ROWS`."""
    return (rows[first : first + MAX_ROWS] for first in range(0, len(rows), MAX_ROWS))


def _divide(rows: list[Any], asks: Sequence[ModelRequest]) -> list[list[Any]]:
    """Split a flat list of results by the requests that they belong to."""
    divided = []
    first = 0
    for ask in asks:
        divided.append(rows[first : first + len(ask)])
        first += len(ask)
    return divided
