"""Run a bundle's graphs in onnxruntime.

Results of an int8 bundle are bit-identical in any batch, since rows are computed independently and
every matrix product is an exact sum of integers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from wordgate.bundle.bundle import one_line, refusing
from wordgate.bundle.bundle_files import EMBEDDING_FILE, STEP_FILE, output_file
from wordgate.bundle.graph_check import check_graph
from wordgate.bundle.manifest import ZERO_POINT, NetworkSizes, Precision
from wordgate.bundle.versions import MANIFEST_FILE
from wordgate.engine.gate_outputs import activations, gate_names, with_gate_outputs
from wordgate.engine.int8_probe import EXACT_SUMS_OPTION, int8_products_are_exact
from wordgate.engine.lstm_state import NetworkState, StateBatch, gather, gather_top
from wordgate.errors import InvalidBundle, InvalidConfiguration
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import MAX_ROWS, Activations, Row, State

ONNXRUNTIME_VERSION: str = onnxruntime.__version__

_WARM_UP_ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
Numbers = NDArray[np.int64]
_NEXT_STATE = ["next_hidden", "next_cells"]
_NONE: Numbers = np.zeros(0, np.int64)
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
    """A bundle's graphs, which serve the requests of `lm.requests` (protocol `Model`)."""

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
        self.levels = AdaptiveSoftmaxLayout(sizes.cutoffs)
        self._width = sizes.width
        self._gates = gate_names(sizes.layers)
        self._observer = observer
        graphs = [STEP_FILE, *(output_file(n) for n in range(self.levels.count))]
        if contents is None:
            contents = _read(path, [*graphs, EMBEDDING_FILE])
        opener = _SessionOpener(path, sizes, precision, runtime or Runtime(), contents)
        self._step, *self._outputs = [opener.open(name) for name in graphs]
        with refusing(path, "graphs cannot be used"):
            _check_signatures(path, sizes, precision, self._step, self._outputs)
        self.start: State = _zero_state(sizes, precision)

    def warm_up(self) -> None:
        """Run every graph at typical batch sizes, so that the first requests are not slow.

        Raises `ValueError` for graphs with unexpected outputs.
        """
        self._check_answers()
        for rows in _WARM_UP_ROWS:
            states = self.step([(self.start, self.levels.vocabulary - 1)] * rows)
            for level in range(self.levels.count):
                self.output_rows([(state, level) for state in states])
            last = [self.levels.cutoffs[level] - 1 for level in range(self.levels.count)]
            for token in last:
                self.token_log_probs([(state, token) for state in states])

    def _check_answers(self) -> None:
        """Raise `ValueError` for outputs of the wrong shape or that contradict each other."""
        rows = 3
        hidden, cells = gather([self.start] * rows)
        token = np.full(rows, self.levels.vocabulary - 1)
        feed = {"token": token, "hidden": hidden, "cells": cells}
        answered = self._step.run(_NEXT_STATE, feed)
        if {values.shape for values in answered} != {hidden.shape}:
            raise ValueError(f"{STEP_FILE} does not return one state per row")
        gates = self._step.run(self._gates, feed)
        if {values.shape for values in gates} != {(rows, self._width)}:
            raise ValueError(f"{STEP_FILE} does not have one gate value per row and unit")
        top = gather_top(StateBatch(*answered).states(), self._width)
        for level, session in enumerate(self._outputs):
            width = self.levels.width(level)
            feed = {"top": top, "row": np.arange(rows), "target": np.full(rows, width - 1)}
            targets, log_probs = session.run(["target_log_probs", "log_probs"], feed)
            if log_probs.shape != (rows, width) or not np.array_equal(targets, log_probs[:, -1]):
                raise ValueError(f"{output_file(level)} does not return one row per state")

    def step(self, rows: Sequence[tuple[State, int]]) -> list[State]:
        """Read one token after each state; return the new states."""
        return _in_parts(self._step_part, rows)

    def _step_part(self, rows: Sequence[tuple[State, int]]) -> list[State]:
        return StateBatch(*self._stepped(rows, _NEXT_STATE)).states()

    def step_activations(
        self, rows: Sequence[tuple[State, int]]
    ) -> list[tuple[State, Activations]]:
        """Read one token after each state; return the new states with the layers' activations."""
        return _in_parts(self._activations_part, rows)

    def _activations_part(
        self, rows: Sequence[tuple[State, int]]
    ) -> list[tuple[State, Activations]]:
        hidden, cells, *gates = self._stepped(rows, [*_NEXT_STATE, *self._gates])
        states = StateBatch(hidden, cells).states()
        return list(zip(states, activations(gates, cells), strict=True))

    def _stepped(self, rows: Sequence[tuple[State, int]], wanted: list[str]) -> list[Any]:
        states, tokens = zip(*rows, strict=True)
        hidden, cells = gather(states)
        feed = {"token": np.array(tokens, np.int64), "hidden": hidden, "cells": cells}
        return self._run("step", self._step, wanted, feed, len(rows))

    def hidden_vectors(self, rows: Sequence[State]) -> list[Row]:
        """Return the hidden values of the top layer: float32 [width] per state."""
        top = gather_top(rows, self._width)
        if top.dtype == np.uint8:
            top = (top.astype(np.float32) - ZERO_POINT) / (ZERO_POINT - 1)
        return list(top)

    def output_rows(self, rows: Sequence[tuple[State, int]]) -> list[Row]:
        """Return one full output level per (state, level): float32 [width of the level]."""
        states, levels = zip(*rows, strict=True)
        if levels.count(levels[0]) == len(levels):
            return self._level_rows(levels[0], states)
        results: list[Row | None] = [None] * len(rows)
        for level in sorted(set(levels)):
            indices = [index for index, each in enumerate(levels) if each == level]
            here = [states[index] for index in indices]
            for index, row in zip(indices, self._level_rows(level, here), strict=True):
                results[index] = row
        return [row for row in results if row is not None]

    def _level_rows(self, level: int, states: Sequence[State]) -> list[Row]:
        return _in_parts(partial(self._level_part, level), states)

    def _level_part(self, level: int, states: Sequence[State]) -> list[Row]:
        feed = {"top": gather_top(states, self._width), "row": _NONE, "target": _NONE}
        [rows] = self._output(level, "log_probs", feed, len(states))
        return list(rows)

    def token_log_probs(self, rows: Sequence[tuple[State, int]]) -> list[float]:
        """Return the log-probability of each token after its state, as natural logarithms."""
        all_states, all_tokens = zip(*rows, strict=True)
        states, indices = _shared_rows(all_states)
        tokens = np.array(all_tokens, np.int64)
        levels = self.levels.of_many(tokens)
        head = np.where(levels == 0, tokens, self.levels.head - 1 + levels)
        values = self._targets(0, states, indices, head)
        for level in range(1, self.levels.count):
            [here] = np.nonzero(levels == level)
            if len(here):
                inside = tokens[here] - self.levels.firsts[level]
                level_states, level_rows = _shared_rows([all_states[index] for index in here])
                values[here] += self._targets(level, level_states, level_rows, inside)
        results: list[float] = values.tolist()
        return results

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
            graph = self._contents[name]
            check_graph(graph, self._sizes, len(self._embedding))
            if name == STEP_FILE:
                graph = with_gate_outputs(graph, self._sizes.layers)
            session = onnxruntime.InferenceSession(
                graph,
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
    levels = AdaptiveSoftmaxLayout(sizes.cutoffs)
    hidden, real, whole = f"tensor({_HIDDEN[precision]})", "tensor(float)", "tensor(int64)"
    size = sizes.layers * sizes.width
    wanted = {"token": (whole, None), "hidden": (hidden, size), "cells": (real, size)}
    _check_values(path, STEP_FILE, step.get_inputs(), wanted)
    wanted = {"next_hidden": (hidden, size), "next_cells": (real, size)}
    wanted |= dict.fromkeys(gate_names(sizes.layers), (real, sizes.width))
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
        return NetworkState(StateBatch(np.full((1, size), ZERO_POINT, np.uint8), cells), 0)
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


def _in_parts(run: Callable[[Sequence[Any]], list[Any]], rows: Sequence[Any]) -> list[Any]:
    """Split rows into inferences of up to `MAX_ROWS`; return all results."""
    if len(rows) <= MAX_ROWS:
        return run(rows)
    results: list[Any] = []
    for first in range(0, len(rows), MAX_ROWS):
        results += run(rows[first : first + MAX_ROWS])
    return results
