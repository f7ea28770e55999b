"""Folders from Kaldi's rescoring scripts."""

import gzip
from pathlib import Path

import pytest
from tests.offline.formats.recipe_folders import folder, sorted_out, texts

from wordgate.errors import InvalidFile
from wordgate.offline.formats import kaldi
from wordgate.offline.reading_report import MIN_SCORE, Reading
from wordgate.offline.records import raise_on_error

RNNLM_RESCORE: dict[str, str | bytes] = {
    "ali": "u-1 2 4 4\nu-2 2 4 3\n",
    "words": "u-1 5 12\nu-2 5 13\n",
    "words_text": "u-1 the sun\nu-2 the son\n",
    "acwt": "u-1 -1247.5\nu-2 -1245\n",
    "lmwt.nolm": "u-1 29.3\nu-2 31.9\n",
    "lmwt.nn": "u-1 2.5 3.5\nu-2 2.5 9.5\n",
    "temp/text": "x\n",
    "README.md": "notes\n",
    ".done": "",
    "notes": "of a run\n",
}


def _report(reading: Reading) -> str:
    return "\n".join(reading.report())


def test_acoustic_costs_stand_in_acwt(tmp_path: Path) -> None:
    """The archive acwt of Kaldi's scripts is the acoustic score, negated."""
    [found] = raise_on_error(kaldi.read(folder(tmp_path, RNNLM_RESCORE)))
    assert [h.scores for h in found.hypotheses] == [
        {"acoustic_log_prob": 1247.5, "lmwt.nolm": -29.3},
        {"acoustic_log_prob": 1245.0, "lmwt.nolm": -31.9},
    ]


def test_what_is_no_archive_of_costs_is_skipped_by_name(tmp_path: Path) -> None:
    """Alignments, word numbers, notes and folders are skipped and reported."""
    reading = Reading.of_recogniser()
    assert texts(kaldi.read(folder(tmp_path, RNNLM_RESCORE), reading)) == {
        "u": ["the sun", "the son"]
    }
    report = _report(reading)
    assert "from acwt as acoustic_log_prob, lmwt.nolm, words_text" in report
    for name, reason in {
        "ali": "alignments",
        "words": "word ids",
        "temp": "a folder",
        ".done, README.md": "not data, judging by the name",
        "lmwt.nn": "line 1: expected a finite number, found '2.5 3.5'",
        "notes": "not an archive of costs of these candidates",
    }.items():
        assert f"skipped {name}: {reason}" in report


def test_a_parent_of_archives_is_read_as_a_whole(tmp_path: Path) -> None:
    """`archives.10` comes after `archives.2`; a duplicate utterance is rejected once."""
    parts = {
        number: {f"archives.{number}/words_text": text, f"archives.{number}/acwt": costs}
        for number, text, costs in (
            (10, "c-1 c\na-1 again\n", "c-1 1\na-1 1\n"),
            (2, "b-1 b\n", "b-1 1\n"),
            (1, "a-1 a\n", "a-1 1\n"),
        )
    }
    for files in parts.values():
        folder(tmp_path, dict(files))
    folder(tmp_path, {"num_jobs": "3\n", "lat.1.gz": gzip.compress(b"x")})
    reading = Reading()
    names, errors = sorted_out(kaldi.read(tmp_path, reading))
    assert names == ["a", "b", "c"]
    assert "from archives.1, archives.10, archives.2, acwt as" in _report(reading)
    assert "skipped lat.1.gz, num_jobs: not a folder archives.N" in _report(reading)
    [error] = errors
    assert "archives.10/words_text:2: duplicate utterance a, also in" in error
    assert texts(kaldi.read(tmp_path / "archives.2")) == {"b": ["b"]}


def test_a_broken_utterance_costs_itself_alone(tmp_path: Path) -> None:
    """Each kind of invalid entry costs one utterance; the others are read."""
    files: dict[str, str | bytes] = {
        "words_text": b"a-1 a\nb-1 b\nc-1 \xff\nd-1 d\nd-1 e\ndate 1\nf-1 f\n",
        "acwt": "a-1 1\nb-1 x\nc-1 1\nd-1 1\nf-1 2\n",
    }
    names, errors = sorted_out(kaldi.read(folder(tmp_path, files)))
    assert names == ["a", "f"]
    assert [error.partition(str(tmp_path) + "/")[2].partition(": ")[0] for error in errors] == [
        "words_text:6",
        "acwt:2",
        "words_text:3",
        "words_text:5",
    ]


def test_a_broken_folder_costs_itself_alone(tmp_path: Path) -> None:
    """An unfinished job is skipped among several; a single folder is rejected."""
    one = {"archives.1/words_text": "a-1 a\n", "archives.1/acwt": "a-1 1\n"}
    folder(tmp_path, {**one, "archives.2/acwt": "b-1 1\n"})
    names, errors = sorted_out(kaldi.read(tmp_path))
    assert (names, len(errors)) == (["a"], 1)
    with pytest.raises(InvalidFile, match="words_text"):
        list(kaldi.read(tmp_path / "archives.2"))


def test_transcripts_without_ranks_are_no_n_best_list(tmp_path: Path) -> None:
    """A date at the end of an utterance's name is not a rank, nor is a number of many digits."""
    long = "a-" + "1" * 5000
    files: dict[str, str | bytes] = {"text": f"2024-01-05 the sun\n{long} the son\n"}
    names, errors = sorted_out(kaldi.read(folder(tmp_path, files)))
    assert names == []
    assert all("is not UTT-N with a rank N" in error for error in errors)
    _, [error] = sorted_out(kaldi.read(folder(tmp_path / "gap", {"text": "u-2 a\nu-3 b\n"})))
    assert "u-2 but not u-1" in error


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"words_text": "u-1 a\n", "ac_cost": b"u-1 \0B\4\0\0\x80?"}, "ac_cost: is a binary arch"),
        ({"words_text": b"u-1 \0Bxxxx"}, "words_text: is a binary archive"),
        ({"words": "u-1 5 12\n", "acwt": "u-1 1\n"}, "utils/int2sym.pl -f 2- words.txt words"),
        ({"lat.1.gz": gzip.compress(b"u \0B")}, 'lattice-to-nbest --n=100 "ark:gunzip -c lat.1.gz'),
    ],
)
def test_what_must_be_converted_is_said_with_the_command(
    tmp_path: Path, files: dict[str, str | bytes], named: str
) -> None:
    """Binary archives, word numbers and lattices: the error has the conversion command."""
    with pytest.raises(InvalidFile) as refused:
        list(raise_on_error(kaldi.read(folder(tmp_path, files))))
    assert named in str(refused.value)


def test_other_binary_archives_are_skipped(tmp_path: Path) -> None:
    """Unreadable archives of other costs do not end a run."""
    files: dict[str, str | bytes] = {"words_text": "u-1 a\n", "acwt": "u-1 1\n"}
    reading = Reading()
    list(raise_on_error(kaldi.read(folder(tmp_path, {**files, "lmwt.x": b"u-1 \0B\4"}), reading)))
    assert "skipped lmwt.x: a binary archive" in _report(reading)


def test_an_infinite_cost_ranks_last(tmp_path: Path) -> None:
    """A cost of infinity is the lowest score; minus infinity is rejected."""
    files: dict[str, str | bytes] = {"words_text": "u-1 a\nu-2 b\n", "acwt": "u-1 inf\nu-2 9\n"}
    [found] = raise_on_error(kaldi.read(folder(tmp_path, files)))
    assert [h.scores["acoustic_log_prob"] for h in found.hypotheses] == [MIN_SCORE, -9.0]
    for wrong in ("-inf", "nan"):
        folder(tmp_path, {"acwt": f"u-1 1\nu-2 {wrong}\n"})
        _, [error] = sorted_out(kaldi.read(tmp_path))
        assert f"acwt:2: expected a finite number, found '{wrong}'" in error
