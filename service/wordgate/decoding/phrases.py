"""Phrases: how words that are suggested go on, as long as that is likely enough.

Knows pieces and probabilities; does not know how words are written or who is asking.
"""

import math
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace

from wordgate.decoding.search import ScoredWord, SearchParams, likeliest_words
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import HashedState, advance, word_log_prob
from wordgate.lm.masks import Masks, begins_mask
from wordgate.lm.requests import SHORT_ROUND, YIELD, ModelTask, Pace
from wordgate.lm.state_store import StateStore
from wordgate.lm.tokenizer import Tokenizer

_ROW_WORK = 200


@dataclass(frozen=True, slots=True)
class ScoredPhrase:
    """Words in normal form, their joint log-probability, and that of all but the first of them
    after the first."""

    words: tuple[str, ...]
    log_prob: float
    after_first: float = 0.0


Blocked = Callable[[Sequence[str]], Set[str]]
"""Returns the words that may not follow a phrase."""

Boosted = Callable[[Sequence[str]], Iterable[tuple[Sequence[str], float]]]
"""Returns the rest of each boosted phrase that a phrase begins, with its boost."""


def nothing_blocked(phrase: Sequence[str]) -> Set[str]:
    """Allow all words."""
    return frozenset()


def nothing_boosted(phrase: Sequence[str]) -> Iterable[tuple[Sequence[str], float]]:
    """Boost no phrase."""
    return ()


class PhraseSearch:
    """Finds how words go on after a context, by the model alone.

    `expansions` counts the rows of all its searches together, which the bound of `search` is for;
    it is `exact` unless they met it.
    """

    def __init__(
        self,
        pieces: Tokenizer,
        levels: AdaptiveSoftmaxLayout,
        start: HashedState,
        search: SearchParams,
        store: StateStore,
        masks: Masks,
        max_phrase_words: int,
        min_log_prob: float,
        blocked: Blocked = nothing_blocked,
        boosted: Boosted = nothing_boosted,
    ) -> None:
        """`search` says which words may go on a phrase, but for those that begin one of `masks`;
        `max_phrase_words` counts the first one. `min_log_prob`: the least log-probability of a
        phrase after its first word, boosts counted."""
        self._pieces = pieces
        self._levels = levels
        self._start = start
        self._search = replace(search, prefix=b"", count=math.floor(math.exp(-min_log_prob)) + 1)
        self._store = store
        self._rests = masks.rests_at("")
        self._max_words = max_phrase_words
        self._min_log_prob = min_log_prob
        self._blocked = blocked
        self._boosted = boosted
        self._pace = Pace(SHORT_ROUND)
        self.exact = True
        self.expansions = 0

    def after(self, word: ScoredWord) -> ModelTask[list[ScoredPhrase]]:
        """The phrases of two words or more that begin with `word` and cannot go on any further, and
        boosted ones, the likeliest first."""
        found: list[ScoredPhrase] = []
        first = ScoredPhrase((word.word,), word.log_prob)
        yield from self._go_on(first, self._start, found)
        different = {phrase.words: phrase for phrase in found}
        return sorted(different.values(), key=lambda phrase: -phrase.log_prob)

    def _go_on(
        self, phrase: ScoredPhrase, before: HashedState, found: list[ScoredPhrase]
    ) -> ModelTask[None]:
        """Find what a phrase whose last word comes after `before` goes on to."""
        longer = []
        if len(phrase.words) < self._max_words:
            context = before
            for piece in self._pieces.encode_word(phrase.words[-1]):
                [context] = yield from advance(self._store, [(context, piece)])
            longer = yield from self._longer(phrase, context)
            if len(phrase.words) == 1:
                found += yield from self._boosted_phrases(phrase, context)
        if not longer and len(phrase.words) > 1:
            found.append(phrase)
        for each in longer:
            yield from self._go_on(each, context, found)

    def _longer(self, phrase: ScoredPhrase, context: HashedState) -> ModelTask[list[ScoredPhrase]]:
        """The phrase with each word that is likely enough after it."""
        room = self._search.max_expansions - self.expansions
        if room <= 0:
            self.exact = False
            return []
        least = self._min_log_prob - phrase.after_first
        blocked, accepts = self._blocked(phrase.words), self._search.accepts
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
            yield YIELD
        masked = set()
        for word in found.words:
            if (yield from self._begins_mask(context, word.word)):
                masked.add(word.word)
        return [
            ScoredPhrase(
                (*phrase.words, word.word),
                phrase.log_prob + word.log_prob,
                phrase.after_first + word.log_prob,
            )
            for word in found.words
            if word.word not in masked
        ]

    def _boosted_phrases(
        self, first: ScoredPhrase, context: HashedState
    ) -> ModelTask[list[ScoredPhrase]]:
        """The boosted phrases that a word begins, where they are likely enough with their boosts.

        `context` has read the word.
        """
        found = []
        for rest, boost in self._boosted(first.words):
            room = self._search.max_expansions - self.expansions
            self.exact = self.exact and room > 0
            if room <= 0 or len(rest) >= self._max_words:
                continue
            if self._is_blocked(first.words, rest):
                continue
            log_prob = yield from self._log_prob(rest, context)
            if log_prob + boost >= self._min_log_prob:
                whole = (*first.words, *rest)
                found.append(ScoredPhrase(whole, first.log_prob + log_prob, log_prob))
        return found

    def _is_blocked(self, begun: Sequence[str], rest: Sequence[str]) -> bool:
        return any(
            word in self._blocked((*begun, *rest[:place])) for place, word in enumerate(rest)
        )

    def _log_prob(self, rest: Sequence[str], context: HashedState) -> ModelTask[float]:
        """The log-probability of words after a context."""
        total = 0.0
        for word in rest:
            where = self._pieces, self._levels, context
            total += yield from word_log_prob(*where, word, self._store)
            self.expansions += 1
            for piece in self._pieces.encode_word(word):
                [context] = yield from advance(self._store, [(context, piece)])
        return total

    def _begins_mask(self, context: HashedState, word: str) -> ModelTask[bool]:
        rests = self._rests.get(word, ())
        where = self._pieces, self._levels, context, word, rests, self._store
        return bool(rests) and (yield from begins_mask(*where))
