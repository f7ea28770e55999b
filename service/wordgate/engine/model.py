"""The network in onnxruntime: answers what the algorithms ask.

Knows a bundle's graphs, states and rows; knows nothing of text. Answers do not depend on which
questions are asked together: rows are computed independently, and in an int8 bundle every matrix
product is an exact sum of integers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from wordgate.core.asks import Advance, Ask, LevelRows, Row, State, TargetLogProbs
from wordgate.core.levels import Levels
from wordgate.engine.exact_sums import EXACT_SUMS_OPTION, are_exact
from wordgate.engine.manifest import NetworkSizes, Precision
from wordgate.engine.states import NetworkState, StateBlock, gather, gather_top
from wordgate.errors import InvalidBundle, InvalidConfiguration

MAX_ROWS = 64
"""Rows of one onnxruntime call; see docs/performance.md for the curve it was read from."""

ONNXRUNTIME_VERSION: str = onnxruntime.__version__

_WARM_UP_ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_ZERO_POINT = 128
Numbers = NDArray[np.int64]
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class CallObserver(Protocol):
    """Is told of every onnxruntime call."""

    def called(self, graph: str, rows: int, seconds: float) -> None:
        """A call of a graph (`step`, `output-0` …) with this many rows took this long."""
        ...


@dataclass(frozen=True)
class Runtime:
    """How onnxruntime is to run: the device and the threads inside one call."""

    device: str = "cpu"
    threads: int = 1


class NetworkModel:
    """A bundle's graphs behind the questions of `core.asks`."""

    def __init__(
        self,
        path: Path,
        sizes: NetworkSizes,
        precision: Precision,
        runtime: Runtime | None = None,
        observer: CallObserver | None = None,
    ) -> None:
        """Raises `InvalidBundle` for graphs that cannot be loaded, `InvalidConfiguration` for a
        device that is not there or that cannot run this precision."""
        self.levels = Levels(sizes.cuts)
        self._width = sizes.width
        self._observer = observer
        opener = _SessionOpener(path, precision, runtime or Runtime())
        self._step = opener.open("step")
        self._outputs = [opener.open(f"output-{n}") for n in range(self.levels.count)]
        kind = "tensor(uint8)" if precision == "int8" else "tensor(float)"
        hidden = {value.name: value.type for value in self._step.get_inputs()}.get("hidden")
        if hidden != kind:
            problem = f"step.onnx has hidden values of {hidden}; {precision} has {kind}"
            raise InvalidBundle(path, "content", problem)
        _check_size(path, "step", self._step.get_inputs(), "hidden", sizes.layers * sizes.width)
        for level, session in enumerate(self._outputs):
            name, entries = f"output-{level}", self.levels.width(level)
            _check_size(path, name, session.get_inputs(), "top", sizes.width)
            _check_size(path, name, session.get_outputs(), "log_probs", entries)
        self.start: State = _zero_state(sizes, precision)

    def answer(self, asks: Sequence[Ask]) -> list[Any]:
        """The answers in order; questions of a kind are merged into calls of up to `MAX_ROWS`."""
        advances = [ask for ask in asks if isinstance(ask, Advance)]
        targets = [ask for ask in asks if isinstance(ask, TargetLogProbs)]
        rows = [ask for ask in asks if isinstance(ask, LevelRows)]
        answers = {
            Advance: iter(self._advance(advances)),
            TargetLogProbs: iter(self._target_log_probs(targets) if targets else ()),
            LevelRows: iter(self._level_rows(rows)),
        }
        return [next(answers[type(ask)]) for ask in asks]

    def warm_up(self) -> None:
        """Run every graph at the sizes that will be used, so that no client pays for it."""
        for rows in _WARM_UP_ROWS:
            states = self._advance([Advance([(self.start, 0)] * rows)])[0]
            for level in range(self.levels.count):
                self._level_rows([LevelRows(level, states)])
            last = [self.levels.cuts[level] - 1 for level in range(self.levels.count)]
            for piece in last:
                self._target_log_probs([TargetLogProbs([(s, piece) for s in states])])

    def _advance(self, asks: Sequence[Advance]) -> list[list[State]]:
        steps = [step for ask in asks for step in ask.steps]
        states: list[State] = []
        for part in _parts(steps):
            hidden, cells = gather([state for state, _ in part])
            token = np.fromiter((piece for _, piece in part), np.int64, len(part))
            feed = {"token": token, "hidden": hidden, "cells": cells}
            answered = self._run("step", self._step, None, feed, len(part))
            states.extend(StateBlock(*answered).states())
        return _divide(states, asks)

    def _target_log_probs(self, asks: Sequence[TargetLogProbs]) -> list[list[float]]:
        questions = [question for ask in asks for question in ask.questions]
        states, rows = _shared_rows([state for state, _ in questions])
        pieces = np.fromiter((piece for _, piece in questions), np.int64, len(questions))
        levels = self.levels.of_many(pieces)
        head = np.where(levels == 0, pieces, self.levels.head - 1 + levels)
        values = self._targets(0, states, rows, head)
        for level in range(1, self.levels.count):
            [places] = np.nonzero(levels == level)
            if len(places):
                inside = pieces[places] - self.levels.first(level)
                asked, mine = _shared_rows([states[row] for row in rows[places].tolist()])
                values[places] += self._targets(level, asked, mine, inside)
        return _divide(values.tolist(), asks)

    def _targets(
        self, level: int, states: Sequence[State], rows: Numbers, entries: Numbers
    ) -> NDArray[np.float64]:
        """Entries of a level's rows: `entries[i]` after `states[rows[i]]`, `rows` ascending."""
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

    def _level_rows(self, asks: Sequence[LevelRows]) -> list[list[Row]]:
        answers: dict[int, list[list[Row]]] = {}
        for level in sorted({ask.level for ask in asks}):
            mine = [ask for ask in asks if ask.level == level]
            rows: list[Row] = []
            for part in _parts([state for ask in mine for state in ask.states]):
                none = np.zeros(0, np.int64)
                feed = {"top": gather_top(part, self._width), "row": none, "target": none}
                rows.extend(self._output(level, "log_probs", feed, len(part))[0])
            answers[level] = _divide(rows, mine)
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
        found: list[Any] = session.run(wanted, feed)
        if self._observer is not None:
            self._observer.called(name, rows, perf_counter() - began)
        return found


class _SessionOpener:
    """Opens a bundle's graphs with the same options."""

    def __init__(self, path: Path, precision: Precision, runtime: Runtime) -> None:
        self._path = path
        self._provider = _provider(path, precision, runtime)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = runtime.threads
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if precision == "int8" and not are_exact():
            options.add_session_config_entry(EXACT_SUMS_OPTION, "1")
        self._options = options

    def open(self, graph: str) -> onnxruntime.InferenceSession:
        try:
            session = onnxruntime.InferenceSession(
                str(self._path / f"{graph}.onnx"), self._options, providers=[self._provider]
            )
        except Exception as error:  # noqa: BLE001  onnxruntime has no common error of its own
            problem = f"{graph}.onnx cannot be loaded: {error}"
            raise InvalidBundle(self._path, "content", problem) from None
        if self._provider not in session.get_providers():  # it falls back to the CPU in silence
            raise InvalidConfiguration("device", f"onnxruntime cannot start {self._provider} here")
        return session


def _check_size(path: Path, graph: str, values: Sequence[Any], name: str, size: int) -> None:
    """Raise `InvalidBundle` unless a graph's value of this name has rows of this size."""
    found = {value.name: value.shape[-1] for value in values}.get(name)
    if found != size:
        problem = f"{graph}.onnx has {name} of {found}, the manifest's sizes make it {size}"
        raise InvalidBundle(path, "content", problem)


def _zero_state(sizes: NetworkSizes, precision: Precision) -> NetworkState:
    size = sizes.layers * sizes.width
    cells = np.zeros((1, size), np.float32)
    if precision == "int8":
        return NetworkState(StateBlock(np.full((1, size), _ZERO_POINT, np.uint8), cells), 0)
    return NetworkState(StateBlock(np.zeros((1, size), np.float32), cells), 0)


def _provider(path: Path, precision: Precision, runtime: Runtime) -> str:
    wanted = _PROVIDERS.get(runtime.device)
    if wanted is None:
        raise InvalidConfiguration("device", f"{runtime.device!r} is unknown; cpu or cuda")
    if runtime.device == "cuda" and precision != "float32":
        raise InvalidConfiguration(
            "device",
            f"cuda cannot run {path}, which is int8; export it with --precision float32",
        )
    if wanted not in onnxruntime.get_available_providers():
        raise InvalidConfiguration(
            "device",
            f"{runtime.device} needs an onnxruntime with {wanted}, which this one has not; install "
            "onnxruntime-gpu in its place",
        )
    return wanted


def _shared_rows(states: Sequence[State]) -> tuple[list[State], Numbers]:
    """The states without the repetitions of neighbours, and for each one its place there."""
    found: list[State] = []
    rows = []
    last = None
    for state in states:
        if state is not last:
            last = state
            found.append(state)
        rows.append(len(found) - 1)
    return found, np.array(rows, np.int64)


def _parts(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (rows[first : first + MAX_ROWS] for first in range(0, len(rows), MAX_ROWS))


def _divide(rows: list[Any], asks: Sequence[Ask]) -> list[list[Any]]:
    """Hand a flat list of answers back to the asks that they belong to."""
    divided = []
    first = 0
    for ask in asks:
        divided.append(rows[first : first + len(ask)])
        first += len(ask)
    return divided
