"""Utterances of all formats."""

from pathlib import Path

import pytest

from wordgate.errors import InvalidFile
from wordgate.offline.reading_report import Reading
from wordgate.offline.utterances import Utterance, referenced
from wordgate.scoring.hypothesis import Hypothesis

FILE = Path("nbest.txt")


@pytest.mark.parametrize(
    ("name", "reference", "problem"),
    [
        ("\udcff.wav", None, "nbest.txt:3: name of the utterance: has a lone surrogate"),
        ("a-1", "\ud800", "nbest.txt:3: reference: has a lone surrogate"),
    ],
)
def test_names_that_cannot_be_written_are_rejected(
    name: str, reference: str | None, problem: str
) -> None:
    """A file name that is not UTF-8, or an escape in JSON, is an error of its line."""
    read = Utterance(name, [Hypothesis("a")], FILE, 3, reference=reference)
    reading = Reading()
    [found] = referenced([read], reading, None)
    assert isinstance(found, InvalidFile)
    assert str(found).startswith(problem)
    assert reading.refused == 1
