"""E-mail addresses that are being typed, where nothing is suggested: the rest is private data.

`@name` at the beginning of a word is a mention instead.
"""

import re

from wordgate.text.words import is_unspaced

_BEGUN = re.compile(r"([\w.+%-])@(?:[A-Za-z0-9]+[.-]+)*$")

_LONGEST = 320
"""Maximum length of an address in characters, RFC 3696."""


def ends_in_address(history: str) -> bool:
    """Return whether a text ends inside an address, after its `@`: `anna@`, `anna@gmail.`.

    `history` does not include the word that is being typed.
    """
    found = _BEGUN.search(history[-_LONGEST:])
    return found is not None and not is_unspaced(found[1])
