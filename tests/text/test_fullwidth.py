"""Fullwidth marks in Chinese and Japanese text."""

import pytest

from wordgate.text.fullwidth import as_marked


@pytest.mark.parametrize(
    ("text", "word", "written"),
    [
        ("你好", ",", "，"),
        ("你好", "吗", "吗"),
        ("今日は", "!", "！"),
        ("コーヒー", "?", "？"),
        ("他说“好”", ";", "；"),
        ("你好，", "(", "（"),
        ("（iphone", ")", "）"),
        ("(很好", ")", ")"),
        ("今天10", ":", ":"),
        ("hello", ",", ","),
        ("你好", ".", "."),
        ("你好,我", ",", ","),
        ("你好,我，我", ",", "，"),
        ("สวัสดี", ",", ","),
        ("", ",", ","),
    ],
)
def test_marks_are_fullwidth_behind_chinese_and_japanese(
    text: str, word: str, written: str
) -> None:
    """Marks are fullwidth unless the text uses plain ones.

    A closing bracket matches the opening one.
    """
    assert as_marked(text, word) == written
