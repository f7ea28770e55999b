"""Which words a training text has: counted in the text that a model is trained on.

Knows passages and words; does not know pieces. A word counts where it stands several times, and in
two passages at least, so that what somebody mistyped once, or a name that one passage repeats, is
not suggested to others. Addresses are left out.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Set

from wordgate.core import words
from wordgate.core.text import normalise
from wordgate.training.masking import mask

LEAST_COUNT = 3
LEAST_PASSAGES = 2

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


def _public_words(text: str) -> list[str]:
    """The words of a passage, without addresses and without what stands for private data."""
    without = _ADDRESS.sub(" ", text)
    masked = mask(without)
    found = words.split(normalise(masked))
    if masked == without:
        return found
    own = set(words.split(normalise(without)))
    return [word for word in found if word in own]
