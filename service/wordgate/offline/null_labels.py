"""Null labels: a recogniser's marks for noise, silence and sentence boundaries.

The language model must not read them. In a pattern, `*` matches any characters.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from wordgate.scoring.lattice import NULL_LABELS

_DELETED = "*DELETE*"
"""SRILM's empty word in a word mesh; its asterisks are not wildcards."""

RECOGNISERS = (*NULL_LABELS, "!ENTER", "!EXIT", "!SIL", "#0", _DELETED, "-pau-", "++*++")
"""Null labels of HTK, Kaldi, ESPnet, SRILM, PocketSphinx and vosk."""


class NullLabels:
    """A set of patterns of null labels."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.patterns = tuple(patterns)
        regex = "|".join(map(_regex, self.patterns))
        self._matches = lru_cache(1 << 16)(re.compile(regex or r"(?!)", re.DOTALL).fullmatch)

    def matches(self, label: str) -> bool:
        """Return whether a label is a null label."""
        return self._matches(label) is not None


def _regex(pattern: str) -> str:
    if pattern == _DELETED:
        return re.escape(pattern)
    return ".*".join(map(re.escape, pattern.split("*")))
