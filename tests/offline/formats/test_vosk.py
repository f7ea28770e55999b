"""vosk results in the forms in which they are stored."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.offline.formats.recipe_folders import folder, sorted_out, texts

from wordgate.offline.formats import vosk
from wordgate.offline.reading_report import Reading
from wordgate.offline.records import raise_on_error
from wordgate.scoring.hypothesis import Hypothesis, TimeSpan


def _result(*heard: str) -> dict[str, Any]:
    return {"alternatives": [{"confidence": 9.5 - n, "text": each} for n, each in enumerate(heard)]}


def test_a_result_is_an_utterance(tmp_path: Path) -> None:
    """The name comes from the file, the score from the confidence; times are optional."""
    result = _result("the sun", "the son")
    result["alternatives"][0]["result"] = [
        {"start": 0.25, "end": 0.5, "word": "the"},
        {"start": 0.5, "end": 1, "word": "sun"},
    ]
    folder(tmp_path, {"call-7.json": json.dumps(result, indent=2)})
    [found] = raise_on_error(vosk.read(tmp_path / "call-7.json"))
    assert (found.utt, found.line) == ("call-7", 1)
    assert found.hypotheses == [
        Hypothesis(
            "the sun", {"acoustic_log_prob": 9.5}, [TimeSpan(0.25, 0.5), TimeSpan(0.5, 1.0)]
        ),
        Hypothesis("the son", {"acoustic_log_prob": 8.5}),
    ]


@pytest.mark.parametrize("indent", [None, 2])
def test_results_may_be_printed_or_a_line_each(tmp_path: Path, indent: int | None) -> None:
    """Concatenated results or JSON lines; other results are skipped and counted."""
    results = [{"partial": "the"}, _result("a", "b"), {"text": "x"}, _result("c [unk]")]
    text = "\n".join(json.dumps(result, indent=indent) for result in results)
    folder(tmp_path, {"a.json": text})
    reading = Reading.of_recogniser()
    assert texts(vosk.read(tmp_path / "a.json", reading)) == {"a-1": ["a", "b"], "a-2": ["c"]}
    assert any("2 results of a.json: no alternatives" in line for line in reading.report())
    folder(tmp_path, {"a.json": json.dumps(results)})
    assert list(texts(vosk.read(tmp_path / "a.json"))) == ["a-1", "a-2"]


def test_a_folder_has_a_recording_in_each_file(tmp_path: Path) -> None:
    """Invalid results and invalid files are reported with their lines."""
    good = json.dumps(_result("a"))
    wrong = '{"alternatives": [{"text": "b", "confidence": NaN}]}'
    files: dict[str, str | bytes] = {
        "a.json": f"{good}\n\n{wrong}\n",
        "b.json": "{\n  'alternatives': []}",
        "c.json": "{'alternatives': []}",
        "d.json": '{"alternatives": []}\n[3]',
        "e.json": '{"alternatives": {}}',
        "f.json": good,
        "f.wav": b"RIFF",
    }
    names, errors = sorted_out(vosk.read(folder(tmp_path, files)))
    assert names == ["a-1", "f"]
    assert "a.json:3: alternatives[0].confidence: is not a finite number" in errors[0]
    assert "b.json:2: is not JSON" in errors[1]
    assert "c.json:1: is a printed Python dict" in errors[2]
    assert "d.json:2: is not a vosk result" in errors[3]
    assert "e.json:1: alternatives: is not a list" in errors[4]
