"""Private data is replaced by random data of the same kind before a model sees it.

E-mail addresses, web addresses, phone numbers and other long numbers are found by their look; when
in doubt they are replaced. Dates, prices, years and short numbers stay. Each replacement is drawn
anew, by a hash of the text that it stands in: a fixed one (`someone@example.com`) would become the
likeliest answer wherever people give their own address. Text whose private data was replaced by
fixed ones before is mended in the same way.
"""

import hashlib
import re
from random import Random

# No pattern may look at a long run of characters again from each of its places: a line of text can
# be all of a file. An address is therefore a whole run with something behind it, and what comes
# before "://" is bounded.
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
    r"|\d{4}(?:[ \-]\d{4}){3}"  # a payment card
    r"|\d{3}-\d{2}-\d{4}"  # a social security number
    r"|\d{8,}(?<!000)"  # 2125550199, an account
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
    """`text` with random addresses and numbers in the place of those that belong to somebody.

    The same text gives the same replacements.
    """
    if not ("@" in text or "." in text or _ENOUGH_DIGITS.search(text)):
        return text
    digest = hashlib.blake2b(text.encode(), digest_size=16, person=b"private data").digest()
    chance = Random(int.from_bytes(digest, "big"))
    if "://" in text or "www." in text.lower():
        text = _URL.sub(lambda found: _address(found, chance), text)
    if "@" in text:
        text = _EMAIL.sub(lambda found: _email(chance) if found[1] else found[0], text)
    if "example." in text:
        text = _RESERVED_DOMAIN.sub(lambda _: _domain(chance), text)
    if _ENOUGH_DIGITS.search(text):
        text = _NUMBER.sub(lambda found: _number(found[0], chance), text)
    return text


def _address(found: re.Match[str], chance: Random) -> str:
    """A web address without its path, which may name people and hold secrets."""
    start = found[1] or "www."
    return start.lower() + _domain(chance)


def _email(chance: Random) -> str:
    return f"{_filled(chance.choice(_LOCAL_PARTS), chance)}@{_domain(chance)}"


def _domain(chance: Random) -> str:
    return f"{_name(chance)}.{chance.choice(_TOP_LEVELS)}"


def _number(written: str, chance: Random) -> str:
    """Other digits in the same places; a number kept for fiction gets another shape as well."""
    if _RESERVED_NUMBER.fullmatch(written):
        return _filled(chance.choice(_FORMATS), chance)
    return _filled(re.sub(r"\d", "#", written), chance)


def _filled(template: str, chance: Random) -> str:
    """A template with random names, initials and digits; the first digit is neither 0 nor 1."""
    digits = iter([chance.choice(_FIRST_DIGITS)])

    def fill(found: re.Match[str]) -> str:
        if found[0] == "#":
            return next(digits, "") or chance.choice(_DIGITS)
        return _name(chance) if found[0] == "name" else chance.choice("abcdefghijklmnoprstvw")

    return _TEMPLATE.sub(fill, template)


def _name(chance: Random) -> str:
    """A word that can be spoken, and most likely belongs to nobody."""
    syllables = chance.choice((2, 2, 3))
    return "".join(
        chance.choice(_ONSETS) + chance.choice(_VOWELS) + chance.choice(_CODAS)
        for _ in range(syllables)
    )
