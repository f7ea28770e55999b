"""Suggestions at one place of a text: words, how they go on, and what was meant by a slip.

Knows the language, what a person wants and what to ask of a model; does not know how a text is cut
into what is complete and what is being typed.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum

from wordgate.decoding import continuous_cache
from wordgate.decoding.biasing import WordBias, WordBiases, best_words
from wordgate.decoding.correction import (
    LEAST_RANK,
    TypoQuery,
    corrected_beginnings,
    corrected_words,
)
from wordgate.decoding.options import LetterCase, Options
from wordgate.decoding.phrases import PhraseSearch, ScoredPhrase
from wordgate.decoding.search import ScoredWord, SearchParams, SearchResult
from wordgate.decoding.truecasing import Writer
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import HashedState, word_log_prob
from wordgate.lm.context_window import read_context, read_each
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.masks import begins_mask
from wordgate.lm.requests import SHORT_ROUND, YIELD, ModelTask, Pace
from wordgate.lm.seen_words import SeenWords
from wordgate.lm.state_store import StateStore
from wordgate.lm.tokenizer import Tokenizer
from wordgate.text import words
from wordgate.text.addresses import ends_in_address
from wordgate.text.normalization import normalise, require_unicode
from wordgate.text.typo_model import (
    apostrophe_corrections_of,
    corrections_of,
    two_typo_corrections_of,
)

_LEAST_LETTERS = 3
"""With fewer, a slip could mean anything."""

_DOUBT = 2.0
"""Nats taken from the log-probability of a finished word that the training text lacks, or has as
it has misspellings: the model has learned to write misspellings too."""

_SEARCH_WORK, _WORD_WORK = 200, 10


class Kind(Enum):
    """What a suggestion is."""

    WORD = "word"
    PUNCTUATION = "punctuation"
    PHRASE = "phrase"
    CORRECTION = "correction"


@dataclass(frozen=True)
class Suggestion:
    """A next word as people write it, or a phrase, with its probability after the history."""

    text: str
    log_prob: float
    kind: Kind

    @property
    def probability(self) -> float:
        """The same as a share of one."""
        return math.exp(self.log_prob)


@dataclass(frozen=True)
class Prediction:
    """Suggestions: corrections, which are likelier than all words that begin as typed; words, the
    best first; phrases. `exact` about the words that may be suggested, unless a bound was hit.

    A suggestion takes the place of `prefix`, the unfinished word that was typed, verbatim.
    """

    suggestions: list[Suggestion]
    prefix: str
    exact: bool
    expansions: int


class Suggester:
    """A place of a text where a word is begun."""

    def __init__(
        self,
        language: Lexicon,
        store: StateStore,
        options: Options,
        history: str,
    ) -> None:
        self._language = language
        self._store = store
        self._options = options
        self._history = history
        self._before = _words_before(language, options, history)
        self._listed = options.here(self._before)
        self._start = HashedState(b"", None)
        self._blocked = self._listed.blocked | language.never_after(self._before)
        self._biases = WordBiases()
        self._seen = _seen_words(language, options)
        self._floor = options.floor if language.seen is not None else -math.inf
        self._rests: dict[str, Sequence[tuple[str, ...]]] = {}
        self._begin_masks: set[str] = set()
        self._exact = True
        self._expansions = 0

    def suggest(self, typed: str) -> ModelTask[Prediction]:
        """Suggestions in the place of what was typed."""
        options = self._options
        if self._is_in_address():
            return Prediction([], typed, True, 0)
        yield from self._read()
        passed: dict[str, str] = {}
        if options.hide_rejected:
            passed = yield from self._passed_over(typed)
        found = yield from self._best(typed, passed)
        writer = self._writer(typed)
        suggestions = [
            Suggestion(
                writer.write(word),
                log_prob,
                Kind.PUNCTUATION if words.is_punctuation(word) else Kind.WORD,
            )
            for word, log_prob in found.items()
        ]
        if options.max_phrase_words > 1:
            for phrase in (yield from self._phrases(found)):
                text = writer.phrase(phrase.words, options.own_forms_within(phrase.words))
                suggestions.append(Suggestion(text, phrase.log_prob, Kind.PHRASE))
        corrections = yield from self._corrections(typed)
        return Prediction([*corrections, *suggestions], typed, self._exact, self._expansions)

    def correct(self, typed: str) -> ModelTask[Prediction]:
        """What was likelier meant by a finished word."""
        if self._is_in_address():
            return Prediction([], typed, True, 0)
        yield from self._read()
        normal = normalise(typed)
        rank = yield from self._rank(normal)
        if self._is_doubtful(normal):
            rank -= _DOUBT
        slip = TypoQuery((yield from self._meant(normal)), max(rank, LEAST_RANK))
        search = self._correcting(self._options.max_suggestions, lambda word: word != normal)
        found = yield from self._unmasked(
            lambda: corrected_words(*self._where, slip, search, self._biases, self._store)
        )
        return Prediction(self._instead(typed, found), typed, self._exact, self._expansions)

    def _meant(self, word: str) -> ModelTask[dict[str, float]]:
        """What may be meant by a finished word."""
        seen = self._language.seen
        once = corrections_of(word, is_finished=True)
        if seen is None:
            return once
        pace = Pace(SHORT_ROUND)
        twice = yield from pace.run(
            two_typo_corrections_of(
                word, lambda begun: seen.begins(begun.encode("utf-8")), seen.__contains__
            )
        )
        return {**twice, **once}

    def _is_doubtful(self, word: str) -> bool:
        """Return whether the training text lacks a word, or has it as it has misspellings.

        Words that the request lists are not doubtful.
        """
        if self._seen is None or word in self._biases.words:
            return False
        return word in self._language.suspect or not self._seen.has(word.encode("utf-8"))

    def _is_in_address(self) -> bool:
        """Whether an address is being typed, of which nothing is suggested."""
        require_unicode(self._history, "history")
        return ends_in_address(self._history)

    def _read(self) -> ModelTask[None]:
        """Read the history, and find which words are biased here."""
        pieces, cache = self._language.pieces, self._options.continuous_cache
        shares: dict[str, float] = {}
        if cache and cache.weight:
            read, found = yield from read_each(pieces, self._history, self._store)
            self._start = read[-1]
            shares = yield from continuous_cache.shares(read, found, cache.weight, cache.sharpness)
        else:
            self._start = yield from read_context(pieces, self._history, self._store)
        self._rests = dict(self._language.masks.rests_at(self._history))
        boosts = self._listed.boosts
        self._biases = WordBiases(
            {w: WordBias(shares.get(w, 0.0), boosts.get(w, 0.0)) for w in {**shares, **boosts}},
            sum(shares.values()),
        )

    def _best_rank(self, prefix: str) -> ModelTask[float]:
        """The rank of the best word that begins like this, may it be suggested or not."""
        search = SearchParams(
            1, prefix.encode("utf-8"), max_expansions=self._options.max_expansions
        )
        found = yield from best_words(*self._where, search, self._biases, self._store)
        self._count(found)
        ranks = (word.log_prob + self._biases.of(word.word).boost for word in found.words)
        return max(ranks, default=-math.inf)

    def _rank(self, word: str) -> ModelTask[float]:
        """The rank of a word."""
        log_prob = yield from word_log_prob(*self._where, word, self._store)
        bias = self._biases.of(word)
        return self._biases.log_prob(log_prob, bias.cache_prob) + bias.boost

    def _corrections(self, typed: str) -> ModelTask[list[Suggestion]]:
        """Words that were likelier meant than the best one that begins as typed.

        An apostrophe is put back unasked, unless typed letters are to stay as they are.
        """
        normal, options = normalise(typed), self._options
        may_be_meant = apostrophe_corrections_of(normal)
        if options.max_corrections and len(normal) >= _LEAST_LETTERS:
            may_be_meant = corrections_of(normal, is_finished=False)
        elif not options.max_corrections and options.letter_case is LetterCase.AS_TYPED:
            return []
        may_be_meant = self._begin_words(may_be_meant)
        if not may_be_meant:
            return []
        yield YIELD  # it may be long until the next question
        best = yield from self._best_rank(normal)
        slip = TypoQuery(may_be_meant, max(best, LEAST_RANK))
        search = self._correcting(
            max(1, options.max_corrections), lambda word: not word.startswith(normal)
        )
        found = yield from self._unmasked(
            lambda: corrected_beginnings(*self._where, slip, search, self._biases, self._store)
        )
        return self._instead(typed, found)

    def _begin_words(self, texts: dict[str, float]) -> dict[str, float]:
        """Those of these texts that may begin a word."""
        seen = self._seen
        if seen is None:
            return texts
        listed = [word.encode("utf-8") for word in self._biases.words]
        return {
            text: value
            for text, value in texts.items()
            if seen.begins(written := text.encode("utf-8"))
            or any(word.startswith(written) for word in listed)
        }

    def _correcting(self, count: int, is_other: Callable[[str], bool]) -> SearchParams:
        """What corrections to look for: other words than those that were typed."""
        return SearchParams(
            count,
            accepts=lambda word: is_other(word) and self._accepts(word),
            min_log_prob=self._options.min_log_prob,
            max_expansions=self._options.max_expansions,
            seen=self._seen,
            floor=self._floor,
        )

    def _instead(self, typed: str, found: SearchResult) -> list[Suggestion]:
        """Corrections of what was typed."""
        writer = self._writer(typed)
        return [
            Suggestion(writer.instead(each.word), each.log_prob, Kind.CORRECTION)
            for each in found.words
        ]

    @property
    def _where(self) -> tuple[Tokenizer, AdaptiveSoftmaxLayout, HashedState]:
        return self._language.pieces, self._language.levels, self._start

    def _writer(self, typed: str) -> Writer:
        options = self._options
        preferred_casing = self._listed.preferred_casing
        return Writer(self._language, self._history, typed, options.letter_case, preferred_casing)

    def _passed_over(self, typed: str) -> ModelTask[dict[str, str]]:
        """How words were written last that were suggested for shorter beginnings.

        All of the beginnings together may need as many rows as one search; those after that pass
        over nothing.
        """
        passed: dict[str, str] = {}
        pace = Pace(SHORT_ROUND)
        for length in range(len(typed)):
            if self._expansions >= self._options.max_expansions:
                self._exact = False
                break
            found = yield from self._best(typed[:length], passed)
            writer = self._writer(typed[:length])
            passed.update((word, writer.write(word)) for word in found)
            if pace.is_due(_SEARCH_WORK + _WORD_WORK * len(found)):
                yield YIELD
        return passed

    def _best(self, typed: str, passed: Mapping[str, str]) -> ModelTask[dict[str, float]]:
        """The best words that begin with what was typed, with their log-probabilities.

        A word that was passed over is left out, unless it would now be written otherwise.
        """
        options = self._options
        writer = self._writer(typed)

        def accepts(word: str) -> bool:
            seen = passed.get(word)
            return (seen is None or seen != writer.write(word)) and self._accepts(word)

        search = SearchParams(
            count=options.max_suggestions,
            prefix=normalise(typed).encode("utf-8"),
            accepts=accepts,
            min_log_prob=options.min_log_prob,
            max_expansions=options.max_expansions,
            seen=self._seen,
            floor=self._floor,
        )
        found = yield from self._unmasked(
            lambda: best_words(*self._where, search, self._biases, self._store)
        )
        return {word.word: word.log_prob for word in found.words}

    def _unmasked(self, search: Callable[[], ModelTask[SearchResult]]) -> ModelTask[SearchResult]:
        """What a search finds here, asked again without the beginnings of training masks."""
        while True:
            found = yield from search()
            self._count(found)
            if not (yield from self._has_new_masks(found)):
                return found

    def _has_new_masks(self, found: SearchResult) -> ModelTask[bool]:
        """Whether any of these begins a mask and was not known to do so."""
        known = len(self._begin_masks)
        for each in found.words:
            rests = self._rests.pop(each.word, ())
            where = *self._where, each.word, rests, self._store
            if rests and (yield from begins_mask(*where)):
                self._begin_masks.add(each.word)
        return len(self._begin_masks) > known

    def _count(self, found: SearchResult | PhraseSearch) -> None:
        self._exact = self._exact and found.exact
        self._expansions += found.expansions

    def _phrases(self, found: Mapping[str, float]) -> ModelTask[list[ScoredPhrase]]:
        """The likeliest phrases that begin with these words; a mark begins none."""
        options = self._options
        searching = PhraseSearch(
            *self._where,
            SearchParams(
                1,
                accepts=self._continues,
                max_expansions=options.max_expansions,
                seen=_seen_words(self._language, options, marks=False),
            ),
            self._store,
            self._language.masks,
            options.max_phrase_words,
            math.log(options.min_phrase_probability),
            self._blocked_after,
            self._boosted_after,
        )
        phrases: list[ScoredPhrase] = []
        for word, log_prob in found.items():
            if not words.is_punctuation(word):
                phrases += yield from searching.after(ScoredWord(word, log_prob))
        self._count(searching)
        best_first = sorted(
            phrases, key=lambda each: -(each.log_prob + options.phrase_boost(each.words))
        )
        return best_first[: options.max_suggestions]

    def _boosted_after(self, phrase: Sequence[str]) -> Iterator[tuple[Sequence[str], float]]:
        """The rest of each boosted phrase that goes on so, marks too: the person listed them."""
        for rest, boost in self._options.boosted_after(phrase):
            if not any(w in self._language.never_suggested or w in self._blocked for w in rest):
                yield rest, boost

    def _blocked_after(self, phrase: Sequence[str]) -> Set[str]:
        """Words that may not go on a phrase, for they would complete one that is blocked."""
        before = [*self._before, *phrase]
        blocked = self._options.blocked_phrases.completed_by(before)
        return blocked | self._language.never_after(before)

    def _accepts(self, word: str) -> bool:
        if word in self._language.never_suggested or word in self._blocked:
            return False
        if self._seen is not None and not (word in self._seen or word in self._biases.words):
            return False
        if word in self._begin_masks:
            return False
        return self._options.allow_punctuation or not words.is_punctuation(word)

    def _continues(self, word: str) -> bool:
        return self._accepts(word) and not words.is_punctuation(word)


def _words_before(language: Lexicon, options: Options, history: str) -> list[str]:
    """The last words of a history, as many as listed phrases may begin with."""
    longest = language.never_phrases
    if options.blocked_words or options.boosted_words:
        listed = (longest, options.blocked_phrases, options.boosted_phrases)
        longest = max(listed, key=lambda phrases: phrases.longest)
    if not longest:
        return []
    require_unicode(history, "history")
    return longest.words_before(history)


def _seen_words(language: Lexicon, options: Options, marks: bool = True) -> SeenWords | None:
    """The words that may be suggested, beside the listed ones; None for any."""
    if language.seen is None or options.allow_unseen_words:
        return None
    return language.seen.and_marks() if marks and options.allow_punctuation else language.seen
