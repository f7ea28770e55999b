"""E-mail addresses, web addresses and phone numbers are replaced before a model sees them.

Knows what such things look like; errs on the side of masking. Dates, prices, years and short
numbers stay.
"""

import re

EMAIL = "someone@example.com"
URL = "example.com"
PHONE = "555-0100"

# No pattern may look at a long run of characters again from each of its places: a line of text can
# be all of a file. An address is therefore a whole run with something behind it, and what comes
# before "://" is bounded.
_EMAIL = re.compile(r"[\w.+%-]+(@[\w-]+(?:\.[\w-]+)+)?")
_URL = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{0,30}://|\bwww\.)[^\s<>\"]*[^\s<>\".,;:!?)\]}']", re.IGNORECASE
)
_PHONE = re.compile(
    r"(?<![\w.,$€£-])"
    r"(?:"
    r"\+\d{1,3}(?:[ .\-/]?\(?\d{1,4}\)?){2,6}"  # +49 30 1234567
    r"|(?:1[ .\-])?\(\d{2,5}\)[ .\-]?\d{3,4}[ .\-]?\d{3,4}"  # (212) 555-0199
    r"|(?:1[ .\-])?\d{3}[ .\-]\d{3}[ .\-]\d{4}"  # 212-555-0199
    r"|0\d{2,5}[ \-/]\d{3,4}[ \-]?\d{3,5}"  # 020 7946 0958
    r"|\d{3}-\d{4}"  # 555-0199
    r"|\d{10,11}"  # 2125550199
    r")"
    r"(?![\w-]|[.,]\d)"
)
_ENOUGH_DIGITS = re.compile(r"\d\D{0,3}\d\D{0,3}\d\D{0,3}\d\D{0,3}\d\D{0,3}\d\D{0,3}\d")


def mask(text: str) -> str:
    """`text` with addresses and phone numbers replaced by ones that belong to nobody."""
    if "://" in text or "www." in text.lower():
        text = _URL.sub(URL, text)
    if "@" in text:
        text = _EMAIL.sub(lambda found: EMAIL if found[1] else found[0], text)
    if _ENOUGH_DIGITS.search(text):
        text = _PHONE.sub(PHONE, text)
    return text
