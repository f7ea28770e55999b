"""Detection of partly typed e-mail addresses. Nothing is suggested there: the rest is private data.

`@name` at the beginning of a word is a mention, not an address.
"""

import re

from wordgate.text.words import is_unspaced

_BEGUN = re.compile(r"([\w.+%-])@(?:[A-Za-z0-9]+[.-]+)*$")

_LONGEST = 320
"""Maximum length of an address in characters, RFC 3696."""


def ends_in_address(history: str) -> bool:
    """Return whether a text ends inside an e-mail address, after its `@`: `anna@`, `anna@gmail.`.

    `history` does not include the unfinished word.
    """
    match = _BEGUN.search(history[-_LONGEST:])
    return match is not None and not is_unspaced(match[1])
