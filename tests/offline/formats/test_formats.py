"""Readers of recognisers' hypothesis files."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from wordgate.errors import InvalidFile
from wordgate.offline.formats import espnet, jsonl, kaldi, nemo, references, srilm
from wordgate.offline.records import raise_on_error
from wordgate.scoring.hypothesis import Hypothesis, TimeSpan


def _written(path: Path, *records: Any) -> Path:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_every_number_of_a_candidate_is_a_score(tmp_path: Path) -> None:
    """Numbers are scores named by their key; other values are not scores."""
    candidate = {"text": "a b", "am": -1, "lm": -2.5, "source": "x", "ok": True, "lattice": None}
    record = {"utt": "u", "reference": "a", "history": "h", "candidates": [candidate, "c"]}
    path = _written(tmp_path / "heard.jsonl", "", record)
    [found] = raise_on_error(jsonl.read(path))
    assert (found.utt, found.reference, found.history, found.line) == ("u", "a", "h", 2)
    assert found.hypotheses == [
        Hypothesis("a b", {"am": -1.0, "lm": -2.5}, []),
        Hypothesis("c"),
    ]


def test_missing_fields_have_defaults(tmp_path: Path) -> None:
    """An utterance without a name is named by its line number; the reference is optional."""
    heard = {"candidates": [{"text": "a", "times": [[0, 0.5]]}]}
    path = tmp_path / "heard.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(heard).encode()))
    [found] = raise_on_error(jsonl.read(path))
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
        ('{"utt": "\\ud800", "candidates": ["a"]}', "utt"),
        ('{"candidates": [{"text": "a", "\\ud800": 1}]}', "the name of a score"),
        ('{"reference": 7, "candidates": ["a"]}', "reference"),
        ('{"candidates": [{"text": "a", "times": [3]}]}', "candidates[0].times[0]"),
        ('{"candidates": [{"text": "a", "times": [["0", 1]]}]}', "candidates[0].times[0]"),
        ('{"candidates": [{"text": "a", "am": 1' + "0" * 400 + "}]}", "candidates[0].am"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, named: str) -> None:
    """The message names the file, the line and the field."""
    path = _written(tmp_path / "heard.jsonl", {"candidates": ["a"]}, line)
    with pytest.raises(InvalidFile) as refused:
        list(raise_on_error(jsonl.read(path)))
    assert refused.value.line == 2
    assert named in str(refused.value)


def _folder(path: Path, **files: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text, "utf-8")
    return path


def test_kaldi_archives_are_keyed_by_rank_and_costs_are_negated(tmp_path: Path) -> None:
    """Files of lmrescore_rnnlm: words_text, ac_cost and other costs, in any order."""
    folder = _folder(
        tmp_path / "archives",
        words_text="sw-1-10 worst\nsw-1-1 the best  one\nsw-1-2\nother-1 a\n",
        ac_cost="sw-1-10 3.5\nsw-1-1 1200.25 \nsw-1-2 7\nother-1 0\n",
        lmwt__nolm="sw-1-1 10\nsw-1-2 20\nsw-1-10 30\nother-1 -1.5\n",
    )
    first, second = raise_on_error(kaldi.read(folder))
    assert (first.utt, second.utt) == ("sw-1", "other")
    assert [(h.text, h.scores) for h in first.hypotheses] == [
        ("the best one", {"acoustic_log_prob": -1200.25, "lmwt.nolm": -10.0}),
        ("", {"acoustic_log_prob": -7.0, "lmwt.nolm": -20.0}),
        ("worst", {"acoustic_log_prob": -3.5, "lmwt.nolm": -30.0}),
    ]
    assert second.hypotheses[0].scores["lmwt.nolm"] == 1.5


def test_espnet_folders_hold_a_rank_each(tmp_path: Path) -> None:
    """Scores in torch's notation; an utterance may have fewer candidates."""
    _folder(tmp_path / "1best_recog", text="u1 HELLO WORLD\nu2 A\n", score="u1 -3.5\nu2 -1\n")
    _folder(
        tmp_path / "10best_recog",
        text="u1 HELLO WORD\n",
        score="u1 tensor(-4.25, device='cuda:0')\n",
        token="u1 H E\n",
    )
    _folder(tmp_path / "2best_recog", text="u1 HALLO\n", score="u1 tensor(-3.75)\n")
    first, second = raise_on_error(espnet.read(tmp_path))
    assert [(h.text, h.scores["acoustic_log_prob"]) for h in first.hypotheses] == [
        ("HELLO WORLD", -3.5),
        ("HALLO", -3.75),
        ("HELLO WORD", -4.25),
    ]
    assert [h.text for h in second.hypotheses] == ["A"]


def test_nemo_files_are_flat(tmp_path: Path) -> None:
    """Lines belong to utterances by position, so any other number of lines is rejected."""
    manifest = _written(
        tmp_path / "manifest.json",
        {"audio_filepath": "a.wav", "duration": 1.0, "text": "hello"},
        {"audio_filepath": "b.wav", "duration": 1.0, "text": ""},
    )
    path = tmp_path / "preds.tsv"
    path.write_text("hello\t-1.5\nhullo\t-2\n\t-3\na\t-4.5\n")
    first, second = raise_on_error(nemo.read(path, manifest, beam=2))
    assert (first.utt, first.reference, second.reference) == ("a.wav", "hello", "")
    assert [(h.text, h.scores["acoustic_log_prob"]) for h in second.hypotheses] == [
        ("", -3.0),
        ("a", -4.5),
    ]
    with pytest.raises(InvalidFile, match="4 lines, expected 6: a beam of 3 for 2 utterances"):
        list(nemo.read(path, manifest, beam=3))


def test_srilm_files_have_logarithms_to_base_ten(tmp_path: Path) -> None:
    """nbest-lattice's format: two scores, the word count, words between <s> and </s>."""
    folder = tmp_path / "nbest"
    folder.mkdir()
    listed = "-100 -2.5 2 <s> hello world </s>\n-101.5 -3 4 <s> -pau- hello </s>\n"
    (folder / "utt1.gz").write_bytes(gzip.compress(listed.encode()))
    [found] = raise_on_error(srilm.read(folder))
    assert found.utt == "utt1"
    assert [h.text for h in found.hypotheses] == ["hello world", "hello"]
    scores = found.hypotheses[0].scores
    assert scores["acoustic_log_prob"] == pytest.approx(-230.2585093)
    assert scores["lm_log_prob"] == pytest.approx(-5.7564627)


def test_references_are_keyed_lines_or_a_trn(tmp_path: Path) -> None:
    """Both formats give the same references."""
    (tmp_path / "text").write_text("u1 the sun\nu2\nu3\ta b\n")
    (tmp_path / "said.trn").write_text("the sun (u1)\n(u2)\na (b) c (u3)\n")
    assert references.read(tmp_path / "text") == {"u1": "the sun", "u2": "", "u3": "a b"}
    assert references.read(tmp_path / "said.trn") == {"u1": "the sun", "u2": "", "u3": "a (b) c"}


def _kaldi(path: Path, words: str, costs: str) -> Any:
    return kaldi.read(_folder(path, text=words, ac_cost=costs))


def _srilm(path: Path, line: str) -> Any:
    return srilm.read(_folder(path, utt=line))


BAD_FILES: dict[str, tuple[Any, str]] = {
    "kaldi, no folder": (lambda path: kaldi.read(path / "none"), "does not exist"),
    "kaldi, no text": (lambda path: kaldi.read(_folder(path, ac_cost="a-1 1")), "words_text"),
    "kaldi, no rank": (lambda path: _kaldi(path, "utt a", "utt 1"), "text:1"),
    "kaldi, twice": (lambda path: _kaldi(path, "u-1 a\nu-1 b", "u-1 1"), "text:2"),
    "kaldi, no cost": (lambda path: _kaldi(path, "u-1 a\nu-2 b", "u-1 1"), "missing line for u-2"),
    "kaldi, no number": (lambda path: _kaldi(path, "u-1 a", "u-1 x"), "ac_cost:1"),
    "espnet, no folder": (lambda path: espnet.read(path / "none"), "does not exist"),
    "espnet, nothing": (espnet.read, "1best_recog"),
    "espnet, no score": (
        lambda path: (
            _folder(path / "1best_recog", text="u a", score="v 1"),
            espnet.read(path),
        )[1],
        "missing line for u",
    ),
    "srilm, decipher": (lambda path: _srilm(path, "NBestList2.0\n(1) a"), "NBestList2.0"),
    "srilm, few": (lambda path: _srilm(path, "-1 -2"), "utt:1"),
    "srilm, count": (lambda path: _srilm(path, "-1 -2 5 a b"), "word count is 5, but found 2"),
    "srilm, empty": (lambda path: _srilm(path, "\n"), "is empty"),
    "trn": (
        lambda path: references.read(_folder(path, a__trn="no brackets") / "a.trn").items(),
        "a.trn:1",
    ),
}


@pytest.mark.parametrize(("reads", "named"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files_are_named(tmp_path: Path, reads: Any, named: str) -> None:
    """Errors of each format name the file and the line."""
    with pytest.raises(InvalidFile) as refused:
        list(raise_on_error(reads(tmp_path)))
    assert named in str(refused.value)
