"""Typo correction against counts worked out by hand."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from tests.evaluation.answers import NAME, GivenAnswers

from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import Kind, PredictionResult, Suggestion
from wordgate.errors import InvalidFile
from wordgate.evaluation.typo_correction import Corrections, measure_file
from wordgate.text.typo_model import typos_of

Corrector = Callable[[str, str], list[str]]


class _Correcting(GivenAnswers):
    """Returns predefined corrections by history and word."""

    def __init__(self, corrected: Corrector) -> None:
        super().__init__({}, {})
        self.queries: list[Query] = []
        self._corrected = corrected

    def submit_predict(self, query: Query) -> "Future[PredictionResult]":
        """Return the corrections of the last word."""
        self.queries.append(query)
        texts = self._corrected(query.history, query.prefix)
        found = [Suggestion(text, -1.0, Kind.CORRECTION) for text in texts]
        future: Future[PredictionResult] = Future()
        future.set_result(PredictionResult(found, query.prefix, True, 1, NAME))
        return future


def _measure(tmp_path: Path, corrected: Corrector, text: str, seed: int = 1) -> Corrections:
    file = tmp_path / "messages.txt"
    file.write_text(text)
    return measure_file(_Correcting(corrected), file, seed)


def test_a_perfect_corrector_fixes_all_typos(tmp_path: Path) -> None:
    """Words of three letters or more are counted, ignoring case; numbers are not."""

    def knowing(history: str, typed: str) -> list[str]:
        return [word for word in ("Sea", "don't") if typed in typos_of(word.lower())]

    found = _measure(tmp_path, knowing, "The sea, 1st of it\n\nI don't\n")
    assert found.words == 3
    assert (found.put_right, found.offered, found.changed, found.spoilt) == (2, 2, 2, 0)


def test_second_corrections_and_false_corrections_are_counted(tmp_path: Path) -> None:
    """The second correction counts as offered; a correction of a correct word as spoilt."""
    found = _measure(tmp_path, lambda history, typed: ["no", "SEA"], "sea\n")
    assert found == Corrections(words=1, put_right=0, offered=1, changed=1, spoilt=1)


def test_each_word_is_asked_about_after_the_message_as_it_was_meant(tmp_path: Path) -> None:
    """One typo per word, reproducible from the seed, then the correct word."""
    file = tmp_path / "messages.txt"
    file.write_text("the sea, London\n")
    asked = []
    for seed in (1, 1, 2):
        model = _Correcting(lambda history, typed: [])
        measure_file(model, file, seed)
        asked.append([(query.history, query.prefix) for query in model.queries])
        assert all(query.correct_last_word for query in model.queries)
    assert asked[0] == asked[1] != asked[2]
    wrong, right = asked[0][:3], asked[0][3:]
    assert [history for history, _ in wrong] == ["", "the ", "the sea, "]
    assert right == [("", "the"), ("the ", "sea"), ("the sea, ", "London")]
    for (_, typed), (_, word) in zip(wrong, right, strict=True):
        assert typed in typos_of(word.lower())


def test_a_file_without_messages_is_named(tmp_path: Path) -> None:
    """A file without messages is rejected."""
    with pytest.raises(InvalidFile):
        _measure(tmp_path, lambda history, typed: [], "\n\n")


def test_slips_are_made_in_words_of_other_scripts(tmp_path: Path) -> None:
    """Typos occur in words of three letters or more of any script with such words."""
    found = _measure(tmp_path, lambda history, typed: [], "Я не знаю Zoë's café. 我很好 ที่นี่\n")
    assert found.words == 3
