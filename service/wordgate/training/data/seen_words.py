"""Build the training vocabulary: the words that may be suggested.

A word is included if it occurs at least three times and in at least two passages, which excludes
single typos and names that one passage repeats. Addresses are excluded.

Common misspellings pass this filter. A word is suspect if the error model (`text.typo_model`)
explains its frequency as misspellings of a more frequent word. About half of the suspect words are
misspellings (`recieve`), the others are rare words (`massage`, close to `message`).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Set

from wordgate.text import words
from wordgate.text.normalization import normalise
from wordgate.text.typo_model import corrections_of
from wordgate.training.data.masking import mask

MIN_COUNT = 3
MIN_PASSAGES = 2

_MIN_LETTERS = 4
"""Shorter words are never suspect: most short words close to another are real words."""

_LONG = 7
_LONG_FACTOR = 3
"""Long words are misspelled more often than the error model expects; it covers one edit only."""

_ADDRESS = re.compile(r"\S*(?:@\S|://|www\.)\S*", re.IGNORECASE)


class SeenWordCounter:
    """Counts the words of a stream of passages."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._passages: Counter[str] = Counter()

    def passing(self, passages: Iterable[str]) -> Iterator[str]:
        """Count the words of the passages and yield the passages unchanged."""
        for text in passages:
            public = _public_words(text)
            self._counts.update(public)
            self._passages.update(set(public))
            yield text

    def words(self) -> Set[str]:
        """Return the words, without punctuation, that occur often enough."""
        return {
            word
            for word, passages in self._passages.items()
            if passages >= MIN_PASSAGES
            and self._counts[word] >= MIN_COUNT
            and not words.is_punctuation(word)
        }

    def suspect(self) -> Set[str]:
        """Return the subset of `words` that are likely misspellings of a more frequent word."""
        return {word for word in self.words() if self._is_suspect(word)}

    def _is_suspect(self, word: str) -> bool:
        """Return whether misspellings of a more frequent word explain this word's frequency.

        A missing apostrophe does not count: `ill` and `I'll` are both words.
        """
        if len(word) < _MIN_LETTERS:
            return False
        factor = _LONG_FACTOR if len(word) >= _LONG else 1
        least = self._counts[word] / factor
        return any(
            self._counts[other] * math.exp(log_probability) >= least
            for other, log_probability in corrections_of(word, is_finished=True).items()
            if self._counts[other] > least and other.replace("'", "") != word
        )


def _public_words(text: str) -> list[str]:
    """Return the words of a passage without addresses and masked private data."""
    without = _ADDRESS.sub(" ", text)
    masked = mask(without)
    text_words = words.split(normalise(masked))
    if masked == without:
        return text_words
    own = set(words.split(normalise(without)))
    return [word for word in text_words if word in own]
