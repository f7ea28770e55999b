"""Hypotheses as recognisers write them into files."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from wordgate.core.rescoring import Hypothesis, TimeSpan
from wordgate.errors import InvalidFile
from wordgate.evaluation.formats import jsonl


def _written(path: Path, *records: Any) -> Path:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_every_number_of_a_candidate_is_a_score(tmp_path: Path) -> None:
    """Numbers are scores by their key; what is no number says something else."""
    candidate = {"text": "a b", "am": -1, "lm": -2.5, "source": "x", "ok": True, "lattice": None}
    record = {"utt": "u", "reference": "a", "history": "h", "candidates": [candidate, "c"]}
    path = _written(tmp_path / "heard.jsonl", "", record)
    [found] = jsonl.read(path)
    assert (found.utt, found.reference, found.history, found.line) == ("u", "a", "h", 2)
    assert found.hypotheses == [
        Hypothesis("a b", {"am": -1.0, "lm": -2.5}, []),
        Hypothesis("c"),
    ]


def test_what_is_missing_has_a_meaning(tmp_path: Path) -> None:
    """An utterance without a name has its line's number; there need be no reference."""
    heard = {"candidates": [{"text": "a", "times": [[0, 0.5]]}]}
    path = tmp_path / "heard.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(heard).encode()))
    [found] = jsonl.read(path)
    assert (found.utt, found.reference, found.history) == ("1", None, "")
    assert found.hypotheses[0].times == [TimeSpan(0.0, 0.5)]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("[]", "line"),
        ("{", "not JSON"),
        ('{"candidates": []}', "candidates"),
        ('{"candidates": {"text": "a"}}', "candidates"),
        ('{"candidates": ["a", 3]}', "candidates[1]"),
        ('{"candidates": [{"text": 3}]}', "candidates[0]"),
        ('{"utt": 7, "candidates": ["a"]}', "utt"),
        ('{"reference": 7, "candidates": ["a"]}', "reference"),
        ('{"candidates": [{"text": "a", "times": [3]}]}', "candidates[0].times[0]"),
        ('{"candidates": [{"text": "a", "times": [["0", 1]]}]}', "candidates[0].times[0]"),
        ('{"candidates": [{"text": "a", "am": 1' + "0" * 400 + "}]}", "candidates[0].am"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, named: str) -> None:
    """The file, the line and the field are in the message."""
    path = _written(tmp_path / "heard.jsonl", {"candidates": ["a"]}, line)
    with pytest.raises(InvalidFile) as refused:
        list(jsonl.read(path))
    assert refused.value.line == 2
    assert named in str(refused.value)
