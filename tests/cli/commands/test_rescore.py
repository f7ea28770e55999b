"""`wordgate rescore` and `tune` on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.calling import Run

from wordgate.engine.local_model import LocalModel
from wordgate.offline.lines import read_lines
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.score_weights import Boost, ScoreWeights

HEARD = [
    {"utt": "one", "reference": "the sun is up", "candidates": [
        {"text": "the son is up", "acoustic_log_prob": -20.0, "first": -4.0},
        {"text": "The sun is  up", "acoustic_log_prob": -22.0, "first": -3.0}]},
    {"utt": "two", "history": "down by", "candidates": [
        {"text": "", "acoustic_log_prob": 0.0, "first": 0.0},
        {"text": "the sea", "acoustic_log_prob": -9.0, "first": -1.0}]},
]  # fmt: skip


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    """Write two utterances to a file."""
    path = tmp_path / "heard.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in HEARD), "utf-8")
    return path


def test_each_utterance_is_ranked_in_a_line(
    run: Run, bundle: Path, local: LocalModel, heard: Path
) -> None:
    """The rankings match the model's, with the weights from the options."""
    options = ["--lm-weight", "3", "--word-insertion-bonus", "-1", "--weight", "first=0.5"]
    boost = ["--boost", "the sea=40", "--posterior-scale", "2", "--json"]
    ended = run("rescore", "--input", heard, "--model", bundle, *options, *boost)
    assert ended.code == 0, ended.err
    lines = [json.loads(line) for line in ended.out.splitlines()]
    score_weights = ScoreWeights(3.0, -1.0, {"first": 0.5}, [Boost("the sea", 40.0)], 2.0)
    for line, record in zip(lines, HEARD, strict=True):
        candidates: Any = record["candidates"]
        hypotheses = [
            Hypothesis(c["text"], {k: v for k, v in c.items() if k != "text"}) for c in candidates
        ]
        history = str(record.get("history", ""))
        ranking = local.submit_rescore(history, hypotheses, score_weights).result().ranking
        assert line["utt"] == record["utt"]
        assert line["best"] == line["ranking"][0]["text"] == ranking.transcripts[0].text
        for printed, expected in zip(line["ranking"], ranking.transcripts, strict=True):
            assert printed["total"] == expected.total
            assert printed["acoustic"] == expected.scores["acoustic_log_prob"]
            assert printed["log_prob"] == expected.log_prob
            assert printed["posterior"] == expected.posterior
        assert [word["confidence"] for word in line["words"]] == [
            word.confidence for word in ranking.words
        ]
    assert lines[1]["best"] == "the sea"


def test_people_read_the_best_transcripts_and_the_error_rate(
    run: Run, bundle: Path, heard: Path
) -> None:
    """One line per utterance on standard output; error rates on standard error."""
    ended = run("rescore", "--input", heard, "--model", bundle, "--normalise", "basic")
    names = [line.split("\t")[0] for line in ended.out.splitlines()]
    assert names == ["one", "two"]
    assert "word error rate: 25.00% for the first candidates" in ended.err


def test_a_server_ranks_as_well(run: Run, server: Any, bundle: Path, heard: Path) -> None:
    """The output is the same in process and through a server."""
    ask = ("rescore", "--input", heard, "--json", "--boost", "nothing of it=1")
    here = run(*ask, "--model", bundle)
    there = run(*ask, "--server", server.address)
    assert there.out == here.out


def test_mistakes_are_named(run: Run, bundle: Path, heard: Path, tmp_path: Path) -> None:
    """Wrong options and wrong lines have different exit codes and clear messages."""
    ask = ("rescore", "--model", bundle, "--input")
    unknown = run(*ask, heard, "--weight", "lm=1")
    assert (unknown.code, "--weight 'lm': unknown score" in unknown.err) == (2, True)
    assert run(*ask, heard, "--weight", "first").code == 2
    assert run(*ask, heard, "--lm-weight", "nan").code == 2
    assert run(*ask, tmp_path / "none.jsonl").code == 3
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps(HEARD[1]) + '\n{"candidates": ["a", {"text": "b", "am": 1}]}\n')
    ended = run(*ask, bad)
    assert ended.code == 3
    assert ended.out.startswith("two\t")
    assert f"{bad}:2" in ended.err
    assert "candidates[1]" in ended.err


def _dev_set(folder: Path) -> Path:
    """Write the first utterance 30 times."""
    path = folder / "dev.jsonl"
    path.write_text("".join(json.dumps({**HEARD[0], "utt": str(n)}) + "\n" for n in range(30)))
    return path


def test_tune_draws_the_error_rate_by_weight(run: Run, bundle: Path, tmp_path: Path) -> None:
    """`tune --plot` writes a picture; a name of another kind is refused before any work."""
    pytest.importorskip("matplotlib")
    path = _dev_set(tmp_path)
    picture = tmp_path / "tuning.svg"
    ask = ("tune", "--input", path, "--model", bundle, "--normalise", "basic", "--plot")
    assert f"wrote {picture}" in run(*ask, picture).err
    shown = picture.read_text("utf-8")
    assert "lm_weight" in shown
    assert "word error rate (%)" in shown
    refused = run(*ask, tmp_path / "tuning.pdf")
    assert (refused.code, ".png nor .svg" in refused.err) == (3, True)


def test_tuned_weights_are_taken_over(run: Run, bundle: Path, tmp_path: Path) -> None:
    """`tune --json` has its fixed shape, and `rescore --weights-file` reads it."""
    path = _dev_set(tmp_path)
    ended = run("tune", "--input", path, "--model", bundle, "--normalise", "basic", "--json")
    document = ended.document
    assert {
        *(
            "lm_weight",
            "word_insertion_bonus",
            "weights",
            "posterior_scale",
            "wer_first",
            "wer_acoustic",
        ),
        *("wer_tuned", "wer_oracle", "interval", "verdict"),
    } <= document.keys()
    assert (document["wer_first"], document["wer_oracle"]) == (0.25, 0.0)
    ask = ("tune", "--input", path, "--model", bundle, "--normalise", "basic")
    less = run(*ask, "--ignore", "first", "--json")
    assert less.document["weights"] == {"acoustic_log_prob": 1.0, "first": 0.0}
    tuned = tmp_path / "tuned.json"
    tuned.write_text(ended.out)
    ranked = run("rescore", "--input", path, "--model", bundle, "--weights-file", tuned, "--json")
    assert ranked.code == 0
    people = run(*ask)
    assert document["verdict"].split(":")[0] in people.out.replace("\n", " ")
    wrong = run("rescore", "--input", path, "--model", bundle, "--weights-file", path)
    assert (wrong.code, "wordgate tune --json" in wrong.err) == (3, True)
    untold = tmp_path / "untold.jsonl"
    untold.write_text(json.dumps(HEARD[1]))
    assert run("tune", "--input", untold, "--model", bundle).code == 3


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.jsonl.xz"])
def test_a_name_of_json_lines_implies_them(
    run: Run, bundle: Path, heard: Path, tmp_path: Path, name: str
) -> None:
    """Output to .jsonl or .jsonl.gz is JSON lines without --json."""
    ended = run("rescore", "--input", heard, "--model", bundle, "--output", tmp_path / name)
    assert ended.code == 0, ended.err
    documents = [json.loads(line) for _, line in read_lines(tmp_path / name)]
    assert [document["utt"] for document in documents] == ["one", "two"]


def test_other_names_and_options_decide_otherwise(
    run: Run, bundle: Path, heard: Path, tmp_path: Path
) -> None:
    """A .trn is in NIST's format, a .txt has tabs, and --output-format overrides the name."""
    ask = ("rescore", "--input", heard, "--model", bundle, "--output")
    for name, more, found in (
        ("out.trn", (), "(one)"),
        ("out.txt", (), "one\t"),
        ("out.jsonl", ("--output-format", "trn"), "(one)"),
    ):
        assert run(*ask, tmp_path / name, *more).code == 0
        assert found in (tmp_path / name).read_text()
        (tmp_path / name).unlink()


def test_other_formats_are_read_and_written(run: Run, bundle: Path, tmp_path: Path) -> None:
    """Reads a Kaldi folder with references; writes Kaldi's text, .trn and .ctm."""
    folder = tmp_path / "archives"
    folder.mkdir()
    (folder / "words_text").write_text("a-1 the sun\na-2 the son\nb-1 x\n")
    (folder / "ac_cost").write_text("a-1 10\na-2 90\nb-1 1\n")
    said = tmp_path / "said.trn"
    said.write_text("the son (a)\n")
    ask = ("rescore", "--model", bundle, "--format", "kaldi", "--input", folder)
    ended = run(*ask, "--output-format", "kaldi", "--references", said)
    assert (ended.out, ended.code) == ("a the sun\nb x\n", 0)
    assert "50.00% for the best" in ended.err
    assert run(*ask, "--output-format", "trn").out == "the sun (a)\nx (b)\n"
    assert "times" in run(*ask, "--output-format", "ctm").err
    timed = tmp_path / "timed.jsonl"
    candidate = {"text": "the sea-side", "times": [[0.5, 0.75], [0.75, 1.5]]}
    timed.write_text(json.dumps({"utt": "t", "candidates": [candidate]}))
    ended = run("rescore", "--model", bundle, "--input", timed, "--output-format", "ctm")
    assert ended.out == "t 1 0.500 0.250 the 1.0000\nt 1 0.750 0.750 sea-side 1.0000\n"
    assert run(*ask, "--beam", "2").code == 2
    assert run("rescore", "--model", bundle, "--format", "nemo", "--input", timed).code == 2


LATTICE = """VERSION=1.0
start=0 end=3
N=4 L=4
I=0 t=0.00 W=!SENT_START
I=1 t=0.10 W=the
I=2 t=0.50 W=sun(2)
I=3 t=1.00 W=!SENT_END
J=0 S=0 E=1 a=-1
J=1 S=1 E=2 a=-2
J=2 S=2 E=3 a=-3
J=3 S=1 E=3 a=-90
"""


def test_lattices_are_read_and_searched(run: Run, bundle: Path, tmp_path: Path) -> None:
    """A folder of lattices yields words and times of the best paths, and their error rate."""
    folder = tmp_path / "lattices"
    folder.mkdir()
    (folder / "a.slf").write_text(LATTICE)
    said = tmp_path / "said.txt"
    said.write_text("a the sun\n")
    ask = ("rescore", "--model", bundle, "--format", "slf", "--input", folder)
    assert "--score-at" in run(*ask).err
    ended = run(*ask, "--score-at", "start", "--output-format", "ctm", "--references", said)
    assert ended.code == 0, ended.err
    rows = [line.rpartition(" ")[0] for line in ended.out.splitlines()]
    assert rows == ["a 1 0.100 0.400 the", "a 1 0.500 0.500 sun"]
    assert ended.err.splitlines()[-1] == "word error rate: 0.00% for the best candidates"
    both = run(*ask, "--score-at", "start", "--max-transcripts", "2", "--json")
    [line] = [json.loads(line) for line in both.out.splitlines()]
    assert [found["text"] for found in line["ranking"]] == ["the sun", "the"]
    assert line["exact"]
    assert run("rescore", "--model", bundle, "--input", said, "--score-at", "end").code == 2
    assert "max-transcripts" in run("tune", "--format", "slf", "--input", folder).err
