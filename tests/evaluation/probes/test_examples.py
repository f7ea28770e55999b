"""Files of labelled words for a probe."""

from pathlib import Path

import pytest

from wordgate.errors import InvalidFile
from wordgate.evaluation.probes.examples import Example, read


def _file(folder: Path, header: str, rows: list[str]) -> Path:
    path = folder / "a.tsv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_file_has_texts_and_labels(tmp_path: Path) -> None:
    """Without further columns the last word counts, and each text is its own group."""
    path = _file(tmp_path, "text\tlabel", [f"text {n}\t{'ab'[n % 2]}" for n in range(12)])
    data = read(path)
    assert data.examples[1] == Example("text 1", -1, "b", "text 1", 3)
    assert (len(data.examples), data.trace, data.is_numeric) == (12, "text 0", False)
    assert (data.name, data.path) == ("a.tsv", path)


def test_words_groups_and_numbers(tmp_path: Path) -> None:
    """Words count from 1; a column value makes a regression."""
    rows = [f"a b\t{n / 2}\t{n % 2 + 1}\tg{n}" for n in range(10)]
    data = read(_file(tmp_path, "text\tvalue\tword\tgroup", rows))
    assert data.is_numeric
    assert data.examples[3] == Example("a b", 1, "1.5", "g3", 5)


@pytest.mark.parametrize(
    ("header", "row", "problem"),
    [
        ("text", "a", ":1: requires a header with text, and with label or value"),
        ("text\tlabel\tvalue", "a\tb\t1", ":1: requires a header"),
        ("text\tlabel", "a", ":2: requires a text and a label"),
        ("text\tlabel", " \tb", ":2: requires a text and a label"),
        ("text\tlabel\tword", "a\tb\t0", ":2: word: is '0'; number the words"),
        ("text\tlabel\tword", "a\tb\t²", ":2: word: is '²'"),
        ("text\tlabel\tword", f"a\tb\t{'1' * 5000}", ":2: word: is '111"),
        ("text\tvalue", "a\tmany", ":2: value: is 'many'; use a finite number"),
        ("text\tvalue", "a\tnan", ":2: value: is 'nan'"),
        ("text\tlabel", "a\tb", ": has one label"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, header: str, row: str, problem: str) -> None:
    """Wrong headers and rows are rejected with file and line."""
    with pytest.raises(InvalidFile) as refused:
        read(_file(tmp_path, header, [row]))
    assert f"a.tsv{problem}" in str(refused.value)


def test_too_little_and_too_much(tmp_path: Path) -> None:
    """An empty file, few groups, and many labels are rejected."""
    with pytest.raises(InvalidFile, match="is empty"):
        read(_file(tmp_path, "text\tlabel", []))
    with pytest.raises(InvalidFile, match="has 2 groups of texts"):
        read(_file(tmp_path, "text\tlabel", ["a\tx", "b\ty"]))
    with pytest.raises(InvalidFile, match="has 30 labels; the limit is 20"):
        read(_file(tmp_path, "text\tlabel", [f"{n}\t{n}" for n in range(30)]))
