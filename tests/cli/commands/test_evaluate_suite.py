"""`wordgate evaluate --suite`: JSON, table, chart, and what is rejected."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.cli.calling import Run

from wordgate.evaluation import minimal_pairs

RECORD = {"sentence_good": "the sea", "sentence_bad": "the sky"}


def _blimp(folder: Path) -> Path:
    """Write two paradigms in BLiMP's layout."""
    for uid, term in (("anaphor_gender_agreement", "anaphor_agreement"), ("wh_island", "islands")):
        record = RECORD | {"UID": uid, "linguistics_term": term}
        (folder / f"{uid}.jsonl").write_text(json.dumps(record) + "\n")
    return folder


def test_blimp_has_its_fixed_shape(run: Run, bundle: Path, tmp_path: Path) -> None:
    """Accuracy, by term and by paradigm, from a folder of files."""
    data = _blimp(tmp_path)
    ask = ("evaluate", "--suite", "blimp", "--data", data, "--model", bundle)
    found = run(*ask, "--json").document
    assert found["accuracy"] in (0.0, 1.0)
    assert found["by_term"] == dict.fromkeys(("anaphor_agreement", "islands"), found["accuracy"])
    assert found["by_uid"].keys() == {"anaphor_gender_agreement", "wh_island"}
    table = run(*ask).out
    for figure in ("91.7", "GPT-2", "human", "Warstadt et al. 2020"):
        assert figure in table


def test_agreement_is_a_table_by_construction(run: Run, bundle: Path, tmp_path: Path) -> None:
    """A row per construction, a column per number of misleading nouns."""
    file = tmp_path / "agreement.tsv"
    file.write_text(
        "type\tmisleading_nouns\tsentence_good\tsentence_bad\n"
        "prep\t0\tthe sea\tthe sky\nprep\t1\tthe sky\tthe sea\n"
    )
    shown = run("evaluate", "--suite", "agreement", "--data", tmp_path, "--model", bundle).out
    for part in ("prep", "0 misleading", "1 misleading", "50.0"):
        assert part in shown


def test_scores_do_not_depend_on_the_order_or_the_requests(
    run: Run, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pairs in one request, and each in its own, give the same result."""
    file = tmp_path / "pairs.tsv"
    texts = ["the sea", "the sky", "the sun is in the sea", "sea the", "is in the sky", "the the"]
    rows = [f"{a}\t{b}\t{a} {b}\n" for a in texts for b in texts if a < b]
    file.write_text("sentence_good\tsentence_bad\tgroup\n" + "".join(rows))
    ask = ("evaluate", "--suite", "pairs", "--data", file, "--model", bundle, "--json")
    together = run(*ask).document
    monkeypatch.setattr(minimal_pairs, "PAIRS_PER_REQUEST", 1)
    assert run(*ask).document == together
    assert together["pairs"] == len(together["by_group"]) == 15


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs the extra `plots`")
def test_a_chart_is_drawn(run: Run, bundle: Path, tmp_path: Path) -> None:
    """`--plot` writes the chart beside the table or the JSON."""
    chart = tmp_path / "blimp.svg"
    data = tmp_path / "data"
    data.mkdir()
    ask = ("evaluate", "--suite", "blimp", "--data", _blimp(data), "--model", bundle)
    assert run(*ask, "--plot", chart, "--json").document["pairs"] == 2
    assert "GPT-2" in chart.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["--suite", "glue", "--data", "FILE"], 2, "--suite: 'glue' is not one of"),
        (["--suite", "pairs"], 2, "--suite pairs: requires --data"),
        (["--data", "FILE", "--text", "FILE"], 2, "--data: requires --suite"),
        (["--plot", "a.png", "--text", "FILE"], 2, "--plot: requires --suite"),
        (["--suite", "pairs", "--data", "FILE", "--text", "FILE"], 2, "exactly one of these"),
        (["--suite", "pairs", "--data", "FILE", "--plot", "a.jpg"], 3, "a.jpg: is neither"),
        (["--suite", "pairs", "--data", "FILE"], 3, "FILE:2: requires sentence_good"),
        (["--suite", "pairs", "--data", "FOLDER"], 3, "FOLDER: is a folder; name a file"),
        (["--suite", "blimp", "--data", "FOLDER"], 3, "FOLDER: contains no .jsonl file"),
        (["--suite", "agreement", "--data", "FOLDER"], 3, "contains no agreement.tsv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_rejected_before_a_model_is_loaded(
    run: Run, tmp_path: Path, arguments: list[str], code: int, problem: str
) -> None:
    """Wrong names, missing options and bad files are named, with one line of error."""
    file, folder = tmp_path / "p.tsv", tmp_path / "folder"
    file.write_text("sentence_good\tsentence_bad\nonly one\n")
    folder.mkdir()
    places = {"FILE": str(file), "FOLDER": str(folder)}
    filled = [places.get(each, each) for each in arguments]
    ended = run("evaluate", *filled, "--model", tmp_path / "nowhere")
    assert (ended.code, ended.out) == (code, "")
    for name, place in places.items():
        problem = problem.replace(name, place)
    assert problem in " ".join(ended.err.split())
    assert "Traceback" not in ended.err
