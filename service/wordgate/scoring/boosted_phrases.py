"""Boosted phrases, looked up by the words that they end with."""

from collections.abc import Iterator, Sequence

_ROOT = 0


class BoostedPhrases:
    """A prefix tree of reversed phrases; its nodes are numbers.

    `added` counts the phrases, equal ones each time; `longest` is the words of the longest.
    """

    def __init__(self) -> None:
        self.added = 0
        self.longest = 0
        self._nodes: dict[tuple[int, str], int] = {}
        self._weights = [0.0]
        self._last_words: dict[int, str] = {}

    def add(self, phrase: Sequence[str], weight: float) -> None:
        """Add a phrase of at least one word. The weights of equal phrases add up."""
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
        """Return the weights of the phrases that end with word `end - 1`, the shorter ones first.

        Words that begin no phrase there weigh nothing.
        """
        found = []
        node = _ROOT
        for place in range(end - 1, -1, -1):
            node = self._nodes.get((node, words[place]), _ROOT)
            if node == _ROOT:
                break
            found.append(self._weights[node])
        return found

    def by_last_word(self) -> Iterator[tuple[str, float]]:
        """Return the last word and the weight of each phrase, in the order they were added."""
        return ((word, self._weights[node]) for node, word in self._last_words.items())
