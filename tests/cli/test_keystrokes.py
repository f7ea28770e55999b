"""`wordgate evaluate --typing` as a program calls it."""

from pathlib import Path

from tests.cli.calling import Run


def test_a_file_is_typed_by_the_command(run: Run, bundle: Path, tmp_path: Path) -> None:
    """The shape that programs read; more suggestions never cost keys."""
    file = tmp_path / "chats.txt"
    file.write_text("the sun is in the sea\n\nI don't know!\n")
    ask = ("evaluate", "--typing", file, "--model", bundle)
    few = run(*ask, "--json").document
    many = run(*ask, "--max-suggestions", "30", "--json").document
    assert {"keystroke_savings", "keystroke_savings_case_insensitive", "recall", "words"} <= set(
        few
    )
    assert [len(few["recall"][rank]) for rank in ("top1", "top3")] == [4, 4]
    assert few["words"] == 9
    assert few["keystroke_savings"] <= few["keystroke_savings_case_insensitive"]
    assert few["keystroke_savings"] <= many["keystroke_savings"]
    assert "top1" in run(*ask).out
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    assert run("evaluate", "--typing", empty, "--model", bundle).code == 3
