"""Agreement pairs by construction and by number of misleading nouns."""

from pathlib import Path

import pytest

from wordgate.errors import InvalidFile
from wordgate.evaluation.suites.agreement import read

HEADER = "type\tnoun_between\tother_noun_number\tsentence_good\tsentence_bad\n"


def _nouns(file: Path) -> list[str]:
    return [pair.labels["misleading_nouns"] for pair in read(file)]


def test_a_misleading_noun_stands_between_and_differs(tmp_path: Path) -> None:
    """A noun of the other number between subject and verb counts; others do not."""
    file = tmp_path / "agreement.tsv"
    cases = ["0\t-", "1\tsame", "1\tdiffers", "0\tdiffers", "2\tdiffers"]
    file.write_text(HEADER + "".join(f"prep\t{case}\tgood\tbad\n" for case in cases))
    assert _nouns(file) == ["0", "0", "1", "0", "2"]
    assert read(tmp_path) == read(file)
    assert read(file)[2].labels == {
        "type": "prep",
        "misleading_nouns": "1",
        "type_and_misleading_nouns": "prep 1",
    }


def test_the_number_may_be_given(tmp_path: Path) -> None:
    """A column with the number replaces the two columns, also as a number in JSON."""
    table = tmp_path / "a.tsv"
    table.write_text("type\tmisleading_nouns\tsentence_good\tsentence_bad\nx\t3\ta\tb\n")
    assert _nouns(table) == ["3"]
    lines = tmp_path / "a.jsonl"
    lines.write_text(
        '{"type": "x", "misleading_nouns": 0, "sentence_good": "a", "sentence_bad": "b"}'
    )
    assert _nouns(lines) == ["0"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("\t0\t-\ta\tb", "type: is missing"),
        ("x\t\t-\ta\tb", "noun_between: is ''"),
        ("x\t-1\t-\ta\tb", "noun_between: is '-1'"),
        ("x\t²\t-\ta\tb", "noun_between: is '²'"),
        (f"x\t{'9' * 5000}\t-\ta\tb", "noun_between: is '999"),
        ("x\t1\tother\ta\tb", "other_noun_number: is 'other'"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, problem: str) -> None:
    """Missing or wrong columns are rejected with file, line and column."""
    file = tmp_path / "a.tsv"
    file.write_text(f"{HEADER}x\t0\t-\ta\tb\n{row}\n")
    with pytest.raises(InvalidFile) as refused:
        read(file)
    assert (refused.value.line, refused.value.path) == (3, file)
    assert problem in str(refused.value)


def test_a_folder_without_the_file_is_rejected(tmp_path: Path) -> None:
    """A folder must contain agreement.tsv."""
    with pytest.raises(InvalidFile, match=r"contains no agreement\.tsv"):
        read(tmp_path)
