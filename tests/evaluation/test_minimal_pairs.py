"""Minimal pairs of sentences."""

import json
import lzma
from pathlib import Path

import pytest
from tests.evaluation.answers import GivenAnswers

from wordgate.errors import InvalidFile
from wordgate.evaluation.minimal_pairs import Pair, evaluate, read

BLIMP = {"sentence_good": "dogs bark", "sentence_bad": "dogs barks", "linguistics_term": "verbs"}
MODEL = GivenAnswers({"bark": -1.0, "barks": -2.0, "dogs": -1.0}, {})


def test_pairs_are_read_from_json_lines_and_tables(tmp_path: Path) -> None:
    """BLiMP's fields, or context, good and bad; plain or compressed."""
    plain = tmp_path / "a.jsonl"
    plain.write_text(json.dumps(BLIMP) + "\n")
    assert read(plain) == [Pair("verbs", "dogs bark", "dogs barks")]
    packed = tmp_path / "a.jsonl.xz"
    packed.write_bytes(lzma.compress(plain.read_bytes()))
    assert read(packed) == read(plain)
    table = tmp_path / "b.tsv"
    table.write_text('type\tcontext\tgood\tbad\nx\t"the\tdogs\tdog\n')
    assert read(table) == [Pair("x", '"the dogs', '"the dog')]
    separated = tmp_path / "s.jsonl"
    record = json.dumps(BLIMP | {"note": "a\u2028b"}, ensure_ascii=False)
    separated.write_text(f"{record}\r\n\n")
    assert read(separated) == read(plain)
    odd = tmp_path / "o.tsv"
    long = "x" * 200_000
    odd.write_bytes(f"sentence_good\tsentence_bad\n\na\rb\t{long}\textra\n".encode())
    assert read(odd) == [Pair("all", "a\rb", long)]
    nameless = tmp_path / "c.tsv"
    nameless.write_text("sentence_good\tsentence_bad\na\tb\n")
    assert read(nameless) == [Pair("all", "a", "b")]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", b'{"sentence_good": "a", "sentence_bad": "b"}\n{', 2),
        ("b.jsonl", b'{"good": "a"}\n', 1),
        ("c.jsonl", b"[1]\n", 1),
        ("d.jsonl", b"3\n", 1),
        ("e.jsonl", b'{"sentence_good": "a", "sentence_bad": 3}\n', 1),
        ("f.jsonl", b'{"sentence_good": ' + b"1" * 5000 + b"}\n", 1),
        ("g.jsonl", b"\n", None),
        ("a.tsv", b"type\tgood\nx\ty\n", 2),
        ("e.tsv", b"context\tgood\tbad\n", None),
        ("f.tsv", b"", None),
        ("b.tsv", b"context\tgood\tbad\nx\ty\n", 2),
        ("c.jsonl.xz", b"not packed", 1),
        ("d.tsv", b"\xff", 1),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, name: str, content: bytes, line: int | None
) -> None:
    """A broken line, a missing column, a non-UTF-8 file and an empty file are rejected."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidFile) as refused:
        evaluate(MODEL, read(tmp_path / name))
    assert (refused.value.path, refused.value.line) == (tmp_path / name, line)


def test_accuracy_is_counted_by_group() -> None:
    """Accuracy per group; a tie counts as wrong."""
    pairs = [
        Pair("verbs", "dogs bark", "dogs barks"),
        Pair("verbs", "dogs barks", "dogs bark"),
        Pair("ties", "bark", "bark"),
    ]
    found = evaluate(MODEL, pairs)
    assert found.groups == {"ties": 0.0, "verbs": 0.5}
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.pairs == 3
    assert evaluate(MODEL, []).accuracy == 0.0
