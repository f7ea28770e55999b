"""The normal form of a text, and the offsets into the original."""

import unicodedata

import pytest
from hypothesis import given
from tests.vocabularies import texts

from wordgate.errors import InvalidInput
from wordgate.text.cooperative_steps import finish
from wordgate.text.normalization import (
    Normalised,
    normalise,
    normalising_with_offsets,
    require_unicode,
)


def _with_offsets(text: str, field: str = "text") -> Normalised:
    return finish(normalising_with_offsets(text, field))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \t\n\u00a0\u2028 ", ""),
        ("\0", ""),
        ("a\0b\x1fc\x7fd", "a b c d"),
        ("  Hello,\r\n World ", "hello, world"),
        ("‘don’t’ “no” — ‐", "'don't' \"no\" - -"),
        ("ﬁn ½ ℀", "fin 1⁄2 a/c"),
        ("İSTANBUL Straße ẞ", "i̇stanbul straße ß"),
        ("e\u0301 E\u00ad\u0301", "é é"),
        ("co\u00adop\u200be\u2066rate\ufeff", "cooperate"),
        ("\u1112\u1161\u11ab ﾊﾞ", "한 バ"),
        ("👩\u200d👧 🇩🇪", "👩\u200d👧 🇩🇪"),
        ("ΑΣ", "ασ"),
        ("שלום", "שלום"),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    """NFKC, lower case, plain quotes and dashes, single spaces, no invisible characters."""
    assert normalise(text) == unicodedata.normalize("NFKC", expected)


@given(texts)
def test_normalising_twice_changes_nothing(text: str) -> None:
    """Normalisation is idempotent."""
    normal = normalise(text)
    assert normalise(normal) == normal


@pytest.mark.parametrize("base", ["e", "ﬃ", "İ", "한", "", "é", "ﷺ"])
@pytest.mark.parametrize("invisible", ["", "\u00ad"])
def test_many_marks_on_one_character_have_one_normal_form(base: str, invisible: str) -> None:
    """Normalisation is idempotent for any number and order of combining marks."""
    marks = ["\u0301", "\u0323", "\u0344", "\u1160", "\u0327", "ﾞ"]
    for count in (29, 30, 31, 32, 33, 64, 100):
        text = base + "".join(invisible + marks[number % 6] for number in range(count))
        normal = normalise(text)
        assert normalise(normal) == normal
        text = base + "\u0301" * count + "\u0323" + "a"
        normal = normalise(text)
        assert normalise(normal) == normal
        assert _with_offsets(text).text == normal


def test_a_hundred_thousand_marks_are_put_in_order() -> None:
    """Combining marks in the worst order take no longer than other text of that length."""
    normal = normalise("e" + "\u0301" * 50_000 + "\u0323" * 50_000)
    assert normal == "\u1eb9" + "\u0323" * 49_999 + "\u0301" * 50_000


@given(texts)
def test_offsets_come_with_the_same_text(text: str) -> None:
    """The normal form is the same with and without offsets."""
    found = _with_offsets(text)
    assert found.text == normalise(text)
    assert len(found.starts) == len(found.ends) == len(found.text)


@given(texts)
def test_each_character_comes_from_its_stretch(text: str) -> None:
    """The normal form of a character's span in the original contains the character."""
    found = _with_offsets(text)
    for character, start, end in zip(found.text, found.starts, found.ends, strict=True):
        assert 0 <= start < end <= len(text)
        assert character in normalise(
            f"x{text[start:end]}x" if character == " " else text[start:end]
        )


@given(texts)
def test_offsets_ascend(text: str) -> None:
    """Offsets never decrease."""
    found = _with_offsets(text)
    assert list(found.starts) == sorted(found.starts)
    assert list(found.ends) == sorted(found.ends)


@given(texts)
def test_the_normal_form_of_a_beginning_is_a_beginning(text: str) -> None:
    """The normal form of a prefix is a prefix of the normal form."""
    found = _with_offsets(text)
    for place, start in enumerate(found.starts):
        if place == 0 or found.starts[place - 1] < start:
            assert normalise(text[:start]) == found.text[:place].rstrip(" ")


def test_every_character_that_composes_attaches() -> None:
    """No letter of Unicode composes with a character that begins a cluster."""
    for code in range(0x110000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            text = "".join(chr(int(part, 16)) for part in parts)
            assert normalise(text) == normalise(chr(code))


@pytest.mark.parametrize("text", ["\ud800", "a\udfff b", "é\ud83d"])
def test_lone_surrogates_are_refused_by_field(text: str) -> None:
    """A lone surrogate is rejected with the field and the position."""
    for function in (normalise, _with_offsets, require_unicode):
        with pytest.raises(InvalidInput, match="surrogate at position") as refused:
            function(text, "history")
        assert refused.value.field == "history"
