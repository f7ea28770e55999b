"""The noisy-channel model of OCR errors, checked by hand."""

import math

import pytest

from print_confusions import (
    ALIKE_COST,
    CASE_COST,
    CHOICE_COST,
    CHOICE_SLOPE,
    LOST_I_COST,
    MARK_COST,
    OTHER_COST,
    STRAY_MARK_COST,
    THIN_LOST_COST,
    UNUSUAL_CASE_COST,
    ReadWord,
    Vocabulary,
    candidates,
    edit_cost,
    is_known,
    is_left_alone,
)
from wordgate.bundle.bundled_model import bundled_model_path

VOCABULARY = Vocabulary(
    {
        **{
            word: [] for word in ("a", "and", "corn", "com", "for", "have", "modern", "the", "with")
        },
        "i": ["I"],
        "london": ["London"],
    }
)


@pytest.mark.parametrize(
    ("written", "read", "cost"),
    [
        ("modern", "modern", 0.0),
        ("modern", "modem", ALIKE_COST),
        ("modem", "modern", ALIKE_COST),
        ("will", "wiil", ALIKE_COST),
        ("will", "wil", THIN_LOST_COST),
        ("soon", "son", THIN_LOST_COST),
        ("zone", "one", OTHER_COST),
        ("one", "zone", OTHER_COST),
        ("the", "xhe", OTHER_COST),
        ("of", "Of", CASE_COST),
        ("for the", "forthe", THIN_LOST_COST),
        ("I have", "Thave", ALIKE_COST),
        ("clear", "dear", ALIKE_COST),
        ("learning", "leaming", ALIKE_COST),
        ("modern will", "modem wiil", 2 * ALIKE_COST),
        ("", "", 0.0),
    ],
)
def test_an_edit_costs_what_the_table_says(written: str, read: str, cost: float) -> None:
    """One edit may replace several characters; several edits add up."""
    assert edit_cost(written, read) == pytest.approx(cost)


def test_what_the_recogniser_thought_of_is_cheap() -> None:
    """The cost of an alternative grows with its distance in confidence from the winner."""
    choices = [{"w": 90.0, "x": 80.0}, {"a": 95.0, "i": 70.0}, {"t": 99.0}, {"h": 99.0}]
    assert edit_cost("with", "wath") == OTHER_COST
    assert edit_cost("with", "wath", choices) == pytest.approx(CHOICE_COST + CHOICE_SLOPE * 0.25)
    assert edit_cost("xath", "wath", choices) == pytest.approx(CHOICE_COST + CHOICE_SLOPE * 0.10)


def test_doubt_is_the_confidence_that_is_missing() -> None:
    """With 60 % confidence a word costs -ln 0.6 unchanged; edits cost -ln 0.4 extra."""
    found = candidates(ReadWord("modem", 60), VOCABULARY)
    assert found["modem"] == pytest.approx(-math.log(0.6))
    assert found["modern"] == pytest.approx(ALIKE_COST - math.log(0.4))
    assert found["Modern"] == pytest.approx(found["modern"] + CASE_COST + UNUSUAL_CASE_COST)


def test_a_sure_and_known_word_keeps_its_letters() -> None:
    """Above the threshold, a known word keeps its letters and marks."""
    assert set(candidates(ReadWord("corn", 96), VOCABULARY, last=True)) == {"corn"}
    assert set(candidates(ReadWord("corn,", 96), VOCABULARY)) == {"corn,"}
    assert set(candidates(ReadWord("‘corn’", 96), VOCABULARY)) == {"‘corn’"}
    assert "with" in candidates(ReadWord("wlth", 96), VOCABULARY)
    assert "com" in candidates(ReadWord("corn", 94), VOCABULARY)
    assert "com" in candidates(ReadWord("corn", 96), VOCABULARY, doubt=97.0)


def test_marks_at_the_edges_come_and_go() -> None:
    """Spurious quotes may be removed, quotes are straightened, and full stops may be missing."""
    found = candidates(ReadWord("‘the", 70), VOCABULARY, last=True)
    kept = -math.log(0.7)
    assert found["'the"] == pytest.approx(kept)
    assert found["the"] == pytest.approx(kept + STRAY_MARK_COST)
    assert found["the."] == pytest.approx(kept + STRAY_MARK_COST + MARK_COST)
    assert "the." not in candidates(ReadWord("‘the", 70), VOCABULARY)


def test_a_mark_changes_only_where_another_character_was_thought_of() -> None:
    """The recogniser's alternatives for a mark decide if it may change."""
    letters = [{letter: 99.0} for letter in "corn"]
    sure = ReadWord("corn,", 60, [*letters, {",": 95.0, "'": 10.0}])
    torn = ReadWord("corn,", 96, [*letters, {",": 80.0, ".": 60.0}])
    assert not any(text.endswith((".", "n")) for text in candidates(sure, VOCABULARY))
    assert set(candidates(torn, VOCABULARY)) > {"corn,", "corn.", "corn"}


@pytest.mark.parametrize(
    "text",
    [
        "1997",
        "$450.75",
        "12-15,",
        "0-14-028329-X).",
        "v1.29,",
        "4b",
        "7th",
        "info@example.com",
        "https://www.example.org/",
        "docs/3.8.1/index.html,",
        "e.g.",
        "(i.e.",
        "p.m.",
        "U.S.",
        "Dr.",
        "Mrs.",
        "vol.",
        "J.",
    ],
)
def test_numbers_addresses_and_abbreviations_are_left_alone(text: str) -> None:
    """Numbers, addresses and abbreviations are never corrected."""
    assert is_left_alone(ReadWord(text, 96))


def test_a_hyphen_divides_a_word_only_at_the_end_of_a_line() -> None:
    """A hyphen at the end of a line divides a word; elsewhere it is an ordinary mark."""
    assert is_left_alone(ReadWord("modem-", 60), line_end=True)
    assert not is_left_alone(ReadWord("modem-", 60))
    assert not is_left_alone(ReadWord("-", 60), line_end=True)


@pytest.mark.parametrize("word", [ReadWord("modem", 96), ReadWord("1", 60), ReadWord("wi1l", 60)])
def test_other_words_are_not(word: ReadWord) -> None:
    """A doubtful bar read as a digit, or a digit among letters, may be corrected."""
    assert not is_left_alone(word)


def test_words_that_clung_together_are_parted() -> None:
    """Splits: two known words, an "I" read as a thin glyph, an "I" missed at the page edge."""
    doubt = -math.log(0.5)
    assert candidates(ReadWord("forthe", 50), VOCABULARY)["for the"] == THIN_LOST_COST + doubt
    assert candidates(ReadWord("Thave", 50), VOCABULARY)["I have"] == ALIKE_COST + doubt
    assert candidates(ReadWord("have", 50), VOCABULARY, first=True)["I have"] == LOST_I_COST + doubt
    assert "I have" not in candidates(ReadWord("have", 50), VOCABULARY)


def test_a_mark_alone_may_be_a_word_or_nothing() -> None:
    """A bar may be an "I"; a quote between words may be a speck."""
    assert candidates(ReadWord("|", 50), VOCABULARY)["I"] == ALIKE_COST - math.log(0.5)
    assert candidates(ReadWord("‘", 50), VOCABULARY)[""] == STRAY_MARK_COST - math.log(0.5)


def test_names_are_written_as_the_vocabulary_writes_them() -> None:
    """The usual written form is free; unusual forms have a cost."""
    assert dict(VOCABULARY.forms("london", "Iondon", first=False)) == {
        "London": 0.0,
        "london": UNUSUAL_CASE_COST,
    }
    assert dict(VOCABULARY.forms("corn", "corm", first=True)) == {
        "corn": UNUSUAL_CASE_COST,
        "Corn": 0.0,
    }


def test_a_shortlist_has_the_cheapest_known_words_and_a_third_as_many_others() -> None:
    """The shortlist always includes the text as read."""
    choices = [dict.fromkeys("corncdefgh", 50.0)] * 4
    found = candidates(ReadWord("corn", 20, choices), VOCABULARY, most=3)
    known = [text for text in found if is_known(text, VOCABULARY)]
    assert len(known) <= 3 and len(found) - len(known) == 1
    assert "corn" in known


def test_the_shipped_vocabulary_has_plain_words_and_names() -> None:
    """It has tokens that are words and words with written forms; single letters only a and I."""
    vocabulary = Vocabulary.of_bundle(bundled_model_path())
    assert all(word in vocabulary for word in ("morning", "London", "I", "a", "don't"))
    assert "q" not in vocabulary and "," not in vocabulary
    assert "morning" in vocabulary.near("moming")
    assert ("London", 0.0) in vocabulary.forms("london", "london", first=False)
