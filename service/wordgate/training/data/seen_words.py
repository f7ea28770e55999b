"""Count the words of a training text, to list those that may be suggested.

A word is listed if it stands three times or more, in two passages at least, so that neither a
single typing error nor a name that one passage repeats is suggested. Addresses are left out.

Common misspellings stand more often. Words that are no more frequent than the error model
(`text.typo_model`) expects misspellings of a more frequent word to be are suspect: about half are
misspellings (`recieve`), the others rare words (`massage`, close to `message`).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Set

from wordgate.text import words
from wordgate.text.normalization import normalise
from wordgate.text.typo_model import corrections_of
from wordgate.training.data.masking import mask

LEAST_COUNT = 3
LEAST_PASSAGES = 2

_LEAST_LETTERS = 4
"""Shorter words are not suspect: most of those that are close to another are words."""

_LONG = 7
_LONG_FACTOR = 3
"""People misspell long words more often than the error model, which is of one place, expects."""

_ADDRESS = re.compile(r"\S*(?:@\S|://|www\.)\S*", re.IGNORECASE)


class SeenWordCounter:
    """Counts the words of passages that pass through it."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._passages: Counter[str] = Counter()

    def passing(self, passages: Iterable[str]) -> Iterator[str]:
        """The same passages; their words have been counted."""
        for text in passages:
            found = _public_words(text)
            self._counts.update(found)
            self._passages.update(set(found))
            yield text

    def words(self) -> Set[str]:
        """Words of letters and digits that were seen often enough."""
        return {
            word
            for word, passages in self._passages.items()
            if passages >= LEAST_PASSAGES
            and self._counts[word] >= LEAST_COUNT
            and not words.is_punctuation(word)
        }

    def suspect(self) -> Set[str]:
        """Those of `words` that are no more frequent than misspellings of another word are."""
        return {word for word in self.words() if self._is_suspect(word)}

    def _is_suspect(self, word: str) -> bool:
        """Return whether misspellings of a more frequent word explain how often this one stands.

        A lost apostrophe is not a sign: `ill` and `I'll` are both words.
        """
        if len(word) < _LEAST_LETTERS:
            return False
        factor = _LONG_FACTOR if len(word) >= _LONG else 1
        least = self._counts[word] / factor
        return any(
            self._counts[other] * math.exp(log_probability) >= least
            for other, log_probability in corrections_of(word, is_finished=True).items()
            if self._counts[other] > least and other.replace("'", "") != word
        )


def _public_words(text: str) -> list[str]:
    """The words of a passage, without addresses and without what stands for private data."""
    without = _ADDRESS.sub(" ", text)
    masked = mask(without)
    found = words.split(normalise(masked))
    if masked == without:
        return found
    own = set(words.split(normalise(without)))
    return [word for word in found if word in own]
