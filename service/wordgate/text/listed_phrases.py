"""Lookup of listed phrases (blocked, boosted or never suggested) by the preceding words.

In scripts without spaces each character is a word, so most entries there are phrases.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from wordgate.text import words
from wordgate.text.cooperative_steps import finish
from wordgate.text.normalization import normalise

MAX_LISTED_PHRASE_WORDS = 16
"""Maximum number of words per entry. Longer entries are rejected."""

_TAILS = (512, 4096)
"""Lengths of the end of a text to search for the preceding words, in characters, tried in turn."""


class Following(NamedTuple):
    """A phrase that the preceding words begin. Its word number `place` (from 0) comes next."""

    phrase: str
    word: str
    place: int
    is_last: bool


class ListedPhrases:
    """A set of phrases in normal form, with single spaces between words.

    The phrases are stored in one string, which is compact and fast to search.
    """

    def __init__(self, phrases: Iterable[str] = ()) -> None:
        several = dict.fromkeys(phrase for phrase in phrases if " " in phrase)
        self._text = "".join(f"\n{phrase}\n" for phrase in several)
        self.longest = max((phrase.count(" ") + 1 for phrase in several), default=0)

    def __bool__(self) -> bool:
        return bool(self._text)

    def following(self, before: Sequence[str]) -> Iterator[Following]:
        """Yield the phrases whose first words are the last of `before`."""
        for length in range(1, min(self.longest - 1, len(before)) + 1):
            begun = " ".join(before[-length:])
            for phrase in self._beginning(f"\n{begun} "):
                word, *rest = phrase[len(begun) + 1 :].split(" ", 1)
                yield Following(phrase, word, length, not rest)

    def completed_by(self, before: Sequence[str]) -> frozenset[str]:
        """Return the words that would complete a phrase after `before`."""
        return frozenset(each.word for each in self.following(before) if each.is_last)

    def within(self, text_words: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Yield each phrase contained in these words, with the index of its first word."""
        for first, word in enumerate(text_words):
            for phrase in self._beginning(f"\n{word} "):
                if phrase == " ".join(text_words[first : first + phrase.count(" ") + 1]):
                    yield first, phrase

    def words_before(self, text: str) -> list[str]:
        """Return the last words of a text in normal form: one fewer than the longest phrase has."""
        last_words: list[str] = []
        wanted = max(0, self.longest - 1)
        for tail in _TAILS if wanted else ():
            last_words = finish(words.splitting(normalise(text[-tail:])))
            if len(last_words) > wanted or tail >= len(text):
                break
        is_cut = len(text) > _TAILS[-1] and len(last_words) <= wanted
        return last_words[max(is_cut, len(last_words) - wanted) :]

    def _beginning(self, begun: str) -> Iterator[str]:
        place = self._text.find(begun)
        while place >= 0:
            end = self._text.index("\n", place + 1)
            yield self._text[place + 1 : end]
            place = self._text.find(begun, end)
