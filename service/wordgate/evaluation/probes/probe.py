"""Probe a model: which units of the cell state follow a property, and how they move over a text.

The control task gives each word type a random label (Hewitt and Liang 2019, arXiv 1909.03368). A
probe that does as well on it as on the property has learnt words; selectivity is the difference.
Single units: Karpathy et al. 2015, arXiv 1506.02078; Lakretz et al. 2019, arXiv 1903.07435.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from wordgate.engine.results import ExplanationResult, GenerativeModel
from wordgate.errors import InvalidFile, InvalidInput
from wordgate.evaluation.probes import linear_probe
from wordgate.evaluation.probes.examples import ProbeData
from wordgate.evaluation.probes.linear_probe import Floats, LinearProbe, Ridge
from wordgate.lm.model_version import ModelVersion
from wordgate.offline.pipelining import in_turn
from wordgate.scoring.explanation import ExplanationQuery

BEST_UNITS = 5
_IN_FLIGHT = 16


@dataclass(frozen=True)
class UnitScore:
    """Held-out score of one unit. `layer` counts from 1, `unit` within the layer from 0."""

    layer: int
    unit: int
    score: float


@dataclass(frozen=True)
class Trace:
    """A text word by word: the probe's outputs by label, and the cell values of the best units."""

    words: list[str]
    outputs: dict[str, list[float]]
    units: dict[str, list[float]]


@dataclass(frozen=True)
class ProbeReport:
    """The result of a probe. Scores are held out: accuracy of classes, or R² of numbers.

    `baseline`: the share of the most frequent label, or 0 for R². `control` and
    `control_best_unit`: the same on the control task; None if there is only one word type.
    """

    name: str
    measure: str
    examples: int
    groups: int
    word_types: int
    baseline: float
    score: float
    control: float | None
    best_units: list[UnitScore]
    control_best_unit: float | None
    trace: Trace
    model: ModelVersion

    @property
    def selectivity(self) -> float | None:
        """Score minus score of the control task."""
        return None if self.control is None else self.score - self.control


def probe(model: GenerativeModel, data: ProbeData, trace: str | None = None) -> ProbeReport:
    """Read all examples with the model, and fit and measure the probe.

    `trace`: the text to draw, by default that of the data. Raises `InvalidFile` with the line
    number for a text that the model rejects or a word that is not in it.
    """
    states, types = _collect(model, data)
    labels = sorted({example.label for example in data.examples})
    targets = _targets(data, [example.label for example in data.examples], labels)
    groups = _numbered([example.group for example in data.examples])
    folds = linear_probe.folds_of(groups)
    control = _control_targets(data, types, labels)
    tasks = [targets] if control is None else [targets, control]
    scores, *controls = linear_probe.cross_validate(states, tasks, folds)
    answer = model.submit_explain(_query(trace or data.trace)).result()
    layers = len(answer.explanation.tokens[0].layers)
    width = states.shape[1] // layers
    order = np.argsort(-scores.units, kind="stable")[:BEST_UNITS]
    best = [
        UnitScore(int(unit) // width + 1, int(unit) % width, float(scores.units[unit]))
        for unit in order
    ]
    fitted = Ridge(states).fit(targets, scores.strength)
    return ProbeReport(
        data.name,
        "R²" if data.is_numeric else "accuracy",
        len(data.examples),
        int(groups.max()) + 1,
        len(set(types)),
        0.0 if data.is_numeric else float(targets.mean(0).max()),
        scores.probe,
        controls[0].probe if controls else None,
        best,
        float(controls[0].units.max()) if controls else None,
        _trace(answer, fitted, ["value"] if data.is_numeric else labels, best, order),
        answer.model,
    )


def _query(text: str) -> ExplanationQuery:
    return ExplanationQuery(text, top_k=0, return_units=True, count_eos=False)


def _collect(model: GenerativeModel, data: ProbeData) -> tuple[Floats, list[str]]:
    """Return the cell state after the word of each example [examples, units], and its word type."""
    by_text: dict[str, list[int]] = {}
    for index, example in enumerate(data.examples):
        by_text.setdefault(example.text, []).append(index)
    rows: dict[int, NDArray[np.float32]] = {}
    types: dict[int, str] = {}

    def submit(text: str) -> "Future[ExplanationResult]":
        return model.submit_explain(_query(text))

    for text, future in in_turn(by_text, submit, _IN_FLIGHT):
        first = data.examples[by_text[text][0]]
        try:
            cells, found = _word_states(future.result())
        except InvalidInput as error:
            raise InvalidFile(data.path or data.name, error.problem, first.line) from None
        for index in by_text[text]:
            place = data.examples[index].word
            if place >= len(found):
                problem = f"word: is {place + 1}, but the text has {len(found)} words"
                line = data.examples[index].line
                raise InvalidFile(data.path or data.name, problem, line)
            rows[index], types[index] = cells[place], found[place]
    order = range(len(data.examples))
    return np.stack([rows[index] for index in order]).astype(np.float64), [types[i] for i in order]


def _word_states(answer: ExplanationResult) -> tuple[Floats, list[str]]:
    """Return the cell state after each word, all layers in a row, and the words."""
    explanation = answer.explanation
    last = {token.word_index: token for token in explanation.tokens}
    states = [
        np.concatenate([layer.units.cell for layer in last[index].layers if layer.units])
        for index in range(len(explanation.words))
    ]
    return np.stack(states).astype(np.float64), [word.word for word in explanation.words]


def _targets(data: ProbeData, values: Sequence[str], labels: Sequence[str]) -> Floats:
    if data.is_numeric:
        return np.array([[float(value)] for value in values])
    numbers = {label: number for number, label in enumerate(labels)}
    columns: Floats = np.eye(len(labels))[[numbers[value] for value in values]]
    return columns


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names])


def _control_targets(data: ProbeData, types: Sequence[str], labels: Sequence[str]) -> Floats | None:
    """Return random labels by word type, or None if there is only one type.

    Labels are dealt to the types in turn, so that each label has as many types.
    """
    kinds = sorted(set(types))
    if len(kinds) < 2:
        return None
    Random(0).shuffle(kinds)
    dealt = {kind: labels[number % len(labels)] for number, kind in enumerate(kinds)}
    return _targets(data, [dealt[kind] for kind in types], labels)


def _trace(
    answer: ExplanationResult,
    fitted: LinearProbe,
    labels: Sequence[str],
    best: Sequence[UnitScore],
    columns: NDArray[np.int64],
) -> Trace:
    states, _ = _word_states(answer)
    outputs = fitted(states)
    return Trace(
        [word.text for word in answer.explanation.words],
        {label: outputs[:, number].tolist() for number, label in enumerate(labels)},
        {
            f"layer {each.layer}, unit {each.unit}": states[:, column].tolist()
            for each, column in zip(best, columns, strict=True)
        },
    )
