"""Edits of a text with a cursor, in the position units of all clients."""

from collections.abc import Callable

import pytest
from hypothesis import given
from tests.vocabularies import texts

from wordgate.errors import InvalidInput
from wordgate.text.edit_buffer import PositionUnit, TextBuffer, length_of

Edit = tuple[Callable[[], TextBuffer], str]
UNITS = list(PositionUnit)
UTF8, UTF16 = PositionUnit.UTF8_BYTES, PositionUnit.UTF16_UNITS
FAMILY = "\U0001f469\u200d\U0001f467"  # woman, joiner, girl: 3 code points, 5 units, 11 bytes


@pytest.mark.parametrize(
    ("unit", "whole", "woman"),
    [(PositionUnit.CODE_POINTS, 3, 1), (UTF16, 5, 2), (UTF8, 11, 4)],
)
def test_an_emoji_has_its_length_in_each_unit(unit: PositionUnit, whole: int, woman: int) -> None:
    """Backspace over an emoji takes as many units as the client counts in it."""
    text = TextBuffer(unit=unit).insert(f"hi {FAMILY}")
    assert (length_of(FAMILY, unit), text.position) == (whole, 3 + whole)
    assert text.delete(whole, 0).text == "hi "
    assert text.move(3 + woman).before == "hi \U0001f469"
    assert text.replace(3, 3 + woman, "é").text == "hi é\u200d\U0001f467"


@pytest.mark.parametrize("unit", [UTF8, UTF16])
def test_positions_inside_a_character_are_refused_by_field(unit: PositionUnit) -> None:
    """A position inside a surrogate pair or a UTF-8 sequence is rejected."""
    text = TextBuffer(unit=unit).insert(f"a{FAMILY}")
    edits: list[Edit] = [
        (lambda: text.move(2), "move.position"),
        (lambda: text.replace(2, text.position, "x"), "replace.start"),
        (lambda: text.replace(0, 2, "x"), "replace.end"),
        (lambda: text.delete(1, 0), "delete.before"),
        (lambda: text.move(1).delete(0, 1), "delete.after"),
    ]
    for edit, field in edits:
        with pytest.raises(InvalidInput) as refused:
            edit()
        assert refused.value.field == field


def test_positions_outside_the_text_are_refused_by_field() -> None:
    """Positions after the end, before the beginning, or in the wrong order are rejected."""
    text = TextBuffer().insert("the sea")
    edits: list[Edit] = [
        (lambda: text.move(8), "move.position"),
        (lambda: text.delete(8, 0), "delete.before"),
        (lambda: text.delete(0, 1), "delete.after"),
        (lambda: text.replace(3, 8, ""), "replace.end"),
        (lambda: text.replace(4, 3, ""), "replace.start"),
        (lambda: text.insert("\ud800"), "insert.text"),
        (lambda: text.set("\ud800"), "text.text"),
        (lambda: text.replace(0, 1, "\udfff"), "replace.text"),
    ]
    for edit, field in edits:
        with pytest.raises(InvalidInput) as refused:
            edit()
        assert refused.value.field == field


@pytest.mark.parametrize("unit", UNITS)
@given(first=texts, second=texts, third=texts)
def test_edits_are_those_of_the_strings(
    unit: PositionUnit, first: str, second: str, third: str
) -> None:
    """An edit of any text gives the same result as slicing the string."""
    size = length_of(first, unit)
    text = TextBuffer(unit=unit).set(first + second)
    assert (text.before, text.move(size).before) == (first + second, first)
    inserted = text.move(size).insert(third)
    assert (inserted.text, inserted.before) == (first + third + second, first + third)
    assert inserted.delete(length_of(third, unit), 0) == text.move(size)
    assert text.move(size).delete(size, 0).text == second
    assert text.move(size).delete(0, length_of(second, unit)).text == first
    assert text.replace(0, size, third).text == third + second
    assert text.move(text.position) == text


@pytest.mark.parametrize("unit", UNITS)
@given(first=texts, second=texts)
def test_a_packed_text_is_its_utf8_bytes(unit: PositionUnit, first: str, second: str) -> None:
    """A packed text is stored as UTF-8. Unpacking restores text, cursor and unit."""
    text = TextBuffer(unit=unit).set(second).move(0).insert(first)
    packed = text.packed()
    assert packed.unpacked() == text
    assert packed.encoded == (first + second).encode()


@pytest.mark.parametrize(
    ("text", "cursor", "expected"),
    [
        ("the se", 6, "the sea |"),
        ("the se and", 6, "the sea |and"),
        ("the se", 4, "sea |se"),
        ("the se\nnow", 6, "the sea |\nnow"),
        ("the se\r\nnow", 6, "the sea |\r\nnow"),
        ("the se\u00a0now", 6, "the sea\u00a0|now"),
    ],
)
def test_an_accepted_word_has_a_space_behind_it(text: str, cursor: int, expected: str) -> None:
    """The word replaces the typed prefix.

    The cursor moves past an existing space, but stays on its line.
    """
    typed = 2 if cursor == 6 else 4
    done = TextBuffer().set(text).move(cursor).accept(typed, "sea")
    assert f"{done.before}|{done.text[done.cursor :]}" == expected


@pytest.mark.parametrize(
    ("text", "typed", "word", "expected"),
    [
        ("我想去", 0, "北京", "我想去北京|"),
        ("我想|去", 0, "要", "我想要|去"),
        ("我 | 去", 0, "想", "我 想| 去"),
        ("我用iph", 3, "iPhone", "我用iPhone |"),
        ("ไป", 0, "กิน", "ไปกิน|"),
        ("タ", 1, "タワー", "タワー|"),
        ("see www.goo", 3, "google", "see www.google|"),
        ("anna@gmail.c", 1, "com", "anna@gmail.com|"),
        ("한", 1, "한국", "한국 |"),
        ("the sea|, or", 3, "seaside", "the seaside|, or"),
        ("(the sea|)", 3, "seaside", "(the seaside|)"),
        ("Lon|去", 3, "London", "London|去"),
        ("Lon|，去", 3, "London", "London|，去"),
    ],
)
def test_no_space_comes_behind_a_word_that_takes_none(
    text: str, typed: int, word: str, expected: str
) -> None:
    """No space is added around scripts without spaces, before closing marks, or inside an address.

    An existing space stays.
    """
    cursor = text.index("|") if "|" in text else len(text)
    done = TextBuffer().set(text.replace("|", "")).move(cursor).accept(typed, word)
    assert f"{done.before}|{done.text[done.cursor :]}" == expected


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("thank you,", "that", "thank you, that "),
        ("I am here.", "See you", "I am here. See you "),
        ('she said "no"', "and", 'she said "no" and '),
        ('she said "', "no", 'she said "no '),
        ("see you (", "if", "see you (if "),
        ("it is 3.", "5", "it is 3.5 "),
        ("the U.", "S", "the U.S "),
        ("well-", "known", "well-known "),
        ("thank you", ",", "thank you, "),
        ("thank you,\n", "that", "thank you,\nthat "),
        ("好，", "我", "好，我"),
        ("", "that", "that "),
    ],
)
def test_an_accepted_word_has_a_space_before_it(text: str, word: str, expected: str) -> None:
    """A space that the mark before the cursor needs is inserted, unless the user has typed it."""
    assert TextBuffer().set(text).accept(0, word).text == expected


def test_an_accepted_word_replaces_the_rest_of_the_word_behind_the_cursor() -> None:
    """Nothing of the old word stays, and the cursor moves past its space."""
    text = TextBuffer().set("see tomorow night").move(8)
    assert text.acceptance(4, "tomorrow", rest=3) == (4, 12, "tomorrow ")
    done = text.accept(4, "tomorrow", rest=3)
    assert (done.text, done.cursor) == ("see tomorrow night", 13)
