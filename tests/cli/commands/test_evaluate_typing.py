"""`wordgate evaluate --keystroke-savings` and `--typo-correction` with JSON output."""

from pathlib import Path

from tests.cli.calling import Run


def test_a_file_is_typed_by_the_command(run: Run, bundle: Path, tmp_path: Path) -> None:
    """The JSON has its fixed shape; more suggestions never cost keys."""
    file = tmp_path / "chats.txt"
    file.write_text("the sun is in the sea\n\nI don't know!\n")
    ask = ("evaluate", "--keystroke-savings", file, "--model", bundle)
    few = run(*ask, "--json").document
    many = run(*ask, "--max-suggestions", "30", "--json").document
    assert {"keystroke_savings", "keystroke_savings_case_insensitive", "recall", "words"} <= set(
        few
    )
    assert [len(few["recall"][rank]) for rank in ("top1", "top3")] == [4, 4]
    assert few["words"] == 9
    assert few["keystroke_savings"] <= few["keystroke_savings_case_insensitive"]
    assert few["keystroke_savings"] <= many["keystroke_savings"]
    assert "after 3 letters" in run(*ask).out
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    assert run("evaluate", "--keystroke-savings", empty, "--model", bundle).code == 3


def test_a_file_is_typed_as_a_person_types(run: Run, bundle: Path, tmp_path: Path) -> None:
    """Letter case, rejected suggestions and the continuous cache: each option reaches the model."""
    file = tmp_path / "chats.txt"
    file.write_text("london london sea london sea london sea\n")
    ask = ("evaluate", "--keystroke-savings", file, "--model", bundle, "--json")
    plain = run(*ask).document
    written = run(*ask, "--letter-case", "truecase").document
    assert written["keystroke_savings"] != plain["keystroke_savings"]
    again = run(*ask, "--show-rejected", "--max-suggestions", "1").document
    assert again["recall"]["top1"] <= run(*ask, "--max-suggestions", "1").document["recall"]["top1"]
    cached = run(*ask, "--continuous-cache", "0.9").document
    assert (
        cached["keystroke_savings_case_insensitive"] > plain["keystroke_savings_case_insensitive"]
    )
    for wrong in (("--letter-case", "as-typed"), ("--show-rejected",), ("--max-suggestions", "3")):
        ended = run("evaluate", "--text", file, "--model", bundle, *wrong)
        assert (ended.code, "requires --keystroke-savings" in ended.err) == (2, True)
    for wrong in (("--continuous-cache", "1"), ("--letter-case", "loud")):
        assert run(*ask, *wrong).code == 2


def test_slips_are_put_right_by_the_command(run: Run, bundle: Path, tmp_path: Path) -> None:
    """The JSON has its fixed shape: the number of words, and shares of them."""
    file = tmp_path / "chats.txt"
    file.write_text("the sun is in the sea\n")
    found = run("evaluate", "--typo-correction", file, "--model", bundle, "--json").document
    assert list(found) == ["words", "put_right", "offered_first_three", "spoilt"]
    assert found["words"] == 4
    assert 0 <= found["put_right"] <= found["offered_first_three"] <= 1
    assert 0 <= found["spoilt"] <= 1
    assert "typos fixed" in run("evaluate", "--typo-correction", file, "--model", bundle).out
    measures = ("--typo-correction", file, "--keystroke-savings", file)
    both = run("evaluate", *measures, "--model", bundle)
    assert (both.code, "--typo-correction" in both.err) == (2, True)
