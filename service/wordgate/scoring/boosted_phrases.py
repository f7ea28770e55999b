"""A prefix tree of reversed boosted phrases, for lookup by last word."""

from collections.abc import Iterator, Sequence

_ROOT = 0


class BoostedPhrases:
    """Boosted phrases in a prefix tree that is read from the last word backwards.

    `added` is the number of calls to `add`. `longest` is the length of the longest phrase in words.
    """

    def __init__(self) -> None:
        self.added = 0
        self.longest = 0
        self._nodes: dict[tuple[int, str], int] = {}
        self._weights = [0.0]
        self._last_words: dict[int, str] = {}

    def add(self, phrase: Sequence[str], weight: float) -> None:
        """Add a phrase of at least one word. Weights of equal phrases are summed."""
        node = _ROOT
        for word in reversed(phrase):
            node = self._nodes.setdefault((node, word), len(self._weights))
            if node == len(self._weights):
                self._weights.append(0.0)
        self._weights[node] += weight
        self._last_words.setdefault(node, phrase[-1])
        self.added += 1
        self.longest = max(self.longest, len(phrase))

    def ending(self, words: Sequence[str], end: int) -> list[float]:
        """Return the weights of the phrases that end with word `end - 1`, shortest phrase first.

        Suffixes that are not a complete phrase have an entry of 0.
        """
        weights = []
        node = _ROOT
        for index in range(end - 1, -1, -1):
            node = self._nodes.get((node, words[index]), _ROOT)
            if node == _ROOT:
                break
            weights.append(self._weights[node])
        return weights

    def by_last_word(self) -> Iterator[tuple[str, float]]:
        """Yield the last word and the weight of each distinct phrase, in insertion order."""
        return ((word, self._weights[node]) for node, word in self._last_words.items())
