"""Truecasing data: count the written forms of words and punctuation in the training text.

A word in normal form (`london`) has a usual written form (`London`) if it is mostly written that
way inside sentences, where position does not explain a capital. A punctuation mark has one if it is
mostly written full-width, as in Chinese (`，`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from wordgate.text import words
from wordgate.text.normalization import normalise
from wordgate.training.data.masking import mask

_INSIDE = re.compile(
    rf"(?:(?<=[\w,] )|(?<=[{words.UNSPACED}]))(?![{words.UNSPACED}])"
    rf"(?:(?![{words.UNSPACED}])[^\W_])+(?:['\u2019][^\W_]+)*"
)
"""A word after a word or a comma, or after a letter of a script without spaces."""

_MARK = re.compile(r"[!(),:;?~！（），：；？～]")
"""Marks that exist in Unicode in two widths."""

_MIN_COUNT = 5
_MIN_SHARE = 0.6


def usual_forms(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the usual written form of each word whose form differs from its normal form."""
    by_word: dict[str, dict[str, int]] = {}
    for form, count in counts.items():
        word = normalise(form)
        if words.split(word) == [word]:
            by_word.setdefault(word, {})[form] = count
    usual = {}
    for word, forms in sorted(by_word.items()):
        form, count = max(forms.items(), key=lambda item: (item[1], item[0]))
        if form != word and count >= _MIN_COUNT and count >= _MIN_SHARE * sum(forms.values()):
            usual[word] = form
    return usual


def count_passages(passages: Iterable[str]) -> Counter[str]:
    """Count the written forms of words in passages, except at the beginning of sentences.

    Passages entirely in lower or upper case carry no information on words.
    """
    counts: Counter[str] = Counter()
    for text in passages:
        masked = mask(text)
        counts.update(_MARK.findall(masked))
        if masked != masked.lower() and masked != masked.upper():
            counts.update(_INSIDE.findall(masked))
    return counts
