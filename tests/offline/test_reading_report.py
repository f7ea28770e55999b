"""Null labels, infinite scores and the reading report."""

import math

import pytest

from wordgate.offline.alternations import Alternation
from wordgate.offline.null_labels import RECOGNISERS, NullLabels
from wordgate.offline.reading_report import MIN_SCORE, Reading, rankable
from wordgate.scoring.hypothesis import Hypothesis, TimeSpan


@pytest.mark.parametrize(
    "label",
    [
        *("!NULL", "!ENTER", "!EXIT", "!SIL", "!SENT_START", "#0", "*DELETE*", "-pau-"),
        *("[noise]", "<unk>", "<s>", "<eps>", "++BREATH++"),
    ],
)
def test_marks_of_recognisers_are_null_labels(label: str) -> None:
    """Noise, silence and sentence boundaries are null labels."""
    assert NullLabels(RECOGNISERS).matches(label)


@pytest.mark.parametrize("word", ["uh-huh", "#1", "DELETED", "a[1]", "x<y", "!", "C++", "pau", ""])
def test_words_that_resemble_marks_are_not_null_labels(word: str) -> None:
    """Words that resemble a mark are not null labels."""
    assert not NullLabels(RECOGNISERS).matches(word)


def test_a_star_stands_for_any_characters() -> None:
    """`*` matches any characters, repeatedly; all other characters are literal."""
    labels = NullLabels(["%*", "a.c", "<*-*>"])
    assert [labels.matches(each) for each in ("%uh", "abc", "a.c", "<x-y>", "<x>")] == [
        *(True, False, True, True, False)
    ]
    assert not NullLabels().matches("")


def test_a_hypothesis_loses_its_null_labels_with_their_times() -> None:
    """Null labels are removed with their times; other hypotheses are unchanged."""
    reading = Reading.of_recogniser("uh")
    times = [TimeSpan(n, n + 1) for n in range(3)]
    heard = reading.heard(Hypothesis("[noise] the  sun", {"am": 1.0}, times))
    assert heard == Hypothesis("the sun", {"am": 1.0}, times[1:])
    verbatim = Hypothesis("the  sun ")
    assert reading.heard(verbatim) is verbatim
    assert reading.heard(Hypothesis("uh [noise]")).text == ""
    assert "removed null labels: [noise] (2), uh (1)" in list(reading.report())


def test_references_lose_their_null_labels() -> None:
    """Null labels in references are removed, since no candidate contains them."""
    reading = Reading.of_recogniser()
    assert reading.spoken_reference("[noise] the  sun") == "the sun"
    assert reading.spoken_reference("the  sun") == "the  sun"
    alternation = Alternation((("<unk> a", "b"), ("c",)))
    assert reading.spoken_reference(alternation) == Alternation((("a", "b"), ("c",)))


def test_minus_infinity_can_be_ranked() -> None:
    """Minus infinity becomes a finite number below all scores; others are unchanged."""
    assert rankable(-math.inf) == MIN_SCORE
    assert rankable(-1e5) == -1e5
    for wrong in (math.inf, math.nan):
        with pytest.raises(ValueError):
            rankable(wrong)


def test_the_account_says_what_was_read_and_what_was_not() -> None:
    """Counts, files and reasons; long lists of names are shortened."""
    reading = Reading()
    for number in range(2):
        reading.count(f"u{number}", 3, ["am"], False)
    for number in range(10):
        reading.skip(f"f{number}", "a folder")
    reading.use("words_text")
    reading.note_references({"x": "", "y": ""})
    assert list(reading.report()) == [
        "read 2 utterances, 6 candidates from words_text",
        "skipped f0, f1, f2, f3, f4, f5, f6, f7 and 2 more: a folder",
        "no utterance has a reference: the input has u0, u1 …; the references have x, y …",
    ]
