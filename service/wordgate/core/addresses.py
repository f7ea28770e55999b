"""E-mail addresses that are being typed: nobody can guess how somebody else's goes on.

Knows characters; does not know models. `@name` at the beginning of a word is a mention instead.
"""

import re

from wordgate.core.words import is_unspaced

_BEGUN = re.compile(r"([\w.+%-])@(?:[A-Za-z0-9]+[.-]+)*$")

_LONGEST = 320
"""Characters of an address, RFC 3696."""


def ends_in_address(history: str) -> bool:
    """Whether a text ends inside an address, behind its `@`: `anna@`, `anna@gmail.`.

    `history` is without the word that is being typed.
    """
    found = _BEGUN.search(history[-_LONGEST:])
    return found is not None and not is_unspaced(found[1])
