"""Folders from ESPnet's parallel decoding."""

from pathlib import Path

import pytest
from tests.offline.formats.recipe_folders import folder, sorted_out, texts

from wordgate.errors import InvalidFile
from wordgate.offline.formats import espnet
from wordgate.offline.reading_report import MIN_SCORE, Reading
from wordgate.offline.records import raise_on_error


def _job(number: int, utt: str) -> dict[str, str | bytes]:
    rank = f"logdir/output.{number}/1best_recog"
    return {f"{rank}/text": f"{utt} A\n", f"{rank}/score": f"{utt} -1\n", f"{rank}/token": "x\n"}


def test_jobs_are_read_from_any_folder_above_them(tmp_path: Path) -> None:
    """The decoding folder, its logdir or one job; `output.10` comes after `output.2`."""
    for number in (10, 2, 1):
        folder(tmp_path, {**_job(number, f"u{number}"), "text": "u1 A\n"})
    assert list(texts(espnet.read(tmp_path))) == ["u1", "u2", "u10"]
    assert list(texts(espnet.read(tmp_path / "logdir"))) == ["u1", "u2", "u10"]
    reading = Reading()
    assert list(texts(espnet.read(tmp_path / "logdir/output.2", reading))) == ["u2"]
    report = "\n".join(reading.report())
    assert "from output.2/1best_recog" in report
    assert "skipped token: neither text nor score" in report


def test_minus_infinity_ranks_last(tmp_path: Path) -> None:
    """A hypothesis with a score of minus infinity ranks below all others."""
    folder(tmp_path, {"1best_recog/text": "u A\n", "1best_recog/score": "u tensor(-inf)\n"})
    folder(tmp_path, {"2best_recog/text": "u B\n", "2best_recog/score": "u -3\n"})
    [found] = raise_on_error(espnet.read(tmp_path))
    assert [h.scores["acoustic_log_prob"] for h in found.hypotheses] == [MIN_SCORE, -3.0]


def test_a_broken_utterance_costs_itself_alone(tmp_path: Path) -> None:
    """The error names the file of the value; the other utterances are read."""
    folder(tmp_path, {"1best_recog/text": "u A\nv B\nw C\n", "1best_recog/score": "u 1\nv nan\n"})
    names, errors = sorted_out(espnet.read(tmp_path))
    assert names == ["u"]
    assert "1best_recog/score:2: expected a finite number, found 'nan'" in errors[0]
    assert "1best_recog/score: missing line for w" in errors[1]


def test_an_utterance_may_lack_the_best_rank(tmp_path: Path) -> None:
    """An utterance that exists only at a lower rank is read."""
    folder(tmp_path, {"1best_recog/text": "u A\n", "1best_recog/score": "u 1\n"})
    folder(tmp_path, {"2best_recog/text": "v B\n", "2best_recog/score": "v 1\n"})
    assert texts(espnet.read(tmp_path)) == {"u": ["A"], "v": ["B"]}


def test_a_folder_without_ranks_is_refused(tmp_path: Path) -> None:
    """The message names the expected folders."""
    with pytest.raises(InvalidFile, match="does not contain 1best_recog, output"):
        list(espnet.read(tmp_path))
