"""Probes of a model whose cells are known."""

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wordgate.engine.results import ExplanationResult
from wordgate.errors import InvalidFile, InvalidInput
from wordgate.evaluation.probes.examples import Example, ProbeData
from wordgate.evaluation.probes.probe import ProbeReport, UnitScore, probe
from wordgate.lm.model_version import ModelVersion
from wordgate.scoring.activations import LayerActivations, UnitActivations
from wordgate.scoring.explanation import (
    ExplainedToken,
    ExplainedWord,
    Explanation,
    ExplanationQuery,
)

NAME = ModelVersion("hand", "1", "int8")
WIDTH = 4
NO_LAYER = LayerActivations(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


class _Cells:
    """Two layers of four cells. Unit 1 of layer 2 is 1 after a text with "many", else -1.

    All others are noise. A word has two tokens; only the state after the second one counts.
    """

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)

    def submit_explain(self, query: ExplanationQuery) -> "Future[ExplanationResult]":
        """Explain a text word by word; reject the text "rejected"."""
        answer: Future[ExplanationResult] = Future()
        if query.text == "rejected":
            answer.set_exception(InvalidInput("text", "has at least 256 words"))
            return answer
        assert query.return_units
        assert not query.count_eos
        words = query.text.split()
        explained = [ExplainedWord(w, w, 1.0, (), True, None, 0, 2) for w in words]
        tokens = []
        for index in range(len(words)):
            is_many = "many" in words[: index + 1]
            tokens.append(ExplainedToken("a", index, 1.0, (), self._layers(5.0)))
            tokens.append(ExplainedToken("b", index, 1.0, (), self._layers(1.0 if is_many else -1)))
        answer.set_result(ExplanationResult(Explanation(explained, tokens, -1.0), False, NAME))
        return answer

    def _layers(self, value: float) -> tuple[LayerActivations, ...]:
        cells = self._random.normal(size=(2, WIDTH)).astype(np.float32)
        cells[1, 1] = value
        none = np.zeros(WIDTH, np.float32)
        return tuple(
            replace(NO_LAYER, units=UnitActivations(none, none, none, none, cell)) for cell in cells
        )


def _probe(data: ProbeData, trace: str | None = None) -> ProbeReport:
    model: Any = _Cells()
    return probe(model, data, trace)


def _data(**changed: Any) -> ProbeData:
    """Return 40 groups: texts with "many" and "one", then words that occur in both."""
    examples: list[Example] = []
    for number in range(40):
        for label in ("many", "one"):
            text = f"{label} n{number} near the car"
            for place in (2, 3, 4):
                examples.append(Example(text, place, label, str(number), line=len(examples) + 2))
    return ProbeData(**{"name": "count", "examples": examples, "trace": "one many x"} | changed)


def test_the_unit_that_follows_the_property_is_named() -> None:
    """The right unit of the right layer is first, with accuracy 1; the probe is right as well."""
    report = _probe(_data())
    assert report.best_units[0] == UnitScore(layer=2, unit=1, score=1.0)
    assert report.best_units[1].score < 0.65
    assert report.score > 0.98
    assert report.baseline == 0.5
    assert (report.examples, report.groups, report.word_types) == (240, 40, 3)
    assert (report.measure, report.model) == ("accuracy", NAME)


def test_the_control_task_is_not_learnt_from_states_without_words() -> None:
    """Random labels by word type stay near the more frequent label; selectivity is the rest."""
    report = _probe(_data())
    assert report.control is not None
    assert report.control < 0.75  # two of three types have one label
    assert report.control_best_unit is not None
    assert report.control_best_unit < 0.75
    assert report.selectivity == pytest.approx(report.score - report.control)


def test_the_trace_follows_a_change_of_the_property() -> None:
    """Over a text, the outputs and the best unit change where the property does."""
    trace = _probe(_data()).trace
    assert trace.words == ["one", "many", "x"]
    assert trace.units["layer 2, unit 1"] == [-1.0, 1.0, 1.0]
    outputs = np.array([trace.outputs["many"], trace.outputs["one"]])
    assert outputs.argmax(0).tolist() == [1, 0, 0]
    assert _probe(_data(), "many one").trace.words == ["many", "one"]


def test_numbers_are_probed_by_regression() -> None:
    """Labels that are numbers give R², and one output."""
    examples = [
        Example(text, 0, value, str(number))
        for number in range(40)
        for text, value in ((f"many x{number}", "10"), (f"one x{number}", "-2.5"))
    ]
    report = _probe(_data(examples=examples, is_numeric=True))
    assert report.measure == "R²"
    assert report.score > 0.95
    assert report.baseline == 0.0
    assert list(report.trace.outputs) == ["value"]


def test_one_word_type_has_no_control() -> None:
    """If all examples end in the same word, random labels by word type are not defined."""
    examples = [example for example in _data().examples if example.word == 3]
    report = _probe(_data(examples=examples))
    assert (report.word_types, report.control, report.control_best_unit) == (1, None, None)
    assert report.selectivity is None


@pytest.mark.parametrize(
    ("example", "problem"),
    [
        (Example("one car", 5, "one", "x", 7), "a.tsv:7: word: is 6, but the text has 2 words"),
        (Example("rejected", -1, "one", "x", 8), "a.tsv:8: has at least 256 words"),
    ],
)
def test_a_wrong_example_is_named_by_its_line(example: Example, problem: str) -> None:
    """A word that is not in its text, and a text that the model rejects."""
    data = _data(examples=[*_data().examples, example], path=Path("a.tsv"))
    with pytest.raises(InvalidFile, match=problem):
        _probe(data)
