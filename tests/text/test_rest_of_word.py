"""The rest of a word after the cursor."""

import pytest

from wordgate.text.edit_buffer import TextBuffer
from wordgate.text.rest_of_word import rest_of_word


@pytest.mark.parametrize(
    ("text", "typed", "rest"),
    [
        ("see you tomo|row night", 4, "row"),
        ("tomo|", 4, ""),
        ("tomo| row", 4, ""),
        ("see |you", 0, ""),
        ("don|'t go", 3, "'t"),
        ("well|-known", 4, ""),
        ("anna|, come", 4, ""),
        ("caf|e\u0301s and", 3, "e\u0301s"),
        ("ﬁ|sh.", 1, "sh"),
        ("lo|ndon\nbridge", 2, "ndon"),
        ("a|😀", 1, ""),
        ("コン|ピュータを", 2, "ピュータ"),
    ],
)
def test_the_rest_ends_where_the_word_does(text: str, typed: int, rest: str) -> None:
    """The rest follows the definition of a word. Between two words there is none."""
    before, after = text.split("|")
    edited = TextBuffer().set(before + after).move(len(before))
    assert after[: rest_of_word(edited, typed)] == rest
