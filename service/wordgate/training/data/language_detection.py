"""Detect the language of a text.

Uses py3langid, a naive Bayes classifier over byte n-grams (Lui and Baldwin 2012, "langid.py: An
off-the-shelf language identification tool"). The result is written to the recipe, where users can
correct it.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import islice

_PASSAGES = 400
_MIN_SHARE = 0.5
_SAME_SCRIPT = {"yue": "zh", "wuu": "zh"}
"""Chinese varieties that are mostly written as standard Chinese and confused in short texts."""

UNDETERMINED = "und"
"""The language tag for an unknown language (BCP 47)."""


def detect(passages: Iterable[str]) -> str:
    """Return the main language of the first 400 passages, by length, as a BCP 47 tag.

    Returns `und` if no language accounts for half of the text.
    """
    from py3langid.langid import classify

    sizes: Counter[str] = Counter()
    for passage in islice(passages, _PASSAGES):
        tag, _ = classify(passage)
        sizes[_SAME_SCRIPT.get(tag, tag)] += len(passage.encode())
    if not sizes:
        return UNDETERMINED
    [(tag, size)] = sizes.most_common(1)
    is_language = tag != "zxx" and size >= _MIN_SHARE * sizes.total()
    return tag if is_language else UNDETERMINED
