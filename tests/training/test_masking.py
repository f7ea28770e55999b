"""Addresses and phone numbers that must not reach a model."""

import pytest

from wordgate.training.masking import EMAIL, PHONE, URL, mask


@pytest.mark.parametrize(
    "address", ["jo@mail.org", "jo.ann+list@sub.mail.co.uk", "JO_1@x-y.de", "müller@web.de"]
)
def test_email_addresses_are_masked(address: str) -> None:
    """An e-mail address becomes one that belongs to nobody; the text around it stays."""
    assert mask(f"Write to {address}, please.") == f"Write to {EMAIL}, please."


@pytest.mark.parametrize(
    "address",
    [
        "https://host.org/a/b?c=d&e=f#g",
        "http://host.org",
        "www.host.org/page",
        "WWW.Host.org",
        "ftp://jo:secret@host.org/file",
    ],
)
def test_web_addresses_are_masked(address: str) -> None:
    """A web address becomes a short one; the mark after it is not part of it."""
    assert mask(f"See {address}.") == f"See {URL}."
    assert mask(f"({address})") == f"({URL})"


@pytest.mark.parametrize(
    "number",
    [
        "212-555-0143",
        "(212) 555-0143",
        "212.555.0143",
        "1-212-555-0143",
        "+1 212 555 0143",
        "+49 30 1234567",
        "+44 (20) 7946 0958",
        "020 7946 0958",
        "555-0143",
        "2125550143",
    ],
)
def test_phone_numbers_are_masked(number: str) -> None:
    """A phone number becomes one that is kept for fiction."""
    assert mask(f"Call {number} now") == f"Call {PHONE} now"
    assert mask(f"Call {number}.") == f"Call {PHONE}."


@pytest.mark.parametrize(
    "text",
    [
        "In 1984, on 12/10/2019 or 2019-10-12, at 10:30.",
        "It costs $1,234,567.89, or 3.14159265.",
        "Pages 100-120 of 300, room 4711, ISBN 978-3-16-148410-0.",
        "From 1939-1945 and 2010-2015.",
        "a @ b, me@home, e.g. this://",
        "Version 10.2.3.4567 of 5 000 000 things",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    """Dates, prices, years, versions and page numbers are no phone numbers."""
    assert mask(text) == text


def test_masks_are_left_alone() -> None:
    """Masking again changes nothing."""
    text = f"{EMAIL} {URL} {PHONE}"
    assert mask(text) == text


def test_long_local_parts_and_odd_neighbours_are_masked() -> None:
    """The length of an address does not save it, nor what stands beside it."""
    assert mask(f"{'x' * 500}@mail.org") == EMAIL
    assert mask("a@b.com+c@d.org") == f"{EMAIL}{EMAIL}"
    assert mask("well-known-http://host.org") == URL


@pytest.mark.parametrize("run", ["x", "x.", "a-", "1 2", "a@", "a:", "www.", "w://"])
@pytest.mark.parametrize("ending", [" @ ://", "@", "://", " a@b.de http://x.org"])
def test_a_long_line_is_masked_in_one_go(run: str, ending: str) -> None:
    """A megabyte without a space is looked at once, not once from each of its characters."""
    line = run * ((1 << 20) // len(run)) + ending
    masked = mask(line)
    if ending.endswith("x.org"):
        assert masked.endswith(URL)
