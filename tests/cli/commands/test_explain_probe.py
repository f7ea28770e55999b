"""`wordgate explain --probe`: JSON, table, picture, and what is rejected."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.cli.calling import Run


def _file(folder: Path) -> Path:
    """Write 40 texts whose last word is one of two."""
    path = folder / "last.tsv"
    rows = [f"the sun {n}{'sea' if n % 2 else 'sky'}\t{'ab'[n % 2]}\n" for n in range(40)]
    path.write_text("text\tlabel\n" + "".join(rows))
    return path


def test_a_probe_of_a_file(run: Run, bundle: Path, tmp_path: Path) -> None:
    """The word itself is in the cells: the probe reads it. The table and the JSON agree."""
    ask = ("explain", "--probe", _file(tmp_path), "--model", bundle)
    found = run(*ask, "--json").document
    assert found["name"] == "last.tsv"
    assert found["examples"] == found["groups"] == 40
    assert found["baseline"] == 0.5
    assert 0 <= found["score"] <= 1
    assert found["selectivity"] == pytest.approx(found["score"] - found["control"])
    assert len(found["best_units"]) == 5
    assert found["trace"]["outputs"].keys() == {"a", "b"}
    shown = run(*ask).out
    assert f"{found['score']:.3f}" in shown
    assert "linear probe" in shown


def test_a_text_of_ones_own_is_traced(run: Run, bundle: Path, tmp_path: Path) -> None:
    """TEXT replaces the text over which the probe is drawn."""
    found = run(
        "explain", "the sea", "--probe", _file(tmp_path), "--model", bundle, "--json"
    ).document
    assert found["trace"]["words"] == ["the", "sea"]


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs the extra `plots`")
def test_a_trace_is_drawn(run: Run, bundle: Path, tmp_path: Path) -> None:
    """`--plot` draws the trace."""
    picture = tmp_path / "a.svg"
    ended = run("explain", "--probe", _file(tmp_path), "--plot", picture, "--model", bundle)
    assert ended.code == 0
    assert "cell state" in picture.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        ([], 2, "TEXT: is missing"),
        (["--probe", "numbr"], 2, "--probe: 'numbr' is neither number, gender, quote, position"),
        (["the sea", "--probe", "number"], 2, "TEXT: requires --plot or --json with --probe"),
        (["--probe", "number", "--top-k", "3"], 2, "--top-k: cannot be combined with --probe"),
        (["--probe", "number", "--no-eos"], 2, "--no-eos: cannot be combined with --probe"),
        (["--probe", "number", "--html", "a.html"], 2, "--html: cannot be combined with --probe"),
        (["--probe", "EMPTY"], 3, "empty.tsv: is empty"),
        (["--probe", "number", "--plot", "a.jpg"], 3, "a.jpg: is neither .png nor .svg"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_rejected_before_a_model_is_loaded(
    run: Run, tmp_path: Path, arguments: list[str], code: int, problem: str
) -> None:
    """Wrong names, other options and bad files are named."""
    empty = tmp_path / "empty.tsv"
    empty.write_text("")
    filled = [str(empty) if each == "EMPTY" else each for each in arguments]
    ended = run("explain", *filled, "--model", tmp_path / "nowhere")
    assert (ended.code, ended.out) == (code, "")
    assert problem in " ".join(ended.err.split())
