"""Phrases: how words that are suggested go on, as long as that is likely enough.

Knows pieces and probabilities; does not know how words are written or who is asking.
"""

import math
from dataclasses import dataclass, replace

from wordgate.core.asks import PAUSE, SHORT_ROUND, Asks, Pace
from wordgate.core.known import Context, advance
from wordgate.core.levels import Levels
from wordgate.core.masks import Masks, begins_mask
from wordgate.core.pieces import Pieces
from wordgate.core.search import FoundWord, Search, likeliest_words
from wordgate.core.state_store import StateStore

_ROW_WORK = 200


@dataclass(frozen=True, slots=True)
class FoundPhrase:
    """Words in normal form, their joint log-probability, and that of all but the first of them
    after the first."""

    words: tuple[str, ...]
    log_prob: float
    after_first: float = 0.0


class PhraseSearch:
    """Finds how words go on after a context, by the model alone.

    `expansions` counts the rows of all its searches together, which the bound of `search` is for;
    it is `exact` unless they met it.
    """

    def __init__(
        self,
        pieces: Pieces,
        levels: Levels,
        start: Context,
        search: Search,
        store: StateStore,
        masks: Masks,
        max_words: int,
        min_log_prob: float,
    ) -> None:
        """`search` says which words may go on a phrase, but for those that begin one of `masks`;
        `max_words` counts the first one. `min_log_prob`: what a phrase must have after its first
        word."""
        self._pieces = pieces
        self._levels = levels
        self._start = start
        self._search = replace(search, prefix=b"", count=math.floor(math.exp(-min_log_prob)) + 1)
        self._store = store
        self._rests = masks.rests_at("")
        self._max_words = max_words
        self._min_log_prob = min_log_prob
        self._pace = Pace(SHORT_ROUND)
        self.exact = True
        self.expansions = 0

    def after(self, word: FoundWord) -> Asks[list[FoundPhrase]]:
        """The phrases of two words or more that begin with `word` and cannot go on any further,
        the likeliest first."""
        found: list[FoundPhrase] = []
        first = FoundPhrase((word.word,), word.log_prob)
        yield from self._go_on(first, self._start, found)
        return sorted(found, key=lambda phrase: -phrase.log_prob)

    def _go_on(self, phrase: FoundPhrase, before: Context, found: list[FoundPhrase]) -> Asks[None]:
        """Find what a phrase whose last word comes after `before` goes on to."""
        longer = []
        if len(phrase.words) < self._max_words:
            context = before
            for piece in self._pieces.encode_word(phrase.words[-1]):
                [context] = yield from advance(self._store, [(context, piece)])
            longer = yield from self._longer(phrase, context)
        if not longer and len(phrase.words) > 1:
            found.append(phrase)
        for each in longer:
            yield from self._go_on(each, context, found)

    def _longer(self, phrase: FoundPhrase, context: Context) -> Asks[list[FoundPhrase]]:
        """The phrase with each word that is likely enough after it."""
        room = self._search.max_expansions - self.expansions
        if room <= 0:
            self.exact = False
            return []
        least = self._min_log_prob - phrase.after_first
        search = replace(self._search, min_log_prob=least, max_expansions=room)
        found = yield from likeliest_words(self._pieces, self._levels, context, search, self._store)
        self.exact = self.exact and found.exact
        self.expansions += found.expansions
        if self._pace.is_due(_ROW_WORK * found.expansions):
            yield PAUSE
        masked = set()
        for word in found.words:
            if (yield from self._begins_mask(context, word.word)):
                masked.add(word.word)
        return [
            FoundPhrase(
                (*phrase.words, word.word),
                phrase.log_prob + word.log_prob,
                phrase.after_first + word.log_prob,
            )
            for word in found.words
            if word.word not in masked
        ]

    def _begins_mask(self, context: Context, word: str) -> Asks[bool]:
        rests = self._rests.get(word, ())
        where = self._pieces, self._levels, context, word, rests, self._store
        return bool(rests) and (yield from begins_mask(*where))
