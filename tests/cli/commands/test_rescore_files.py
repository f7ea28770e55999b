"""`wordgate rescore` and `tune` on recognisers' output files."""

import json
from pathlib import Path

import pytest
from tests.cli.calling import Run
from tests.offline.formats.recipe_folders import folder

KALDI: dict[str, str | bytes] = {
    "words_text": "a-1 the sun\na-2 the son\nb-1 x\nb-2 y\n",
    "acwt": "a-1 900\na-2 1\nb-1 1\nb-2 900\n",
    "lmwt.nolm": "a-1 1\na-2 2\nb-1 1\nb-2 2\n",
    "ali": "a-1 2 3\n",
}
SLF = """VERSION=1.0
UTTERANCE=u1
N=3 L=2
I=0
I=1
I=2
J=0 S=0 E=1 W=!SIL a=-1
J=1 S=1 E=2 W=sun a=-2
"""


def test_a_kaldi_folder_is_ranked_by_its_acoustic_costs(
    run: Run, bundle: Path, tmp_path: Path
) -> None:
    """Standard error reports what was used, what was skipped and which scores have weight 0."""
    path = folder(tmp_path / "archives.1", KALDI)
    ended = run("rescore", "--model", bundle, "--format", "kaldi", "--input", path)
    assert (ended.out, ended.code) == ("a\tthe son\nb\tx\n", 0)
    assert ended.err.splitlines() == [
        f"{path}: read 2 utterances, 4 candidates from acwt as acoustic_log_prob, lmwt.nolm, "
        "words_text",
        f"{path}: skipped ali: alignments",
        "weights: acoustic_log_prob 1; lm_weight 1",
        "zero weight: lmwt.nolm; set a weight with --weight NAME=NUMBER",
    ]


def test_scores_without_a_weight_are_told_aloud(run: Run, bundle: Path, tmp_path: Path) -> None:
    """A warning before and after the run says that only the language model ranks."""
    path = tmp_path / "ctc.jsonl"
    candidates = [{"text": "a", "logit_score": -3.0, "lm_score": -9}]
    path.write_text(json.dumps({"utt": "u", "candidates": candidates}))
    ended = run("rescore", "--model", bundle, "--input", path)
    first, *_, last = ended.err.splitlines()
    assert first.startswith("wordgate: warning: all score weights are 0")
    assert last.startswith("WARNING: all score weights are 0")
    assert "the input has the scores logit_score, lm_score" in last
    assert "--weight logit_score=1" in last
    ended = run("rescore", "--model", bundle, "--input", path, "--weight", "lm_score=0.5")
    assert "WARNING" not in ended.err.upper()
    assert "weights: lm_score 0.5; lm_weight 1\nzero weight: logit_score" in ended.err
    path.write_text('{"candidates": ["a"]}')
    assert "no candidate has a score" in run("rescore", "--model", bundle, "--input", path).err
    path.write_text("")
    ended = run("rescore", "--model", bundle, "--input", path)
    assert ended.err.splitlines() == [
        f"{path}: read 0 utterances",
        f"wordgate: {path}: is empty: no record in it",
    ]


def test_a_weight_of_0_needs_no_score(run: Run, bundle: Path, tmp_path: Path) -> None:
    """A weight of 0 for a missing score is accepted; other weights are not."""
    path = tmp_path / "heard.jsonl"
    path.write_text('{"utt": "u", "candidates": [{"text": "a", "acoustic_log_prob": -3.0}]}')
    ask = ("rescore", "--model", bundle, "--input", path)
    assert run(*ask, "--weight", "absent=0").out == "u\ta\n"
    wrong = run(*ask, "--weight", "absent=0.5")
    assert (wrong.code, "absent" in wrong.err) == (2, True)


BROKEN: dict[str, tuple[dict[str, str | bytes], str]] = {
    "kaldi": ({**KALDI, "acwt": "a-1 900\na-2 1\nb-1 nan\nb-2 900\n"}, "acwt"),
    "espnet": (
        {"1best_recog/text": "a x\nb y\n", "1best_recog/score": "a -1\nb x\n"},
        "1best_recog/score",
    ),
    "srilm": ({"a": "-1 -1 1 x\n", "b": "-1 -1 9 y\n"}, "b"),
    "slf": ({"a.slf": SLF, "b.slf": SLF.replace("L=2", "L=3")}, "b.slf"),
    "vosk": (
        {
            "a.json": '{"alternatives": [{"text": "x", "confidence": 1}]}',
            "b.json": '{"alternatives": [{"text": "x"}]}',
        },
        "b.json",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_utterance_costs_itself_alone(
    run: Run, bundle: Path, tmp_path: Path, name: str
) -> None:
    """With --skip-invalid an error record with the file replaces an invalid utterance."""
    files, broken = BROKEN[name]
    path = folder(tmp_path / "in", files)
    ask = ("rescore", "--model", bundle, "--format", name, "--input", path, "--json")
    ended = run(*ask, "--skip-invalid")
    good, bad = (json.loads(line) for line in ended.out.splitlines())
    assert (good["ranking"][0]["index"], ended.code) == (1 if name == "kaldi" else 0, 3)
    assert bad["file"] == str(path / broken)
    assert "skipped 1 record" in ended.err
    assert f"{path}: rejected 1 utterance\n" in ended.err
    strict = run(*ask)
    assert strict.code == 3
    assert str(path / broken) in strict.err


def test_nemo_lines_cost_their_utterance(run: Run, bundle: Path, tmp_path: Path) -> None:
    """A line without a number invalidates only its own utterance."""
    files: dict[str, str | bytes] = {
        "m.json": '{"audio_filepath": "a"}\n{"audio_filepath": "b"}\n',
        "p.tsv": "x\tnan\ny\t-1\n",
    }
    path = folder(tmp_path, files)
    ask = ("--format", "nemo", "--manifest", path / "m.json", "--beam", "1")
    ended = run(
        "rescore", "--model", bundle, "--input", path / "p.tsv", *ask, "--skip-invalid", "--json"
    )
    bad, good = (json.loads(line) for line in ended.out.splitlines())
    assert (bad["line"], good["utt"]) == (1, "b")


def test_null_labels_may_be_named(run: Run, bundle: Path, tmp_path: Path) -> None:
    """`--null-label` extends a format's null labels and works for JSON lines and references."""
    path = folder(tmp_path, {"n/u1": "-1 -1 4 [laugh] uh the sun\n", "said.txt": "u1 uh the sun\n"})
    ask = ("rescore", "--model", bundle, "--references", path / "said.txt", "--input")
    ended = run(*ask, path / "n", "--format", "srilm", "--null-label", "uh")
    assert ended.out == "u1\tthe sun\n"
    assert "removed null labels: [laugh] (1), uh (1)" in ended.err
    assert "0.00% for the best" in ended.err
    heard = tmp_path / "heard.jsonl"
    heard.write_text('{"utt": "u1", "candidates": ["[laugh] uh the sun"]}')
    assert run(*ask, heard, "--null-label", "uh").out == "u1\t[laugh] the sun\n"


def test_a_mesh_is_ranked(run: Run, bundle: Path, tmp_path: Path) -> None:
    """An SRILM word mesh is searched as a confusion network, with its own reference."""
    mesh = "name u\nnumaligns 2\nalign 0 the 0.9 a 0.1\nalign 1 sun 1e-90 *DELETE* 1\n"
    path = folder(tmp_path, {"u.mesh": f"{mesh}reference 0 the\nreference 1 *DELETE*\n"})
    ended = run("rescore", "--model", bundle, "--format", "srilm", "--input", path / "u.mesh")
    assert (ended.out, ended.code) == ("u\tthe\n", 0)
    assert ended.err.splitlines()[-1] == "word error rate: 0.00% for the best candidates"
    assert "max-transcripts" in run("tune", "--format", "srilm", "--input", path).err


def test_minus_infinity_ranks_last(run: Run, bundle: Path, tmp_path: Path) -> None:
    """A candidate with a score of minus infinity ranks last with posterior 0."""
    path = tmp_path / "heard.jsonl"
    path.write_text(
        '{"candidates": [{"text": "a", "acoustic_log_prob": -Infinity}, '
        '{"text": "zq xw zq xw zq", "acoustic_log_prob": -90000.0}]}'
    )
    [line] = run("rescore", "--model", bundle, "--input", path, "--json").out.splitlines()
    first, last = json.loads(line)["ranking"]
    assert (last["text"], last["acoustic"], last["posterior"]) == ("a", -1e9, 0.0)
    assert first["posterior"] == 1.0
    path.write_text(
        '{"candidates": [{"text": "a", "lm": -Infinity}, {"text": "zq xw zq xw zq", "lm": -1}]}'
    )
    for weight in ("0.5", "-0.5"):
        ended = run("rescore", "--model", bundle, "--input", path, "--weight", f"lm={weight}")
        assert ended.out == "1\tzq xw zq xw zq\n"


def test_missing_references_are_told(run: Run, bundle: Path, tmp_path: Path) -> None:
    """Missing references are reported; a lattice also matches by file name."""
    path = folder(tmp_path / "in", KALDI)
    said = tmp_path / "said.trn"
    ask = ("rescore", "--model", bundle, "--format", "kaldi", "--input", path)
    said.write_text("the sun (A)\n")
    ended = run(*ask, "--references", said)
    assert (
        "no utterance has a reference: the input has a, b …; the references have A …" in ended.err
    )
    assert ended.code == 0
    said.write_text("the { moon / son } (a)\n")
    ended = run(*ask, "--references", said)
    assert "1 of 2 utterances have no reference: the input has b …" in ended.err
    assert "word error rate: 50.00% for the first candidates, 0.00% for the best" in ended.err
    (tmp_path / "call.slf").write_text(SLF)
    said.write_text("sun (call)\n")
    lattice = ("rescore", "--model", bundle, "--format", "slf", "--input", tmp_path / "call.slf")
    ended = run(*lattice, "--references", said)
    assert ended.out == "u1\tsun\n"
    assert ended.err.endswith("word error rate: 0.00% for the best candidates\n")


def test_capitals_are_told_beside_the_error_rate(run: Run, bundle: Path, tmp_path: Path) -> None:
    """An error rate of 100 % due to case says so."""
    path = tmp_path / "heard.jsonl"
    path.write_text('{"reference": "THE SUN.", "candidates": ["the sun"]}')
    ended = run("rescore", "--model", bundle, "--input", path)
    assert "100.00% for the best candidates; 0.00% with --normalise basic" in ended.err


def _development(count: int) -> list[dict[str, object]]:
    return [
        {
            "utt": str(number),
            "history": "down by",
            "reference": "THE SUN",
            "candidates": [
                {"text": "the son", "acoustic_log_prob": -1.0},
                {"text": "the sun", "acoustic_log_prob": -1.5},
            ],
        }
        for number in range(count)
    ]


def _written(path: Path, records: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_tune_reads_what_rescore_writes(run: Run, bundle: Path, tmp_path: Path) -> None:
    """Tuning on rescored output gives the same weights."""
    heard = _written(tmp_path / "heard.jsonl", _development(30))
    ranked = tmp_path / "ranked.jsonl"
    ranked.write_text(run("rescore", "--model", bundle, "--input", heard, "--json").out)
    ask = ("tune", "--model", bundle, "--normalise", "basic", "--json", "--input")
    first, second = run(*ask, heard), run(*ask, ranked)
    assert first.document == second.document
    assert first.document["verdict"] == first.err.splitlines()[-1]


def test_tune_says_why_there_are_no_weights(run: Run, bundle: Path, tmp_path: Path) -> None:
    """Case differences, too few utterances or no references: an error and no weights."""
    path = tmp_path / "dev.jsonl"
    ask = ("tune", "--model", bundle, "--json", "--input", path)
    untold: list[dict[str, object]] = [{"candidates": ["a"]}]
    basic = ("--normalise", "basic")
    for records, told, options in (
        (_development(30), "use --normalise basic", ()),
        (_development(12), "only 12 utterances with a reference; tune on at least 30", basic),
        (untold, "no utterance has a reference", ()),
    ):
        _written(path, records)
        ended = run(*ask, *options)
        assert (ended.out, ended.code) == ("", 3)
        assert told in ended.err


def test_tune_may_pass_over_broken_utterances(run: Run, bundle: Path, tmp_path: Path) -> None:
    """With --skip-invalid errors are reported and counted, and the exit code is not 0."""
    path = _written(tmp_path / "dev.jsonl", [*_development(30), {"candidates": []}])
    ask = ("tune", "--model", bundle, "--normalise", "basic", "--json", "--input", path)
    assert run(*ask).out == ""
    ended = run(*ask, "--skip-invalid")
    assert json.loads(ended.out)["utterances"] == 30
    assert (ended.code, f"{path}:31: candidates" in ended.err) == (3, True)


def test_a_file_of_another_format_is_recognised(run: Run, bundle: Path, tmp_path: Path) -> None:
    """The message names the actual format and the remedy."""
    (tmp_path / "a.slf").write_text(SLF)
    ended = run("rescore", "--model", bundle, "--input", tmp_path / "a.slf")
    assert (ended.code, "--format slf" in ended.err) == (3, True)
    assert run("rescore", "--model", bundle, "--input", "-", "--format", "slf").code == 2
    ended = run("rescore", "--model", bundle, "--input", tmp_path)
    assert (ended.code, "is a folder; folders require --format kaldi" in ended.err) == (3, True)
