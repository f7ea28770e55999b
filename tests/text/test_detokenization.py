"""Detokenization: spaces between words."""

import pytest
from hypothesis import given
from tests.vocabularies import texts

from wordgate.text import words
from wordgate.text.cooperative_steps import finish
from wordgate.text.detokenization import goes_on, spacing
from wordgate.text.normalization import normalise


def _joined(found: list[str], text: str = "") -> str:
    for word in found:
        text += finish(spacing(text, word)) + word
    return text


@pytest.mark.parametrize(
    "text",
    [
        "the sun, the sea; the sky: all of it. why not? well! wait...",
        "he left (in 1990) for good [sic] and {so on}.",
        'he said, "yes, i do." then he left. "no!" she said.',
        "'hello,' he said, 'and goodbye.'",
        "the dogs' tails don't wag",
        '("quoted") and ("again")',
        "a well-known and/or snake_case thing",
        "(-5) to 50% and 20° for $5 or €7 to @all of #us",
        "3.5 of 1,000 and of 1,000,000 at 9:30 p.m. today",
        "in 2019, 300 people came in 1990. 30 left",
        "so did i. a man, i.e. me",
        "¿qué? «bien»",
        "5 + 5 = 10 & more",
        "yes 🦆 no",
        "python 3.8.1 and v2.0, or 3.12.0rc1 of 29.11.2026",
        "the u.s. army, a ph.d. at 10:30 a.m. or 10:30:15",
        "write to someone@example.com. thanks to @anna, and mail info@mail.example.co.uk",
        "see www.example.org/news or https://example.com and/or read notes.txt.",
        "1,234.50 and 3.5. then 1990. 30 left",
        "我们在北京,你呢?",
        "「東京」へ行きます。コーヒーを2杯、お願いします。",
        "我用iphone看10:30的电影(很好)。",
        "สวัสดีครับhello123นี่",
        "ປະເທດລາວ",
        "ភាសាខ្មែរ",
        "မြန်မာဘာသာ",
        "한국어 단어는 띄어 쓴다.",
    ],
)
def test_words_are_joined_as_people_write_them(text: str) -> None:
    """Splitting a text into words and detokenizing them gives the same text."""
    assert _joined(words.split(text)) == text


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("", "the", ""),
        ("the ", "sea", ""),
        ("the\n", "sea", ""),
        ("the", "sea", " "),
        ("the ", ",", ""),
        ("He said “", "yes", ""),
        ("He said “yes”", "and", " "),
        ("He said “yes.", '"', ""),
        ("He said,", '"', " "),
        ('a 5" pipe and', '"', " "),
        ('He said "yes. ', '"', ""),
        ('"An old one.\nAnd a new', '"', " "),
        ("word - ", "word", ""),
        ("word -", "word", " "),
        ("word", "-", ""),
        ("yes.", "-", " "),
        ("C#", "is", " "),
        ("of #", "us", ""),
        ("f(", "x", ""),
        ("#", "\u20e3", " "),
        ("你好，", "hello", ""),
        ("你好, ", "hello", ""),
        ("你好,", "hello", ""),
        ("hello", "你", ""),
        ("hello,", "你", ""),
        ("hello", "、", ""),
        ("你好。", "3", ""),
        ("今年3", "月", ""),
        ("コーヒー", "カップ", " "),
        ("コーヒー", "を", ""),
        ("ﾊﾞ", "を", ""),
        ("３", "the", " "),
        ("日", "\u0301", " "),
        ("\u1780\u17d2", "\u1781", " "),
        ("hi guys", "@", ""),
        ("thanks to", "@", " "),
        ("I like it.", "the", " "),
        ('他说"我', '"', ""),
        ('我爱"the name', '"', ""),
        ('我爱"the name"', "of", " "),
        ("我，'hello", "'", ""),
        ("我爱'the names.", "'", ""),
        ("the dogs' 'names.", "'", ""),
        ("anna@example.com.", "it", " "),
        ("anna@example.co.", "uk", ""),
    ],
)
def test_the_text_before_decides_on_a_space(text: str, word: str, expected: str) -> None:
    """Existing white space is not doubled, and quotation marks open once and close once."""
    assert finish(spacing(text, word)) == expected


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("It is 3.", "5", True),
        ("3.8.", "1", True),
        ("at 9 p.", "m", True),
        ("in 1990.", "5", False),
        ("I.", "a", False),
    ],
)
def test_some_marks_end_no_sentence(text: str, word: str, expected: bool) -> None:
    """A mark inside a number or abbreviation is distinguished from the end of a sentence."""
    assert goes_on(text, word) is expected


@given(texts, texts)
def test_a_continued_text_splits_into_the_same_words(before: str, after: str) -> None:
    """Any words appended to any text are split into the same words again."""
    found = [word for word in words.split(normalise(after)) if words.split(word) == [word]]
    joined = _joined(found, before)
    assert words.split(normalise(joined)) == words.split(normalise(before)) + found
