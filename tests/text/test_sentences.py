"""Sentence boundary detection."""

import pytest

from wordgate.text.sentences import begins_sentence, is_abbreviated


@pytest.mark.parametrize(
    "before",
    [
        *(
            "",
            " \n",
            "Yes. ",
            "Yes.  ",
            "yes! ",
            "(Really?) ",
            'He said "yes!" ',
            "He said “yes.” ",
        ),
        *("\ufeff", "\u200f\u202b", "Yes. \u200e", "Yes.\u200f ", "\u200b"),
        *('He left. "', "He left. (", "Well… ", "well... ", "So did I. ", "It was 1990. ", "3. "),
        *(
            "你好。",
            "你好！",
            "你好？",
            "「はい。」",
            "See example.com. ",
            "Это я. ",
            "He said no. ",
        ),
        *(
            "Dear Anna,\n",
            "Dear Anna,\r\n\r\n",
            "the\u2028",
            "the\n  ",
            '"',
            "the 3rd. ",
            "¿",
            "(",
            "the sea .",
        ),
    ],
)
def test_a_sentence_or_a_line_begins(before: str) -> None:
    """Sentences begin at the start, on a new line, and after a final mark with white space."""
    assert begins_sentence(before)


@pytest.mark.parametrize(
    "before",
    [
        *(
            "yes,",
            "yes, ",
            "the",
            "the ",
            "the \u200e",
            "Yes.\u200f",
            "\ufeffthe ",
            "Yes.",
            'He said "yes."',
            "anna@gmail.",
            "file.",
            "www.",
        ),
        *(
            "e.g. ",
            "i.e. ",
            "etc. ",
            "at 9 p.m. ",
            "Dr. ",
            "No. ",
            "the U.S. ",
            "J. ",
            "vs. ",
            "3.",
        ),
        *(
            "(e.g. ",
            "Mr. ",
            "St. ",
            "Ph.D. ",
            "z.B. ",
            "т.е. ",
            "what?",
            "wait…",
            "你好，",
            "or (",
        ),
    ],
)
def test_no_sentence_begins(before: str) -> None:
    """No sentence begins after an abbreviation, an initial, or a full stop inside a word."""
    assert not begins_sentence(before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("etc.", True), ("Netc.", False), ("No.", True), ("no.", False), ("3.", False), ("I.", False)],
)
def test_abbreviations(text: str, expected: bool) -> None:
    """The word before the full stop is an abbreviation or an initial; some only if capitalised."""
    assert is_abbreviated(text) is expected


def test_a_long_text_takes_no_longer() -> None:
    """Only the end of a text is examined, however many brackets and spaces it ends with."""
    assert begins_sentence("the. " + "( " * 50_000)
    assert begins_sentence("The end." + " " * 50_000)
