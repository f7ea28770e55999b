"""E-mail addresses that are being typed."""

import pytest

from wordgate.text.addresses import ends_in_address


@pytest.mark.parametrize(
    "history",
    ["anna@", "mail anna@", "a.b+c@", "anna@gmail.", "anna@mail-", "x_1@mail.example."],
)
def test_a_text_that_ends_behind_the_at_sign_is_inside_an_address(history: str) -> None:
    """The rest of an address is private data, however much of it is typed."""
    assert ends_in_address(history)


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
    assert not ends_in_address(history)
