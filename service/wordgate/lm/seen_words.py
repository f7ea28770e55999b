"""The training vocabulary of a model. By default only its words are suggested.

A model gives every sequence of letters some probability. Without this restriction a rare prefix
would be completed to non-words.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence


class SeenWords:
    """A sorted set of words in normal form, with lookup by UTF-8 prefix.

    `and_marks` also allows every word that does not begin with a letter or digit.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._texts: Sequence[bytes] = sorted({word.encode("utf-8") for word in words})
        self._marks = False

    def and_marks(self) -> "SeenWords":
        """Return a set that also allows all punctuation marks and symbols."""
        both = SeenWords()
        both._texts, both._marks = self._texts, True
        return both

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.has(word.encode("utf-8"))

    def has(self, written: bytes) -> bool:
        """Return whether these bytes are an allowed word."""
        index = bisect_left(self._texts, written)
        is_seen = index < len(self._texts) and self._texts[index] == written
        return is_seen or (self._marks and _may_be_mark(written))

    def goes_on(self, written: bytes) -> bool:
        """Return whether any longer allowed word has this prefix."""
        index = bisect_right(self._texts, written)
        is_seen = index < len(self._texts) and self._texts[index].startswith(written)
        return is_seen or (self._marks and _may_be_mark(written))

    def begins(self, written: bytes) -> bool:
        """Return whether any allowed word has this prefix."""
        return self.has(written) or self.goes_on(written)

    def few_from(self, written: bytes, most: int) -> list[str] | None:
        """Return all allowed words with this prefix, or None if there may be more than `most`."""
        first = bisect_left(self._texts, written)
        after = bisect_left(self._texts, written + b"\xff", lo=first)  # UTF-8 never contains 0xFF
        if after - first > most or (self._marks and _may_be_mark(written)):
            return None
        return [text.decode("utf-8") for text in self._texts[first:after]]


def _may_be_mark(written: bytes) -> bool:
    """Return whether these bytes may begin a mark."""
    return not written.decode("utf-8", errors="ignore")[:1].isalnum()
