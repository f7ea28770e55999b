"""BLiMP's files, labels and published figures."""

import json
import lzma
from pathlib import Path

import pytest

from wordgate.errors import InvalidFile
from wordgate.evaluation.minimal_pairs import Pair
from wordgate.evaluation.suites.blimp import published, read

RECORD = {
    "sentence_good": "Dogs bark.",
    "sentence_bad": "Dogs barks.",
    "field": "morphology",
    "linguistics_term": "subject_verb_agreement",
    "UID": "regular_plural_subject_verb_agreement_1",
}


def test_a_folder_of_one_file_per_paradigm_or_one_packed_file(tmp_path: Path) -> None:
    """The published layout, and all paradigms in one compressed file, give the same pairs."""
    other = RECORD | {"sentence_good": "a", "sentence_bad": "b", "UID": "x"}
    lines = [json.dumps(RECORD), json.dumps(other)]
    (tmp_path / "data").mkdir()
    for name, line in zip("ab", lines, strict=True):
        (tmp_path / "data" / f"{name}.jsonl").write_text(line + "\n")
    (tmp_path / "data" / "README.md").write_text("not pairs")
    (tmp_path / "one").mkdir()
    packed = tmp_path / "one" / "blimp.jsonl.xz"
    packed.write_bytes(lzma.compress("\n".join(lines).encode()))
    (tmp_path / "one" / "agreement.tsv").write_text("not BLiMP")
    assert len(read(tmp_path / "data")) == 2
    assert read(tmp_path / "data") == read(tmp_path / "one") == read(packed)


def test_labels_are_those_of_the_data_and_of_the_published_table(tmp_path: Path) -> None:
    """The published table counts the two paradigms of s-selection as argument structure."""
    file = tmp_path / "a.jsonl"
    record = RECORD | {"linguistics_term": "s-selection", "UID": "animate_subject_trans"}
    file.write_text(json.dumps(record))
    labels = {
        "phenomenon": "argument_structure",
        "term": "s-selection",
        "uid": "animate_subject_trans",
    }
    assert read(file) == [Pair("Dogs bark.", "Dogs barks.", labels)]


def test_published_figures_of_the_paper() -> None:
    """Table 3 of Warstadt et al. 2020: four systems, twelve phenomena, and weighted means."""
    figures = published()
    assert list(figures) == ["5-gram", "LSTM", "GPT-2", "human"]
    accuracies = [round(100 * each.accuracy, 1) for each in figures.values()]
    assert accuracies == [61.2, 69.8, 83.0, 88.6]
    assert figures["LSTM"].by_phenomenon["island_effects"] == pytest.approx(0.466)
    paradigms = [2, 9, 7, 5, 8, 2, 7, 2, 8, 7, 4, 6]  # in the order of the table
    for each in figures.values():
        found = list(each.by_phenomenon.values())
        mean = sum(n * value for n, value in zip(paradigms, found, strict=True)) / 67
        assert mean == pytest.approx(each.accuracy, abs=0.001)


@pytest.mark.parametrize("missing", ["linguistics_term", "UID"])
def test_a_record_of_another_kind_is_rejected(tmp_path: Path, missing: str) -> None:
    """Records without term or paradigm are rejected with file and line."""
    record = {key: value for key, value in RECORD.items() if key != missing}
    file = tmp_path / "a.jsonl"
    file.write_text(f"{json.dumps(RECORD)}\n{json.dumps(record)}\n")
    with pytest.raises(InvalidFile, match=f":2: {missing}: is missing"):
        read(file)


def test_a_folder_without_pairs_is_rejected(tmp_path: Path) -> None:
    """A folder without .jsonl files is rejected by name, as is an empty file in a folder."""
    with pytest.raises(InvalidFile, match=r"contains no \.jsonl file"):
        read(tmp_path)
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(InvalidFile, match=r"a\.jsonl: is empty"):
        read(tmp_path)
