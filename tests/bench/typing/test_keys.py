"""Simulated typists."""

import statistics
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from wordgate.bench.typing.keys import Action, Key, gaps_of, keys_of, typed_messages
from wordgate.errors import InvalidFile


def test_typed_texts_are_the_messages() -> None:
    """Typos are corrected: after its number, each text becomes exactly a message."""
    messages = ["see you", "on my way"]
    found: list[str] = []
    for key in islice(keys_of(messages, 7, Random(3)), 3000):
        match key.action:
            case Action.BEGIN:
                found.append(key.text)
            case Action.INSERT:
                found[-1] += key.text
            case Action.BACKSPACE:
                found[-1] = found[-1][:-1]
    assert len(found) > 200
    whole = [f"7 {number} {{}}" for number in range(1, len(found))]
    for text, begun in zip(found, whole, strict=False):
        assert text in {begun.format(message) for message in messages}


def test_the_same_seed_types_the_same_keys() -> None:
    """Keys and gaps depend on the seed only; typos are rare."""
    first, second = (list(islice(keys_of(["see you"], 1, Random(5)), 500)) for _ in range(2))
    assert first == second
    assert 0 < first.count(Key(Action.BACKSPACE)) < 50
    gaps = list(islice(gaps_of(0.2, Random(5)), 999))
    assert gaps == list(islice(gaps_of(0.2, Random(5)), 999))
    assert statistics.median(gaps) == pytest.approx(0.2, rel=0.1)


def test_messages_are_the_lines_of_a_file(tmp_path: Path) -> None:
    """Empty lines are skipped; without a file the fifty bundled messages are returned."""
    path = tmp_path / "messages.txt"
    path.write_text("see you\n\non my way\n", "utf-8")
    assert typed_messages(path) == ["see you", "on my way"]
    path.write_text("\n \n", "utf-8")
    with pytest.raises(InvalidFile, match="no message"):
        typed_messages(path)
    assert len(typed_messages(None)) == 50
