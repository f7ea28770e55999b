"""Which language a text is in, found by its characters.

By py3langid, a naive Bayes classifier over byte n-grams (Lui and Baldwin 2012, "langid.py: An
off-the-shelf language identification tool"). A recipe states what was found, so that a person
can put it right.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import islice

_PASSAGES = 400
_LEAST_SHARE = 0.5
_SAME_SCRIPT = {"yue": "zh", "wuu": "zh"}
"""Written as Chinese in most texts, and hard to tell apart in short ones."""

UNDETERMINED = "und"
"""The language tag for an unknown language (BCP 47)."""


def detect(passages: Iterable[str]) -> str:
    """The language of most of the first 400 passages by length, as a BCP 47 tag.

    `und` when no language has half of the text.
    """
    from py3langid.langid import classify

    found: Counter[str] = Counter()
    for passage in islice(passages, _PASSAGES):
        tag, _ = classify(passage)
        found[_SAME_SCRIPT.get(tag, tag)] += len(passage.encode())
    if not found:
        return UNDETERMINED
    [(tag, size)] = found.most_common(1)
    is_language = tag != "zxx" and size >= _LEAST_SHARE * found.total()
    return tag if is_language else UNDETERMINED
