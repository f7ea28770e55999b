"""E-mail addresses, URLs and file names: where a text ends inside one, its spacing and case.

`someone@example.com`, `www.example.org` and `notes.txt` contain no spaces. They are lower case
unless the user types capitals. `@name` at the beginning of a word is a mention, not an address.
"""

import re

from wordgate.text.words import is_unspaced

_LONGEST = 128
"""Number of characters examined at the end of a text."""

_LONGEST_EMAIL = 320
"""Maximum length of an e-mail address in characters, RFC 3696."""


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_DOMAINS = _set("au br cn com edu gov hk io jp kr mil net nz org pl ru sg tw uk")
"""Top-level domains that never begin a sentence, so they identify an address by themselves."""

_COUNTRIES = _set("ai at be ca ch co de es eu fr ie in info is it me my nl no se us")
"""Top-level domains that are also words."""

_FILES = _set(
    "bmp cfg conf cpp css csv docx exe gif gz htm html ini jpeg jpg js json mkv mp3 mp4 pdf php"
    " png pptx py sql svg tar toml tsv txt wav xlsx xml yaml yml"
)
"""File extensions that never begin a sentence."""

_MENTIONS = _set(
    "a all also am an and are as at be but by can cc do follow for from go had has have hello"
    " hey hi i if in is it its just like m me my no not of on or our out rt s she so thank"
    " thanks that the their them then they this to too twitter up use via was we were what when"
    " where who will with yes you your"
)
"""Words after which `@` begins a mention: `thanks to @anna`. After any other word it is part of an
address."""

_EMAIL_BEGUN = re.compile(r"([\w.+%-])@(?:[A-Za-z0-9]+[.-]+)*$")
_INITIAL = re.compile(r"(?<!\w)([^\W\d_])\.\Z")
_AT = re.compile(r"(\w)@")
_LAST_WORD = re.compile(r"\w+\Z")


def ends_in_email(history: str) -> bool:
    """Return whether a text ends inside an e-mail address, after its `@`: `anna@`, `anna@gmail.`.

    Nothing is suggested there: the rest is private data. `history` does not include the unfinished
    word.
    """
    match = _EMAIL_BEGUN.search(history[-_LONGEST_EMAIL:])
    return match is not None and not is_unspaced(match[1])


def ends_in_address(text: str) -> bool:
    """Return whether a text ends inside an e-mail address, URL, path or file name.

    This holds after an `@` inside a chunk without spaces, anywhere in a URL, and directly after a
    full stop or backslash inside such a chunk: `anna@gm`, `www.`, `file.`.
    """
    token = _token(text)
    return _has_address(token) or (token[-1:] in (".", "\\") and token[-2:-1].isalnum())


def ends_with_address(text: str) -> bool:
    """Return whether a text ends with an e-mail address or URL."""
    return _has_address(_token(text))


def casing_in_address(text: str, word: str) -> str:
    """Return the casing of a normalised word directly after part of an address or an initial.

    It is lower case, except that a second initial takes the case of the first: `U.S`.
    """
    initial = _INITIAL.search(text[-_LONGEST:])
    is_capital = initial is not None and initial[1].isupper() and len(word) == 1
    return word.upper() if is_capital and len(word.upper()) == 1 else word


def continues_address(text: str, word: str) -> bool:
    """Return whether a normalised word or mark continues the address at the end of a text."""
    token = _token(text).lower()
    if not token:
        return False
    mark = token[-1]
    if word == "@":
        return mark.isalnum() and _is_before_at(token)
    if word == "/":
        is_scheme = token.endswith(("http:", "https:", "http:/", "https:/"))
        return is_scheme or (mark == "/" and _has_address(token))
    follows_word = token[-2:-1].isalnum()
    return word[0].isalnum() and (
        token.endswith("://")
        or (mark == "@" and follows_word)
        or (mark == "." and follows_word and _goes_on_name(token, word))
    )


def _goes_on_name(token: str, word: str) -> bool:
    """Return whether a word continues a domain or file name after its full stop: `example.`."""
    if word in _DOMAINS or word in _FILES:
        return True
    if not _has_address(token) or "/" in token.partition("://")[2]:
        return False
    last = _LAST_WORD.search(token[:-1])
    return last is None or last.group() not in _DOMAINS | _COUNTRIES


def _is_before_at(token: str) -> bool:
    word = _LAST_WORD.search(token)
    return word is not None and word.group() not in _MENTIONS


def _has_address(token: str) -> bool:
    token = token.lower()
    at = _AT.search(token)
    is_mail = at is not None and not is_unspaced(at[1])
    return is_mail or token.startswith("www.") or "://" in token


def _token(text: str) -> str:
    """Return the last chunk of a text without white space, stripped of opening brackets.

    A character of a script without spaces ends the chunk.
    """
    if not text or text[-1].isspace():
        return ""
    token = text[-_LONGEST:].rsplit(maxsplit=1)[-1].lstrip("([{<\"'“‘«")
    for place in range(len(token) - 1, -1, -1) if not token.isascii() else ():
        if is_unspaced(token[place]):
            return token[place + 1 :]
    return token
