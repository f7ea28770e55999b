"""How people write words and marks: counted in the text that a model is trained on.

Knows passages and words; does not know pieces. A word in normal form (`london`) has a usual
written form (`London`) when that is how it mostly stands inside sentences, where a capital is not
owed to its place. A mark has one where it is mostly written full-width, as in Chinese (`，`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from wordgate.text import words
from wordgate.text.normalization import normalise
from wordgate.training.data import corpus
from wordgate.training.data.masking import mask

_INSIDE = re.compile(
    rf"(?:(?<=[\w,] )|(?<=[{words.UNSPACED}]))(?![{words.UNSPACED}])"
    rf"(?:(?![{words.UNSPACED}])[^\W_])+(?:['\u2019][^\W_]+)*"
)
"""A word that follows a word or a comma, or a letter of a script without spaces."""

_MARK = re.compile(r"[!(),:;?~！（），：；？～]")
"""Marks that Unicode has in two widths."""

_LEAST_COUNT = 5
_LEAST_SHARE = 0.6


def usual_forms(counts: Mapping[str, int]) -> dict[str, str]:
    """From counts of written forms: words whose usual form differs from their normal form."""
    by_word: dict[str, dict[str, int]] = {}
    for form, count in counts.items():
        word = normalise(form)
        if words.split(word) == [word]:
            by_word.setdefault(word, {})[form] = count
    found = {}
    for word, forms in sorted(by_word.items()):
        form, count = max(forms.items(), key=lambda item: (item[1], item[0]))
        if form != word and count >= _LEAST_COUNT and count >= _LEAST_SHARE * sum(forms.values()):
            found[word] = form
    return found


def count_forms(paths: Sequence[Path]) -> Counter[str]:
    """Written forms of the words in files of text, where they do not begin a sentence."""
    counts: Counter[str] = Counter()
    for path in paths:
        counts.update(count_passages(corpus.read_passages(path)))
    return counts


def count_passages(passages: Iterable[str]) -> Counter[str]:
    """The same for passages. Those all in lower or all in upper case say nothing of words."""
    counts: Counter[str] = Counter()
    for text in passages:
        masked = mask(text)
        counts.update(_MARK.findall(masked))
        if masked != masked.lower() and masked != masked.upper():
            counts.update(_INSIDE.findall(masked))
    return counts
