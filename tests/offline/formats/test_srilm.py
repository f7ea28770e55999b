"""N-best lists with noise words, and word meshes, from SRILM."""

import math
from pathlib import Path

import pytest
from tests.offline.formats.recipe_folders import folder, network, sorted_out, texts

from wordgate.offline.formats import srilm
from wordgate.offline.reading_report import MIN_SCORE, Reading
from wordgate.offline.records import raise_on_error

MESH = """name u1
numaligns 3
posterior 1
align 0 <s> 1
align 1 the 0.75 a 0.25
info 1 the 0.1 0.2 -100 -2 : :
align 2 sun 0.5 *DELETE* 0.5 son 0
"""


@pytest.mark.parametrize("count", [1, 2, 3])
def test_noise_words_may_be_counted_or_not(tmp_path: Path, count: int) -> None:
    """The word count may or may not include pauses; the candidate has only the words."""
    folder(tmp_path, {"u1": f"-6 -14.6 {count} -pau- [laugh] yeah\n-6.1 -16 1 yes\n"})
    assert texts(srilm.read(tmp_path)) == {"u1": ["yeah", "yes"]}


def test_other_counts_are_a_line_cut_off(tmp_path: Path) -> None:
    """Fewer words than the count invalidate the utterance; the others are read."""
    files: dict[str, str | bytes] = {
        "u1": "-6 -14 4 a [b] c\n",
        "u2": "-6 -14 1 a\n",
        "u3": b"\xff",
    }
    names, errors = sorted_out(srilm.read(folder(tmp_path, {**files, ".DS_Store": "x"})))
    assert names == ["u2"]
    assert "u1:1: word count is 4, but found 3" in errors[0]
    assert "u3:1: is not UTF-8" in errors[1]


def test_one_file_may_be_given(tmp_path: Path) -> None:
    """A single file is accepted; minus infinity is the lowest score."""
    folder(tmp_path, {"u1": "-inf -14 1 a\n"})
    [found] = raise_on_error(srilm.read(tmp_path / "u1"))
    assert found.hypotheses[0].scores["acoustic_log_prob"] == MIN_SCORE


def test_a_mesh_is_a_confusion_network(tmp_path: Path) -> None:
    """One slot per position, log posteriors; `*DELETE*` and `<s>` are null labels."""
    folder(tmp_path, {"u.mesh": MESH})
    reading = Reading.of_recogniser()
    [found] = raise_on_error(srilm.read(tmp_path / "u.mesh", reading))
    assert (found.utt, found.line, list(found.score_names)) == ("u1", 1, ["acoustic_log_prob"])
    slots = [
        [(each.text, each.scores["acoustic_log_prob"]) for each in slot]
        for slot in network(found).slots
    ]
    assert slots == [
        [("", 0.0)],
        [("the", math.log(0.75)), ("a", math.log(0.25))],
        [("sun", math.log(0.5)), ("", math.log(0.5)), ("son", MIN_SCORE)],
    ]
    report = "\n".join(reading.report())
    assert "skipped lines posterior, lines info: not part of a confusion network" in report


def test_meshes_may_follow_each_other_and_say_what_was_said(tmp_path: Path) -> None:
    """Several named meshes per file; an invalid one does not affect the others."""
    said = "reference 0 *DELETE*\nreference 1 the\nreference 2 sun\n"
    broken = MESH.replace("u1", "u2").replace("align 1", "align 7")
    short = MESH.replace("u1", "u3").replace("numaligns 3", "numaligns 4")
    unnamed = MESH.removeprefix("name u1\n")
    folder(tmp_path, {"all": MESH + said + broken + short + MESH.replace("u1", "u4") + unnamed})
    reading = Reading.of_recogniser()
    found = list(srilm.read(tmp_path / "all", reading))
    names, errors = sorted_out(found)
    assert names == ["u1", "u4", "all"]
    assert "missing line align 1; positions count from 0" in errors[0]
    assert "numaligns is 4, but found 3" in errors[1]
    [first, *_] = raise_on_error(found[:1])
    assert first.reference is not None
    assert reading.spoken_reference(first.reference) == "the sun"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name u\nversion 2\n", "nbest-lattice -use-mesh"),
        ("numaligns 1\nalign 0 a\n", "u:2: is not a line of a word mesh"),
        ("numaligns 1\nalign 0 a x\n", "u:2"),
        ("numaligns 1\nalign 0 a -1\n", "u:2"),
        ("numaligns x\n", "u:1"),
        ("name u\n", "missing line align 0"),
        ("numaligns 1\nalign 0 a 1\nalign 0 b 1\n", "u:3: duplicate line align 0"),
        ("align 0 a 1\nreference 0 a\nreference 0 b\n", "u:1: does not begin"),
        (
            "numaligns 1\nalign 0 a 1\nreference 0 a\nreference 0 b\n",
            "u:4: duplicate line reference 0",
        ),
    ],
)
def test_bad_meshes_are_named(tmp_path: Path, text: str, named: str) -> None:
    """The message names the file and the line."""
    _, [error] = sorted_out(srilm.read(folder(tmp_path, {"u": text})))
    assert named in error
