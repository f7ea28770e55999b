"""Phrases: how words that are suggested go on, as long as that is likely enough.

Knows pieces and probabilities; does not know how words are written or who is asking.
"""

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from wordgate.core.asks import PAUSE, SHORT_ROUND, Asks, Pace
from wordgate.core.favoured import word_log_prob
from wordgate.core.known import Context, advance
from wordgate.core.levels import Levels
from wordgate.core.pieces import Pieces
from wordgate.core.search import FoundWord, Search, likeliest_words
from wordgate.core.state_store import StateStore

_ROW_WORK = 200


@dataclass(frozen=True, slots=True)
class FoundPhrase:
    """Words in normal form, their joint log-probability, and that of all but the first of them
    after the first; `boost` is added for its place among phrases."""

    words: tuple[str, ...]
    log_prob: float
    after_first: float = 0.0
    boost: float = 0.0


ListedAfter = Callable[[Sequence[str]], tuple[Set[str], Mapping[str, float]]]
"""Says of a phrase which words may not go on with it, and the boosts of others that may."""


def nothing_listed(phrase: Sequence[str]) -> tuple[Set[str], Mapping[str, float]]:
    """No word is blocked or boosted."""
    return frozenset(), {}


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
        max_words: int,
        min_log_prob: float,
        listed_after: ListedAfter = nothing_listed,
    ) -> None:
        """`search` says which words may go on a phrase; `max_words` counts the first one.
        `min_log_prob`: what a phrase must have after its first word, boosts counted."""
        self._pieces = pieces
        self._levels = levels
        self._start = start
        self._search = replace(search, prefix=b"", count=math.floor(math.exp(-min_log_prob)) + 1)
        self._store = store
        self._max_words = max_words
        self._min_log_prob = min_log_prob
        self._listed_after = listed_after
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
            blocked, boosts = self._listed_after(phrase.words)
            longer = yield from self._longer(phrase, context, blocked)
            longer = yield from self._boosted(phrase, context, boosts, longer)
        if not longer and len(phrase.words) > 1:
            found.append(phrase)
        for each in longer:
            yield from self._go_on(each, context, found)

    def _longer(
        self, phrase: FoundPhrase, context: Context, blocked: Set[str]
    ) -> Asks[list[FoundPhrase]]:
        """The phrase with each word that is likely enough after it."""
        room = self._search.max_expansions - self.expansions
        if room <= 0:
            self.exact = False
            return []
        least = self._min_log_prob - phrase.after_first - phrase.boost
        accepts = self._search.accepts
        search = replace(
            self._search,
            accepts=lambda word: word not in blocked and accepts(word),
            min_log_prob=least,
            max_expansions=room,
        )
        found = yield from likeliest_words(self._pieces, self._levels, context, search, self._store)
        self.exact = self.exact and found.exact
        self.expansions += found.expansions
        if self._pace.is_due(_ROW_WORK * found.expansions):
            yield PAUSE
        return [
            FoundPhrase(
                (*phrase.words, word.word),
                phrase.log_prob + word.log_prob,
                phrase.after_first + word.log_prob,
                phrase.boost,
            )
            for word in found.words
        ]

    def _boosted(
        self,
        phrase: FoundPhrase,
        context: Context,
        boosts: Mapping[str, float],
        longer: Sequence[FoundPhrase],
    ) -> Asks[list[FoundPhrase]]:
        """The same with the words that go on a boosted phrase, where they are likely enough so."""
        found = [each for each in longer if each.words[-1] not in boosts]
        for word, boost in boosts.items():
            if not self._search.accepts(word):
                continue
            where = self._pieces, self._levels, context
            log_prob = yield from word_log_prob(*where, word, self._store)
            self.expansions += 1
            each = FoundPhrase(
                (*phrase.words, word),
                phrase.log_prob + log_prob,
                phrase.after_first + log_prob,
                phrase.boost + boost,
            )
            if each.after_first + each.boost >= self._min_log_prob:
                found.append(each)
        return found
