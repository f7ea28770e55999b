"""Mask private data: replace it with random data of the same kind before training.

E-mail addresses, web addresses, phone numbers and other long numbers are found by regular
expressions that prefer false positives to false negatives. Dates, prices, years and short numbers
are kept. Replacements are drawn at random, seeded with a hash of the text: with a fixed placeholder
(`someone@example.com`), the model would suggest the placeholder wherever users give their own
address. Fixed placeholders already in the text are replaced in the same way.
"""

import hashlib
import re
from random import Random

# Patterns must run in linear time: a file may consist of a single long line. An address is
# therefore matched as a complete run of characters with an optional domain, and the scheme before
# "://" has a bounded length.
_EMAIL = re.compile(r"[\w.+%-]+(@[\w-]+(?:\.[\w-]+)+)?")
_URL = re.compile(
    r"(?:\b([a-z][a-z0-9+.-]{0,30}://)|\bwww\.)[^\s<>\"]*[^\s<>\".,;:!?)\]}']", re.IGNORECASE
)
_RESERVED_DOMAIN = re.compile(r"\bexample\.(?:com|net|org)\b")
_NUMBER = re.compile(
    r"(?<![\w.,$€£-])"
    r"(?:"
    r"\+\d{1,3}(?:[ .\-/]?\(?\d{1,4}\)?){2,6}"  # +49 30 1234567
    r"|(?:1[ .\-])?\(\d{2,5}\)[ .\-]?\d{3,4}[ .\-]?\d{3,4}"  # (212) 555-0199
    r"|(?:1[ .\-])?\d{3}[ .\-]\d{3}[ .\-]\d{4}"  # 212-555-0199
    r"|0\d{2,5}[ \-/]\d{3,4}[ \-]?\d{3,5}"  # 020 7946 0958
    r"|\d{3}-\d{4}"  # 555-0199
    r"|\d{4}(?:[ \-]\d{4}){3}"  # payment card
    r"|\d{3}-\d{2}-\d{4}"  # social security number
    r"|\d{8,}(?<!000)"  # 2125550199, account number
    r")"
    r"(?![\w-]|[.,]\d)"
)
_ENOUGH_DIGITS = re.compile(r"\d\D{0,3}\d\D{0,3}\d\D{0,3}\d\D{0,3}\d\D{0,3}\d\D{0,3}\d")
_RESERVED_NUMBER = re.compile(r"555-01\d\d")
_FORMATS = (
    "###-####",
    "###-###-####",
    "(###) ###-####",
    "### ### ####",
    "+## ## #######",
    "0#### ######",
)

_LOCAL_PARTS = ("name", "name.name", "i.name", "name#", "name##", "name_name", "iname", "namei")
_TOP_LEVELS = ("com", "com", "com", "org", "net", "edu", "co.uk", "de", "info")
_TEMPLATE = re.compile(r"name|i|#")
_ONSETS = (
    *("b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kl", "l", "m", "n"),
    *("p", "pr", "r", "s", "sh", "st", "t", "th", "tr", "v", "w", "z"),
)
_VOWELS = (*("a", "e", "i", "o", "u") * 2, "ai", "ea", "ee", "ia", "ie", "oo", "ou", "y")
_CODAS = ("", "", "", "l", "ll", "m", "n", "nd", "ng", "r", "rd", "s", "t", "ck")
_FIRST_DIGITS, _DIGITS = "23456789", "0123456789"


def mask(text: str) -> str:
    """Replace addresses and long numbers in `text` with random ones. Deterministic."""
    if not ("@" in text or "." in text or _ENOUGH_DIGITS.search(text)):
        return text
    digest = hashlib.blake2b(text.encode(), digest_size=16, person=b"private data").digest()
    chance = Random(int.from_bytes(digest, "big"))
    if "://" in text or "www." in text.lower():
        text = _URL.sub(lambda match: _address(match, chance), text)
    if "@" in text:
        text = _EMAIL.sub(lambda match: _email(chance) if match[1] else match[0], text)
    if "example." in text:
        text = _RESERVED_DOMAIN.sub(lambda _: _domain(chance), text)
    if _ENOUGH_DIGITS.search(text):
        text = _NUMBER.sub(lambda match: _number(match[0], chance), text)
    return text


def _address(match: re.Match[str], chance: Random) -> str:
    """Return a random web address without a path; paths may contain names and secrets."""
    start = match[1] or "www."
    return start.lower() + _domain(chance)


def _email(chance: Random) -> str:
    return f"{_filled(chance.choice(_LOCAL_PARTS), chance)}@{_domain(chance)}"


def _domain(chance: Random) -> str:
    return f"{_name(chance)}.{chance.choice(_TOP_LEVELS)}"


def _number(written: str, chance: Random) -> str:
    """Return random digits in the same format. Numbers reserved for fiction get another format."""
    if _RESERVED_NUMBER.fullmatch(written):
        return _filled(chance.choice(_FORMATS), chance)
    return _filled(re.sub(r"\d", "#", written), chance)


def _filled(template: str, chance: Random) -> str:
    """Fill a template with random names, initials and digits. The first digit is not 0 or 1."""
    digits = iter([chance.choice(_FIRST_DIGITS)])

    def fill(match: re.Match[str]) -> str:
        if match[0] == "#":
            return next(digits, "") or chance.choice(_DIGITS)
        return _name(chance) if match[0] == "name" else chance.choice("abcdefghijklmnoprstvw")

    return _TEMPLATE.sub(fill, template)


def _name(chance: Random) -> str:
    """Return a random pronounceable word, unlikely to be a real name."""
    syllables = chance.choice((2, 2, 3))
    return "".join(
        chance.choice(_ONSETS) + chance.choice(_VOWELS) + chance.choice(_CODAS)
        for _ in range(syllables)
    )
