"""Masking of private data and of its placeholders."""

import re
from collections import Counter

import pytest

from wordgate.training.data.masking import mask

EMAIL = r"[a-z]+([._]?[a-z]+|\d{1,2})@[a-z]+\.[a-z.]+"
DOMAIN = r"[a-z]+\.(com|org|net|edu|co\.uk|de|info)"


@pytest.mark.parametrize(
    "address",
    [
        "jo@mail.org",
        "jo.ann+list@sub.mail.co.uk",
        "JO_1@x-y.de",
        "müller@web.de",
        "someone@example.com",
    ],
)
def test_email_addresses_are_replaced(address: str) -> None:
    """An e-mail address is replaced by a random one; the surrounding text is kept."""
    masked = mask(f"Write to {address}, please.")
    assert re.fullmatch(rf"Write to {EMAIL}, please\.", masked)
    assert address not in masked


@pytest.mark.parametrize(
    ("address", "start"),
    [
        ("https://host.org/a/b?c=d&e=f#g", "https://"),
        ("http://host.org", "http://"),
        ("www.host.org/page", "www."),
        ("WWW.Host.org", "www."),
        ("ftp://jo:secret@host.org/file", "ftp://"),
        ("example.com", ""),
    ],
)
def test_web_addresses_are_replaced(address: str, start: str) -> None:
    """A web address is replaced by a random one without a path; following punctuation is kept."""
    assert re.fullmatch(rf"See {re.escape(start)}{DOMAIN}\.", mask(f"See {address}."))
    assert re.fullmatch(rf"\({re.escape(start)}{DOMAIN}\)", mask(f"({address})"))


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
        "565-0143",
        "2125550143",
        "4111 1111 1111 1111",
        "123-45-6789",
        "85731890",
    ],
)
def test_numbers_that_may_be_private_get_other_digits(number: str) -> None:
    """Phone, card and account numbers keep their format and get random digits."""
    shape = re.escape(number).replace("\\d", "d")
    shape = re.sub(r"\d", r"\\d", shape)
    masked = mask(f"Call {number} now")
    assert re.fullmatch(f"Call {shape} now", masked)
    assert number not in masked
    assert re.fullmatch(rf"Call {shape}\.", mask(f"Call {number}."))


def test_placeholder_numbers_get_another_format() -> None:
    """Placeholders such as 555-0100 are replaced by random numbers of random formats."""
    masked = [mask(f"Line {line}: call 555-0100 now") for line in range(500)]
    assert not any("555-0100" in text for text in masked)
    shapes = Counter(re.sub(r"\d", "#", text.split("call ")[1]) for text in masked)
    assert len(shapes) >= 5


def test_no_replacement_is_likely() -> None:
    """Among a thousand masked addresses and numbers, only the top-level domains are frequent."""
    texts = [f"{line}: ask someone@example.com or 555-0100 at example.com" for line in range(1000)]
    words = Counter(word for text in texts for word in re.findall(r"\w+", mask(text))[1:])
    for word in ("ask", "or", "at", "com"):
        del words[word]
    names = Counter({w: n for w, n in words.items() if len(w) > 4 and w.isalpha()})
    numbers = Counter({w: n for w, n in words.items() if w.isdigit() and len(w) > 2})
    assert max(names.values()) <= 10
    assert max(numbers.values()) <= 15


def test_the_same_text_is_replaced_alike() -> None:
    """Masking is deterministic per text; different texts get different replacements."""
    assert mask("to jo@mail.org") == mask("to jo@mail.org")
    assert mask("to jo@mail.org") != mask("To jo@mail.org").lower()


@pytest.mark.parametrize(
    "text",
    [
        "In 1984, on 12/10/2019 or 2019-10-12, at 10:30.",
        "It costs $1,234,567.89, or 3.14159265, of 10000000.",
        "Pages 100-120 of 300, room 4711, ISBN 978-3-16-148410-0.",
        "From 1939-1945 and 2010-2015.",
        "a @ b, me@home, e.g. this://",
        "Version 10.2.3.4567 of 5 000 000 things",
        "For example. Common sense.",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    """Dates, prices, years, versions and page numbers are not masked."""
    assert mask(text) == text


def test_long_local_parts_and_odd_neighbours_are_replaced() -> None:
    """Addresses are masked whatever their length and adjacent characters."""
    assert re.fullmatch(EMAIL, mask(f"{'x' * 500}@mail.org"))
    assert re.fullmatch(EMAIL + EMAIL, mask("a@b.com+c@d.org"))
    assert re.fullmatch(rf"[a-z-]+://{DOMAIN}", mask("well-known-http://host.org"))


@pytest.mark.parametrize("run", ["x", "x.", "a-", "1 2", "a@", "a:", "www.", "w://"])
@pytest.mark.parametrize("ending", [" @ ://", "@", "://", " a@b.de http://x.org"])
def test_a_long_line_is_masked_in_one_go(run: str, ending: str) -> None:
    """Masking a megabyte without spaces takes linear time."""
    line = run * ((1 << 20) // len(run)) + ending
    masked = mask(line)
    if ending.endswith("x.org"):
        assert re.search(rf"http://{DOMAIN}$", masked)
