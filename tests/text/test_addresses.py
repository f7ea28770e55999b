"""E-mail addresses, URLs and file names in text."""

import pytest

from wordgate.text.addresses import (
    casing_in_address,
    continues_address,
    ends_in_address,
    ends_in_email,
    ends_with_address,
)


@pytest.mark.parametrize(
    "history",
    ["anna@", "mail anna@", "a.b+c@", "anna@gmail.", "anna@mail-", "x_1@mail.example."],
)
def test_a_text_that_ends_behind_the_at_sign_is_inside_an_email_address(history: str) -> None:
    """The rest of an address is private data, however much of it is typed."""
    assert ends_in_email(history)


@pytest.mark.parametrize(
    "history",
    [
        "",
        "@",
        "hello @",
        "thanks (@",
        "anna@gmail.com",
        "anna@gmail.com ",
        "anna@ ",
        "你好@",
        "a@b,",
    ],
)
def test_mentions_and_finished_addresses_are_not(history: str) -> None:
    """An `@` at the beginning of a word is a mention, also in Chinese text.

    White space ends an address.
    """
    assert not ends_in_email(history)


@pytest.mark.parametrize("text", ["mail anna@gm", "see www.", "http://a.example/b", "notes."])
def test_a_text_may_end_inside_an_address(text: str) -> None:
    """An `@` inside a chunk, a scheme, or a full stop after a letter or digit."""
    assert ends_in_address(text)


@pytest.mark.parametrize("text", ["", "the sea", "@anna", "see www. ", "Wait ."])
def test_other_texts_do_not_end_inside_an_address(text: str) -> None:
    """White space ends an address, and a mention is none."""
    assert not ends_in_address(text)


def test_a_full_stop_alone_makes_no_address() -> None:
    """A sentence may end there, so only an `@`, `www.` or a scheme is certain."""
    assert not ends_with_address("The end.")
    assert ends_with_address("mail anna@mail.") and ends_with_address("(www.example")


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("mail anna", "@", True),
        ("thanks", "@", False),
        ("anna@", "gmail", True),
        ("https:", "/", True),
        ("notes.", "txt", True),
        ("The end.", "then", False),
        ("www.example.", "org", True),
        ("www.example.org.", "then", False),
    ],
)
def test_what_continues_an_address(text: str, word: str, expected: bool) -> None:
    """A domain ending, the punctuation of a URL scheme, or an `@` that does not begin a mention."""
    assert continues_address(text, word) is expected


def test_words_in_addresses_are_lower_case() -> None:
    """A second initial takes the case of the first."""
    assert casing_in_address("www.", "london") == "london"
    assert casing_in_address("the U.", "s") == "S"
    assert casing_in_address("e.", "g") == "g"
