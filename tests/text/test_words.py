"""Word segmentation."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vocabularies import texts

from wordgate.text import words
from wordgate.text.cooperative_steps import finish
from wordgate.text.normalization import normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("don't well-known", ["don't", "well", "-", "known"]),
        ("'tis o''clock rock'", ["'", "tis", "o", "'", "'", "clock", "rock", "'"]),
        ("snake_case 3.14", ["snake", "_", "case", "3", ".", "14"]),
        ("<eos></w>", ["<", "eos", ">", "<", "/", "w", ">"]),
        ("naïve क्षि שלום", ["naïve", "क्षि", "שלום"]),
        ("👩\u200d👩\u200d👧👍🏽", ["👩\u200d👩\u200d👧", "👍🏽"]),
        ("🇩🇪🇫🇷🇩", ["🇩🇪", "🇫🇷", "🇩"]),
        ("❤\ufe0flove 1\ufe0f\u20e3", ["❤\ufe0f", "love", "1\ufe0f\u20e3"]),
        ("\u0301", ["\u0301"]),
        ("我爱iPhone手机,3月", [*"我爱", "iphone", *"手机", ",", "3", "月"]),
        ("Tシャツを買った。らーめん", ["t", "シャツ", *"を買った。らーめん"]),
        ("ﾊﾟｿｺﾝ", ["パソコン"]),
        ("한국어 사용", ["한국어", "사용"]),
        ("𠮷野家 々", [*"𠮷野家々"]),
        ("don't我'你", ["don't", "我", "'", "你"]),
        ("น้ำใจ ก็ดี", ["น้\u0e4d\u0e32", "ใ", "จ", "ก็", "ดี"]),
        ("ລາວນ້ຳ", ["ລ", "າ", "ວ", "ນ້\u0ecd\u0eb2"]),
        ("ខ្មែរ", ["ខ្មែ", "រ"]),
        ("က္ခရာ", ["က္ခ", "ရာ"]),
        ("བོད་སྐད", ["བོ", "ད", "་", "སྐ", "ད"]),
        ("๑๒ คน", ["๑๒", "ค", "น"]),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    """Words are runs of letters, marks and digits with inner apostrophes; other marks are separate.

    In scripts without spaces each grapheme cluster is a word.
    """
    assert words.split(normalise(text)) == expected


@given(texts)
def test_words_cover_all_that_is_visible_once(text: str) -> None:
    """The concatenated words are the normal form without its spaces."""
    normal = normalise(text)
    assert "".join(words.split(normal)) == normal.replace(" ", "")


@given(texts)
def test_spans_are_the_same_words(text: str) -> None:
    """Spans ascend without overlap and contain the words of `split`."""
    normal = normalise(text)
    spans = words.spans(normal)
    assert [normal[start:end] for start, end in spans] == words.split(normal)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


@given(st.text(st.characters(max_codepoint=0x7F)))
def test_the_fast_rule_for_ascii_is_the_general_one(text: str) -> None:
    """The ASCII rule gives the same words as the general rule, which `spans` uses."""
    normal = normalise(text)
    assert words.split(normal) == [normal[start:end] for start, end in words.spans(normal)]


@pytest.mark.parametrize("letter", ["a", "é", "ア"])
def test_long_words_are_cut_and_nothing_is_lost(letter: str) -> None:
    """A word of 10,000 letters is split into words of 128, whatever the letter."""
    found = words.split(letter * 10_000)
    assert "".join(found) == letter * 10_000
    assert [len(word) for word in found] == [128] * 78 + [16]


@pytest.mark.parametrize(
    ("word", "expected"),
    [(".", True), ("'", True), ("👍🏽", True), ("don't", False), ("7", False), ("日", False)],
)
def test_punctuation_has_neither_letter_nor_digit(word: str, expected: bool) -> None:
    """Marks and symbols are punctuation; words and numbers are not."""
    assert words.is_punctuation(word) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("", "")),
        ("hel", ("", "hel")),
        ("hello ", ("hello ", "")),
        ("say hel", ("say ", "hel")),
        ("well-kn", ("well-", "kn")),
        ("don'", ("", "don'")),
        ("don't", ("", "don't")),
        ("a'' ", ("a'' ", "")),
        ("a''", ("a''", "")),
        ("stop.", ("stop.", "")),
        ("'ti", ("'", "ti")),
        ("❤\ufe0flov", ("❤\ufe0f", "lov")),
        ("👩\u200d", ("👩\u200d", "")),
        ("क\u200d", ("", "क\u200d")),
        ("去北京", ("去北京", "")),
        ("去wor", ("去", "wor")),
        ("ก็", ("ก็", "")),
        ("のパソ", ("の", "パソ")),
    ],
)
def test_the_last_word_of_a_text_that_is_being_typed(text: str, expected: tuple[str, str]) -> None:
    """White space and marks end a word. An apostrophe after letters may belong to it."""
    assert finish(words.splitting_last(text)) == expected


@pytest.mark.parametrize("length", range(125, 132))
def test_parts_of_a_long_word_are_words(length: int) -> None:
    """An apostrophe at a split is a word of its own, so that each part is one word."""
    for text in ("x" * length + "'0'0", "x" * length + "\u200d'0é"):
        parts = words.split(text)
        assert [words.split(part) for part in parts] == [[part] for part in parts]
        assert "".join(parts) == text
        complete, begun = finish(words.splitting_last(text))
        assert complete + begun == text
        assert begun in ("", parts[-1])


@given(texts)
def test_a_begun_word_is_the_last_one(text: str) -> None:
    """The unfinished word is the last word, and both parts together are the text."""
    normal = normalise(text)
    complete, unfinished = finish(words.splitting_last(normal))
    assert complete + unfinished == normal
    if normal[-1:].isalnum() and not words.is_unspaced(normal[-1]):
        start, end = words.spans(normal)[-1]
        can_grow = end - start < words.MAX_WORD_CHARACTERS
        assert unfinished.endswith(normal[start:]) == can_grow
        assert bool(unfinished) == can_grow
    if unfinished and len(unfinished) <= words.MAX_WORD_CHARACTERS:
        begun = unfinished.rstrip("'\u200c\u200d")
        assert begun in words.split(normal)
        assert words.split(begun) == [begun]


@pytest.mark.parametrize(
    ("before", "character", "expected"),
    [
        ("我", "们", True),
        ("我", "a", True),
        ("don'", "我", True),
        ("我", ",", True),
        ("ก", "น", True),
        ("กั", "น", True),
        ("ก", "ั", False),
        ("က\u1039", "ခ", False),
        ("コ", "ー", False),
        ("コ", "を", True),
        ("ab", "c", False),
        ("д", "а", False),
        ("don", "'", False),
        ("", "我", False),
        ("日", "\u0301", False),
    ],
)
def test_where_a_character_begins_a_word_by_itself(
    before: str, character: str, expected: bool
) -> None:
    """A word begins at a letter of a script without spaces, or after one, unless the two join."""
    assert words.begins_word(before, character) is expected


@given(st.one_of(texts, st.text("我们a'1,กัခ\u1039ကコー\u0301\u200d ", max_size=12)))
def test_a_text_may_be_cut_where_a_character_begins_a_word(text: str) -> None:
    """The parts have the same words as the whole, whatever follows."""
    parts = [""]
    for character in text:
        if words.begins_word(parts[-1], character):
            parts.append("")
        parts[-1] += character
    cut = [word for part in parts for word in words.split(normalise(part))]
    assert cut == words.split(normalise(text))
