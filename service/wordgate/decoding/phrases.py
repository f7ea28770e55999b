"""Phrase suggestions: extend suggested words while the continuation is likely enough."""

import math
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace

from wordgate.decoding.next_words import likeliest_words
from wordgate.decoding.search import ScoredWord, SearchParams
from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.masks import Masks, begins_mask
from wordgate.lm.requests import ModelTask


@dataclass(frozen=True, slots=True)
class ScoredPhrase:
    """Words in normal form and their joint log-probability.

    `after_first` is the log-probability of the other words, given the first.
    """

    words: tuple[str, ...]
    log_prob: float
    after_first: float = 0.0


Blocked = Callable[[Sequence[str]], Set[str]]
"""A function that returns the words that must not follow a phrase."""

Boosted = Callable[[Sequence[str]], Iterable[tuple[Sequence[str], float]]]
"""A function that returns the rest and the boost of each boosted phrase that a phrase begins."""


def nothing_blocked(phrase: Sequence[str]) -> Set[str]:
    """Block no words."""
    return frozenset()


def nothing_boosted(phrase: Sequence[str]) -> Iterable[tuple[Sequence[str], float]]:
    """Boost no phrases."""
    return ()


class PhraseSearch:
    """Searches for phrases that begin with a given word, without biases.

    `expansions` counts the rows of all searches of this object. `exact` is false once they reach
    `params.max_expansions`.
    """

    def __init__(
        self,
        queries: CachedQueries,
        start: HashedState,
        params: SearchParams,
        masks: Masks,
        max_phrase_words: int,
        min_log_prob: float,
        blocked: Blocked = nothing_blocked,
        boosted: Boosted = nothing_boosted,
    ) -> None:
        """`params` selects the words that may continue a phrase, except those that begin one of
        `masks`. `max_phrase_words` includes the first word. `min_log_prob` is the minimum
        log-probability of the words after the first, with boosts."""
        self._queries = queries
        self._start = start
        self._params = replace(params, prefix=b"", count=math.floor(math.exp(-min_log_prob)) + 1)
        self._rests = masks.rests_at("")
        self._max_words = max_phrase_words
        self._min_log_prob = min_log_prob
        self._blocked = blocked
        self._boosted = boosted
        self.exact = True
        self.expansions = 0

    def after(self, word: ScoredWord) -> ModelTask[list[ScoredPhrase]]:
        """Return the phrases of at least two words that begin with `word`, likeliest first.

        Each is extended as far as possible. Boosted phrases are included.
        """
        found: list[ScoredPhrase] = []
        first = ScoredPhrase((word.word,), word.log_prob)
        yield from self._go_on(first, self._start, found)
        different = {phrase.words: phrase for phrase in found}
        return sorted(different.values(), key=lambda phrase: -phrase.log_prob)

    def _go_on(
        self, phrase: ScoredPhrase, before: HashedState, found: list[ScoredPhrase]
    ) -> ModelTask[None]:
        """Extend a phrase recursively. `before` is the context before its last word."""
        longer = []
        if len(phrase.words) < self._max_words:
            context = yield from self._queries.read_word(before, phrase.words[-1])
            longer = yield from self._longer(phrase, context)
            if len(phrase.words) == 1:
                found += yield from self._boosted_phrases(phrase, context)
        if not longer and len(phrase.words) > 1:
            found.append(phrase)
        for each in longer:
            yield from self._go_on(each, context, found)

    def _longer(self, phrase: ScoredPhrase, context: HashedState) -> ModelTask[list[ScoredPhrase]]:
        """Return the phrase extended by each word that is likely enough."""
        room = self._params.max_expansions - self.expansions
        if room <= 0:
            self.exact = False
            return []
        least = self._min_log_prob - phrase.after_first
        blocked, accepts = self._blocked(phrase.words), self._params.accepts
        params = replace(
            self._params,
            accepts=lambda word: word not in blocked and accepts(word),
            min_log_prob=least,
            max_expansions=room,
        )
        found = yield from likeliest_words(self._queries, context, params)
        self.exact = self.exact and found.exact
        self.expansions += found.expansions
        masked = set()
        for word in found.words:
            rests = self._rests.get(word.word, ())
            if rests and (yield from begins_mask(self._queries, context, word.word, rests)):
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
        """Return the boosted phrases that a word begins and that are likely enough when boosted.

        `context` has read the word.
        """
        found = []
        for rest, boost in self._boosted(first.words):
            room = self._params.max_expansions - self.expansions
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
            word in self._blocked((*begun, *rest[:index])) for index, word in enumerate(rest)
        )

    def _log_prob(self, rest: Sequence[str], context: HashedState) -> ModelTask[float]:
        """Return the joint log-probability of words after a context."""
        total = 0.0
        for word in rest:
            total += yield from self._queries.word_log_prob(context, word)
            self.expansions += 1
            context = yield from self._queries.read_word(context, word)
        return total
