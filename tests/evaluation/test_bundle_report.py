"""Quality figures of a bundle for its model card."""

import lzma
from contextlib import closing
from pathlib import Path

import pytest

from wordgate.engine.local_model import LocalModel
from wordgate.errors import InvalidFile
from wordgate.evaluation import perplexity
from wordgate.evaluation.bundle_report import check_files, measure_bundle
from wordgate.scoring.scoring import MAX_CANDIDATE_TOKENS


def test_a_bundle_is_measured_on_questions_texts_and_pairs(bundle: Path, tmp_path: Path) -> None:
    """Files of a folder are selected by suffix."""
    (tmp_path / "mails.txt").write_text("the sun is in the sea .\n")
    (tmp_path / "pairs.tsv").write_text("type\tcontext\tgood\tbad\nx\tthe\tsea\tsun\n")
    (tmp_path / "notes.md").write_text("# notes\n")
    found = measure_bundle(bundle, [tmp_path])
    assert found["questions"] == 50
    assert 0 <= found["questions.right"] <= 50
    assert found["questions.top1"] <= found["questions.top3"] <= 50
    assert 0 < found["distant_clues.french.100.with.probability"] < 1
    assert found["mails.word_perplexity"] > 1
    assert found["mails.no_punctuation.word_perplexity"] > 1
    assert found["pairs.accuracy"] in {0.0, 1.0}
    assert found["pairs.x"] == found["pairs.accuracy"]
    assert not any("notes" in name for name in found)


def test_packed_text_is_measured_under_its_own_name(bundle: Path, tmp_path: Path) -> None:
    """A .txt.xz is read as .txt."""
    file = tmp_path / "my.mails.txt.xz"
    file.write_bytes(lzma.compress(b"the sun is in the sea .\n"))
    check_files([file])
    assert measure_bundle(bundle, [file])["my.mails.word_perplexity"] > 1


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("none.txt", None, "does not exist"),
        ("mails.docx", b"x", "is not one of .txt, .tsv, .jsonl"),
        ("mails", b"x", "is not one of"),
        ("mails.txt", b"a\n\xff\n", ":2: is not UTF-8"),
        ("mails.txt", b"\n...\n", "is empty: no word"),
        ("pairs.tsv", b"", "is empty: no pair"),
        ("pairs.tsv", b"type\nx\n", ":2: requires sentence_good"),
    ],
)
def test_files_are_checked_before_a_bundle_is_made(
    tmp_path: Path, name: str, content: bytes | None, problem: str
) -> None:
    """Invalid files are rejected by name; none is skipped silently."""
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidFile, match=problem) as refused:
        check_files([file])
    assert refused.value.path == file


def test_no_figure_replaces_another(bundle: Path, tmp_path: Path) -> None:
    """Two texts of the same name are rejected; a text and pairs of the same name are not."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mails.txt").write_text("the sun\n")
    (tmp_path / "a" / "mails.tsv").write_text("type\tcontext\tgood\tbad\nx\tthe\tsea\tsun\n")
    check_files([tmp_path / "a"])
    found = measure_bundle(bundle, [tmp_path / "a"])
    assert found.keys() >= {"mails.word_perplexity", "mails.accuracy", "mails.x"}
    with pytest.raises(InvalidFile, match=r"b/mails\.txt: figures would .*a/mails\.txt"):
        check_files([tmp_path / "a", tmp_path / "b"])


def test_a_folder_with_nothing_to_measure_is_refused(tmp_path: Path) -> None:
    """A folder without suitable files is rejected."""
    (tmp_path / "notes.md").write_text("# notes\n")
    with pytest.raises(InvalidFile, match=r"contains no file in \.txt"):
        check_files([tmp_path])


def test_a_line_may_be_longer_than_any_candidate(bundle: Path, tmp_path: Path) -> None:
    """A long line is measured in segments, and all its words are counted."""
    file = tmp_path / "mails.txt"
    file.write_text("the sun\n\n" + "x " * (MAX_CANDIDATE_TOKENS + 1) + "\n")
    with closing(LocalModel.open(bundle)) as model:
        found = perplexity.evaluate_file(model, file, count_hits=False)
    assert found.words == 2 + MAX_CANDIDATE_TOKENS + 1
