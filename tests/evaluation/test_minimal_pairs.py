"""Minimal pairs of sentences."""

import json
import lzma
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from tests.evaluation.answers import GivenAnswers

from wordgate.engine.results import ScoreResult
from wordgate.errors import InvalidFile, InvalidInput
from wordgate.evaluation import minimal_pairs
from wordgate.evaluation.minimal_pairs import Pair, evaluate, read

BLIMP = {"sentence_good": "dogs bark", "sentence_bad": "dogs barks", "linguistics_term": "verbs"}
MODEL = GivenAnswers({"bark": -1.0, "barks": -2.0, "dogs": -1.0}, {})


class _Recorder(GivenAnswers):
    """Records the candidates of each request, and rejects the sentence `rejected`."""

    def __init__(self) -> None:
        super().__init__(MODEL.log_probs, {})
        self.requests: list[list[str]] = []

    def submit_score(
        self,
        history: str,
        candidates: Sequence[str],
        count_eos: bool = True,
        return_words: bool = False,
    ) -> "Future[ScoreResult]":
        """Record the request; fail with an error that names the rejected sentence."""
        self.requests.append(list(candidates))
        if "rejected" in candidates:
            failed: Future[ScoreResult] = Future()
            field = f"candidates[{candidates.index('rejected')}].text"
            failed.set_exception(InvalidInput(field, "has at least 9 tokens; send at most 8"))
            return failed
        return super().submit_score(history, candidates, count_eos, return_words)


def _pair(group: str, good: str, bad: str) -> Pair:
    return Pair(good, bad, {"group": group})


def test_pairs_are_read_from_json_lines_and_tables(tmp_path: Path) -> None:
    """BLiMP's fields, or context, good and bad; plain or compressed."""
    plain = tmp_path / "a.jsonl"
    plain.write_text(json.dumps(BLIMP) + "\n")
    assert read(plain) == [_pair("verbs", "dogs bark", "dogs barks")]
    packed = tmp_path / "a.jsonl.xz"
    packed.write_bytes(lzma.compress(plain.read_bytes()))
    assert read(packed) == read(plain)
    table = tmp_path / "b.tsv"
    table.write_text('group\tcontext\tgood\tbad\nx\t"the\tdogs\tdog\n')
    assert read(table) == [_pair("x", '"the dogs', '"the dog')]
    separated = tmp_path / "s.jsonl"
    record = json.dumps(BLIMP | {"note": "a\u2028b"}, ensure_ascii=False)
    separated.write_text(f"{record}\r\n\n")
    assert read(separated) == read(plain)
    odd = tmp_path / "o.tsv"
    long = "x" * 200_000
    odd.write_bytes(f"sentence_good\tsentence_bad\n\na\rb\t{long}\textra\n".encode())
    assert read(odd) == [_pair("all", "a\rb", long)]
    nameless = tmp_path / "c.tsv"
    nameless.write_text("sentence_good\tsentence_bad\na\tb\n")
    assert read(nameless) == [_pair("all", "a", "b")]


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


def test_accuracy_is_counted_by_label() -> None:
    """Accuracy and pairs per value of a label; a tie counts as wrong."""
    pairs = [
        _pair("verbs", "dogs bark", "dogs barks"),
        _pair("verbs", "dogs barks", "dogs bark"),
        _pair("ties", "bark", "bark"),
    ]
    found = evaluate(MODEL, pairs)
    assert found.by == {"group": {"ties": 0.0, "verbs": 0.5}}
    assert found.counts == {"group": {"ties": 1, "verbs": 2}}
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.pairs == 3
    assert evaluate(MODEL, []).accuracy == 0.0


def test_pairs_share_requests_in_alphabetical_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbours in the alphabet are scored together; requests are bounded in pairs and text."""
    model = _Recorder()
    pairs = [Pair(text, "x") for text in ("c", "a", "b")]
    assert evaluate(model, pairs).pairs == 3
    assert model.requests == [["a", "x", "b", "x", "c", "x"]]
    monkeypatch.setattr(minimal_pairs, "PAIRS_PER_REQUEST", 2)
    model.requests.clear()
    evaluate(model, pairs)
    assert [len(request) for request in model.requests] == [4, 2]
    model.requests.clear()
    evaluate(model, [Pair("a" * 90_000, "x"), Pair("b" * 90_000, "x")])
    assert [len(request) for request in model.requests] == [2, 2]


def test_a_rejected_sentence_is_named_by_its_line(tmp_path: Path) -> None:
    """An error about one sentence of a request names the file and the line of its pair."""
    file = tmp_path / "a.tsv"
    file.write_text("sentence_good\tsentence_bad\nz\ty\nb\trejected\na\tb\n")
    with pytest.raises(InvalidFile, match=r"a\.tsv:3: sentence has at least 9 tokens"):
        evaluate(_Recorder(), read(file))
