"""JSON lines: rankings, infinite scores and null labels."""

import json
from pathlib import Path
from typing import Any

import pytest

from wordgate.errors import InvalidFile
from wordgate.offline.formats import jsonl
from wordgate.offline.null_labels import NullLabels
from wordgate.offline.reading_report import MIN_SCORE, Reading
from wordgate.offline.records import raise_on_error

RANKING = [
    {"text": "b", "index": 1, "total": 3.0, "log_prob": -1.0, "scores": {"am": -2.0}},
    {"text": "a", "index": 0, "total": 2.0, "log_prob": -9.0, "scores": {"am": -1.0}},
]


def _written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "heard.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_what_rescore_wrote_is_read(tmp_path: Path) -> None:
    """Candidates are in the recogniser's order, with its own scores only."""
    record = {"utt": "u", "best": "b", "ranking": RANKING, "reference": "b", "history": "h"}
    [found] = raise_on_error(jsonl.read(_written(tmp_path, json.dumps(record))))
    assert [(h.text, h.scores) for h in found.hypotheses] == [
        ("a", {"am": -1.0}),
        ("b", {"am": -2.0}),
    ]
    assert (found.utt, found.reference, found.history) == ("u", "b", "h")


@pytest.mark.parametrize(
    ("ranking", "named"),
    [
        ([], "ranking: "),
        ([3], "ranking[0]: "),
        ([{"text": "a"}], "ranking[0]: "),
        ([{"text": 3, "scores": {}}], "ranking[0]: "),
        ([{"text": "a", "scores": {}, "index": "x"}], "ranking[0].index: "),
        ([{"text": "a", "scores": {"am": float("nan")}}], "ranking[0].am: "),
    ],
)
def test_other_rankings_are_named(tmp_path: Path, ranking: Any, named: str) -> None:
    """The message names the field."""
    with pytest.raises(InvalidFile) as refused:
        list(raise_on_error(jsonl.read(_written(tmp_path, json.dumps({"ranking": ranking})))))
    assert f"heard.jsonl:1: {named}" in str(refused.value)


def test_minus_infinity_ranks_last(tmp_path: Path) -> None:
    """Python's -Infinity ranks last; NaN and Infinity are rejected."""
    good = '{"candidates": [{"text": "a", "am": -Infinity}]}'
    path = _written(tmp_path, good, good.replace("-I", "I"), good.replace("-Infinity", "NaN"))
    first, *others = jsonl.read(path)
    assert not isinstance(first, InvalidFile)
    assert first.hypotheses[0].scores == {"am": MIN_SCORE}
    assert [str(each).partition("heard.jsonl:")[2] for each in others] == [
        "2: candidates[0].am: is inf; must be finite",
        "3: candidates[0].am: is nan; must be finite",
    ]


def test_null_labels_are_those_that_were_named(tmp_path: Path) -> None:
    """Texts of JSON lines are unchanged by default: `[1]` may be on the page."""
    path = _written(tmp_path, '{"candidates": ["[1]  the %uh sun"]}')
    [plain] = raise_on_error(jsonl.read(path))
    assert plain.hypotheses[0].text == "[1]  the %uh sun"
    [told] = raise_on_error(jsonl.read(path, reading=Reading(NullLabels(["%*"]))))
    assert told.hypotheses[0].text == "[1] the sun"


def test_scores_may_stand_in_an_object_of_their_own(tmp_path: Path) -> None:
    """An object `scores` works as in the API; a quoted number is reported."""
    candidate = {
        "text": "7",
        "am": -1,
        "scores": {"lm": -2.5, "note": "x"},
        "conf": " 0.5",
        "id": "a7",
    }
    path = _written(tmp_path, json.dumps({"candidates": [candidate]}))
    reading = Reading()
    [found] = raise_on_error(jsonl.read(path, reading=reading))
    assert found.hypotheses[0].scores == {"am": -1.0, "lm": -2.5}
    assert [line for line in reading.report() if "skipped" in line] == [
        "skipped conf: a quoted number is a string, not a score"
    ]


def test_a_line_of_vosk_is_recognised(tmp_path: Path) -> None:
    """A vosk line is detected, also from a pipe."""
    [error] = jsonl.read(_written(tmp_path, '{"alternatives": []}'))
    assert "--format vosk" in str(error)
