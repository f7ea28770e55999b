"""Long files through `wordgate score` and `rescore`: resuming, compression, invalid lines."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.cli.calling import Run
from tests.running import until

BLANKS = " " * 2000
"""Returned with the candidate, so that 300 of them fill two blocks of output; not scored."""

LINES = [json.dumps({"candidates": [f"the sea{BLANKS}", f"the sky {n}"]}) for n in range(300)]


def test_a_killed_run_goes_on_to_the_same_file(run: Run, bundle: Path, tmp_path: Path) -> None:
    """A run that was killed and resumed gives the same file as an uninterrupted run."""
    source, whole, out = tmp_path / "in.jsonl", tmp_path / "whole.jsonl", tmp_path / "out.jsonl.gz"
    ask = ("score", "--input", source, "--model", bundle, "--output")
    os.mkfifo(source)
    command = [sys.executable, "-m", "wordgate.cli.main", *(str(each) for each in (*ask, out))]
    journal = out.with_name("out.jsonl.gz.progress")
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running, source.open("w") as pipe:
        pipe.write("\n".join(LINES[:-1]) + "\n")
        pipe.flush()
        until(lambda: running.poll() is not None or journal.exists(), "the first block")
        running.kill()
    done = json.loads(journal.read_text())["records"]
    assert 0 < done < len(LINES)
    source.unlink()
    source.write_text("\n".join(LINES))
    other = run(*ask, out, "--no-eos")
    assert (other.code, "no_eos False, not True" in other.err) == (3, True)
    ended = run(*ask, out)
    assert ended.code == 0, ended.err
    assert f"resuming after record {done:,}" in ended.err
    assert run(*ask, whole).code == 0
    assert gzip.decompress(out.read_bytes()).decode() == whole.read_text()
    texts = [json.loads(line)["candidates"][1]["text"] for line in whole.read_text().splitlines()]
    assert texts == [f"the sky {n}" for n in range(300)]
    again = run(*ask, out)
    assert (again.code, "already exists" in again.err) == (3, True)


def test_a_bad_line_keeps_what_stands_before_it(run: Run, bundle: Path, tmp_path: Path) -> None:
    """An invalid line ends the run; after fixing it, the same command resumes."""
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"candidates": ["a"]}\n{"candidates": ["b"]}\n[]\n{"candidates": ["c"]}\n')
    ask = ("score", "--input", source, "--model", bundle, "--output", out)
    ended = run(*ask)
    assert (ended.code, f"{source}:3: line" in ended.err) == (3, True)
    assert "2 records kept" in ended.err
    assert not out.exists()
    source.write_text(source.read_text().replace("[]", '{"candidates": ["mended"]}'))
    assert run(*ask).code == 0
    found = [json.loads(line)["candidates"][0]["text"] for line in out.read_text().splitlines()]
    assert found == ["a", "b", "mended", "c"]


def test_bad_lines_are_marked_where_the_run_keeps_going(
    run: Run, bundle: Path, tmp_path: Path
) -> None:
    """With --skip-invalid an error record replaces the result of an invalid line."""
    source = tmp_path / "in.jsonl"
    good = json.dumps({"candidates": [{"text": "the sea", "acoustic_log_prob": -1.0}]}).encode()
    long = json.dumps({"candidates": [{"text": "a " * 5000, "acoustic_log_prob": 0}]}).encode()
    source.write_bytes(b"\n".join([good, b"\xff", b"{", long, good]))
    for command in ("score", "rescore"):
        ended = run(command, "--input", source, "--model", bundle, "--json", "--skip-invalid")
        assert (ended.code, "skipped 3 records" in ended.err) == (3, True)
        lines = [json.loads(line) for line in ended.out.splitlines()]
        assert [line.get("line") for line in lines] == [None, 2, 3, 4, None]
        problems = [line["error"] for line in lines[1:4]]
        assert problems[0].startswith("is not UTF-8")
        assert problems[1].startswith("is not JSON")
        assert "4096" in problems[2]
    people = run("rescore", "--input", source, "--model", bundle, "--skip-invalid")
    assert len(people.out.splitlines()) == 2
    assert f"{source}:2: is not UTF-8" in people.err
    assert run("score", "--model", bundle, "--skip-invalid", "--", "a").code == 2


def test_error_rates_are_of_all_runs(run: Run, bundle: Path, tmp_path: Path) -> None:
    """A resumed run includes the errors of earlier utterances."""
    source, out = tmp_path / "in.jsonl", tmp_path / "out.trn"
    right = {"utt": "a", "reference": "the sea", "candidates": ["the sea"]}
    wrong = {"utt": "b", "reference": "the sky", "candidates": ["sea sea"]}
    source.write_text(json.dumps(wrong) + "\nnonsense\n")
    ask = ("rescore", "--input", source, "--model", bundle, "--output", out)
    assert run(*ask, "--output-format", "trn").code == 3
    source.write_text(json.dumps(wrong) + "\n" + json.dumps(right) + "\n")
    ended = run(*ask, "--output-format", "trn")
    assert "50.00% for the best" in ended.err
    assert out.read_text() == "sea sea (b)\nthe sea (a)\n"
    assert ended.out == ""


def test_each_line_of_plain_text_is_a_candidate(run: Run, bundle: Path, tmp_path: Path) -> None:
    """Empty lines are candidates too, so results and lines correspond."""
    source = tmp_path / "in.txt.gz"
    source.write_bytes(gzip.compress(b"the sea\n\nthe sky\n"))
    ended = run("score", "--input", source, "--model", bundle)
    found = [json.loads(line)["candidates"] for line in ended.out.splitlines()]
    assert [[c["text"] for c in candidates] for candidates in found] == [
        ["the sea"],
        [""],
        ["the sky"],
    ]


def test_a_transcript_that_cannot_be_written_is_passed_over(
    run: Run, bundle: Path, tmp_path: Path
) -> None:
    """A transcript without times is an error in a .ctm; the others are written."""
    source = tmp_path / "in.jsonl"
    timed = {"utt": "a", "candidates": [{"text": "sea", "times": [[0, 1]]}]}
    lines = [timed, {"utt": "b", "candidates": ["sea"]}, {**timed, "utt": "c"}]
    source.write_text("".join(json.dumps(each) + "\n" for each in lines))
    ask = ("rescore", "--input", source, "--model", bundle, "--output-format", "ctm")
    ended = run(*ask, "--skip-invalid")
    assert [line.split()[0] for line in ended.out.splitlines()] == ["a", "c"]
    assert (ended.code, f"{source}:2" in ended.err) == (3, True)


def test_an_input_that_lost_lines_is_refused(run: Run, bundle: Path, tmp_path: Path) -> None:
    """A resumed run rejects an input with fewer lines than were answered."""
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"candidates": ["a"]}\n' * 3 + "[]\n")
    ask = ("score", "--input", source, "--model", bundle, "--output", out)
    assert run(*ask).code == 3
    source.write_text('{"candidates": ["a"]}\n')
    ended = run(*ask)
    assert (ended.code, "1 record, but an earlier run finished 3" in ended.err) == (3, True)
    assert not out.exists()
