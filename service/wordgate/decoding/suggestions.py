"""Suggestions at one position of a text: next words, phrases and corrections."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import partial
from operator import itemgetter

from wordgate.decoding import continuous_cache
from wordgate.decoding.biasing import WordBias, WordBiases, best_words
from wordgate.decoding.correction import (
    MIN_RANK,
    TypoQuery,
    corrected_beginnings,
    corrected_words,
)
from wordgate.decoding.options import LetterCase, Options
from wordgate.decoding.phrases import PhraseSearch, ScoredPhrase
from wordgate.decoding.prediction_result import Kind, PredictionResult, Suggestion
from wordgate.decoding.search import ScoredWord, SearchParams, SearchResult
from wordgate.decoding.truecasing import Writer
from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.context_window import read_context, read_each
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.masks import begins_mask
from wordgate.lm.requests import YIELD, ModelTask
from wordgate.lm.seen_words import SeenWords
from wordgate.lm.state_store import StateStore
from wordgate.text import words
from wordgate.text.addresses import ends_in_email
from wordgate.text.normalization import normalise, require_unicode
from wordgate.text.typo_model import (
    apostrophe_corrections_of,
    corrections_of,
    two_typo_corrections_of,
)

_MIN_LETTERS = 3
"""Shorter prefixes are not corrected."""

_DOUBT = 2.0
"""Penalty in nats for a finished word that is not in the training vocabulary or is a suspected
misspelling there. The model has also learned misspellings."""


class Suggester:
    """Suggests words at one position of a text."""

    def __init__(
        self,
        language: Lexicon,
        store: StateStore,
        options: Options,
        history: str,
    ) -> None:
        self._language = language
        self._store = store
        self._queries = CachedQueries(language.tokenizer, language.levels, store)
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

    def suggest(self, typed: str) -> ModelTask[PredictionResult]:
        """Return suggestions that replace the typed prefix."""
        options = self._options
        if self._is_in_address():
            return self._result([], typed)
        yield from self._read()
        passed: dict[str, str] = {}
        if options.hide_rejected:
            passed = yield from self._rejected(typed)
        found = yield from self._best(typed, passed)
        writer = self._writer(typed)
        marks = set(filter(words.is_punctuation, found)) if options.allow_punctuation else ()
        suggestions = [
            Suggestion(
                writer.write(word), log_prob, Kind.PUNCTUATION if word in marks else Kind.WORD
            )
            for word, log_prob in found.items()
        ]
        if options.max_phrase_words > 1:
            for phrase in (yield from self._phrases(found)):
                text = writer.phrase(phrase.words, options.preferred_casing_within(phrase.words))
                suggestions.append(Suggestion(text, phrase.log_prob, Kind.PHRASE))
                if self._queries.time_slice.is_over():
                    yield YIELD
        corrections = yield from self._corrections(typed)
        return self._result([*corrections, *suggestions], typed)

    def correct(self, typed: str) -> ModelTask[PredictionResult]:
        """Return corrections of a finished word."""
        if self._is_in_address():
            return self._result([], typed)
        yield from self._read()
        normal = normalise(typed)
        rank = yield from self._rank(normal)
        if self._is_doubtful(normal):
            rank -= _DOUBT
        query = TypoQuery((yield from self._meant(normal)), max(rank, MIN_RANK))
        params = self._params(
            self._options.max_suggestions, lambda word: word != normal and self._accepts(word)
        )
        found = yield from self._unmasked(corrected_words, query, params)
        return self._result(self._instead(typed, found), typed)

    def _result(self, suggestions: list[Suggestion], typed: str) -> PredictionResult:
        model = self._language.model
        return PredictionResult(suggestions, typed, self._exact, self._expansions, model)

    def _meant(self, word: str) -> ModelTask[dict[str, float]]:
        """Return the possible corrections of a finished word with their typo log-probabilities."""
        seen = self._language.seen
        once = corrections_of(word, is_finished=True)
        if seen is None:
            return once
        twice = yield from self._queries.time_slice.run(
            two_typo_corrections_of(
                word, lambda begun: seen.begins(begun.encode("utf-8")), seen.__contains__
            )
        )
        return {**twice, **once}

    def _is_doubtful(self, word: str) -> bool:
        """Return whether a word is not in the training vocabulary or is a suspected misspelling.

        Words that the request lists are not doubtful.
        """
        if self._seen is None or word in self._biases.words:
            return False
        return word in self._language.suspect or not self._seen.has(word.encode("utf-8"))

    def _is_in_address(self) -> bool:
        """Return whether an e-mail address is being typed. Nothing is suggested there."""
        require_unicode(self._history, "history")
        return ends_in_email(self._history)

    def _read(self) -> ModelTask[None]:
        """Read the history and set up the biased words."""
        tokenizer, cache = self._language.tokenizer, self._options.continuous_cache
        shares: dict[str, float] = {}
        if cache and cache.weight:
            read, found = yield from read_each(tokenizer, self._history, self._store)
            self._start = read[-1]
            shares = yield from continuous_cache.shares(read, found, cache.weight, cache.sharpness)
        else:
            self._start = yield from read_context(tokenizer, self._history, self._store)
        self._queries.time_slice.restart()
        self._rests = dict(self._language.masks.rests_at(self._history))
        boosts = self._listed.boosts
        self._biases = WordBiases(
            {w: WordBias(shares.get(w, 0.0), boosts.get(w, 0.0)) for w in {**shares, **boosts}},
            sum(shares.values()),
        )

    def _best_rank(self, prefix: str) -> ModelTask[float]:
        """Return the rank of the best word with this prefix, including words never suggested."""
        rows = self._options.max_expansions
        params = SearchParams(1, prefix.encode("utf-8"), max_expansions=rows)
        found = yield from best_words(self._queries, self._start, params, self._biases)
        self._count(found)
        ranks = (word.log_prob + self._biases.of(word.word).boost for word in found.words)
        return max(ranks, default=-math.inf)

    def _rank(self, word: str) -> ModelTask[float]:
        """Return the rank of a word."""
        log_prob = yield from self._queries.word_log_prob(self._start, word)
        bias = self._biases.of(word)
        return self._biases.log_prob(log_prob, bias.cache_prob) + bias.boost

    def _corrections(self, typed: str) -> ModelTask[list[Suggestion]]:
        """Return corrections that rank above the best word with the typed prefix.

        A missing apostrophe is corrected even if `max_corrections` is 0, unless the letter case is
        AS_TYPED.
        """
        normal, options = normalise(typed), self._options
        may_be_meant = apostrophe_corrections_of(normal)
        if options.max_corrections and len(normal) >= _MIN_LETTERS:
            may_be_meant = corrections_of(normal, is_finished=False)
        elif not options.max_corrections and options.letter_case is LetterCase.AS_TYPED:
            return []
        may_be_meant = self._begin_words(may_be_meant)
        if not may_be_meant:
            return []
        yield YIELD  # the next model request may be far off
        best = yield from self._best_rank(normal)
        query = TypoQuery(may_be_meant, max(best, MIN_RANK))
        params = self._params(
            max(1, options.max_corrections),
            lambda word: not word.startswith(normal) and self._accepts(word),
        )
        found = yield from self._unmasked(corrected_beginnings, query, params)
        return self._instead(typed, found)

    def _begin_words(self, texts: dict[str, float]) -> dict[str, float]:
        """Return the texts that may begin a word."""
        seen = self._seen
        if seen is None:
            return texts
        listed = SeenWords(self._biases.words)
        return {
            text: value
            for text, value in texts.items()
            if seen.begins(written := text.encode("utf-8")) or listed.begins(written)
        }

    def _params(self, count: int, accepts: Callable[[str], bool], prefix: str = "") -> SearchParams:
        """Return the search parameters for words with a prefix in normal form."""
        return SearchParams(
            count,
            prefix.encode("utf-8"),
            accepts,
            self._options.min_log_prob,
            self._options.max_expansions,
            self._seen,
            self._floor,
        )

    def _instead(self, typed: str, found: SearchResult) -> list[Suggestion]:
        """Return the words found as corrections of `typed`."""
        writer = self._writer(typed)
        return [
            Suggestion(writer.instead(each.word), each.log_prob, Kind.CORRECTION)
            for each in found.words
        ]

    def _writer(self, typed: str) -> Writer:
        options = self._options
        preferred_casing = self._listed.preferred_casing
        return Writer(self._language, self._history, typed, options.letter_case, preferred_casing)

    def _rejected(self, typed: str) -> ModelTask[dict[str, str]]:
        """Return the rejected suggestions, those for shorter prefixes, with their written forms.

        The searches for all prefixes share one budget of `max_expansions` rows. Longer prefixes are
        skipped once it is used up.
        """
        passed: dict[str, str] = {}
        for length in range(len(typed)):
            if self._expansions >= self._options.max_expansions:
                self._exact = False
                break
            found = yield from self._best(typed[:length], passed)
            writer = self._writer(typed[:length])
            passed.update((word, writer.write(word)) for word in found)
            if self._queries.time_slice.is_over():
                yield YIELD
        return passed

    def _best(self, typed: str, passed: Mapping[str, str]) -> ModelTask[dict[str, float]]:
        """Return the best words with the typed prefix and their log-probabilities.

        A rejected word is omitted, unless it would now be written differently.
        """
        accepts = self._accepts
        if passed:
            accepts = partial(self._accepts_again, passed, self._writer(typed))
        params = self._params(self._options.max_suggestions, accepts, normalise(typed))
        found = yield from self._unmasked(best_words, params)
        return {word.word: word.log_prob for word in found.words}

    def _unmasked(
        self, search: Callable[..., ModelTask[SearchResult]], *args: TypoQuery | SearchParams
    ) -> ModelTask[SearchResult]:
        """Run a search, and repeat it without words that begin a training mask."""
        while True:
            found = yield from search(self._queries, self._start, *args, self._biases)
            self._count(found)
            if not (yield from self._has_new_masks(found)):
                return found

    def _has_new_masks(self, found: SearchResult) -> ModelTask[bool]:
        """Return whether any result begins a training mask and was not yet known to."""
        known = len(self._begin_masks)
        for each in found.words:
            rests = self._rests.pop(each.word, ())
            if rests and (yield from begins_mask(self._queries, self._start, each.word, rests)):
                self._begin_masks.add(each.word)
        return len(self._begin_masks) > known

    def _count(self, found: SearchResult | PhraseSearch) -> None:
        self._exact = self._exact and found.exact
        self._expansions += found.expansions

    def _phrases(self, found: Mapping[str, float]) -> ModelTask[list[ScoredPhrase]]:
        """Return the likeliest phrases that begin with these words, except with punctuation."""
        options = self._options
        searching = PhraseSearch(
            self._queries,
            self._start,
            SearchParams(
                1,
                accepts=self._continues,
                max_expansions=options.max_expansions,
                seen=_seen_words(self._language, options, marks=False),
            ),
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
        ranked: list[tuple[float, ScoredPhrase]] = []
        for each in phrases:
            ranked.append((each.log_prob + options.phrase_boost(each.words), each))
            if self._queries.time_slice.is_over():
                yield YIELD
        ranked.sort(key=itemgetter(0), reverse=True)
        return [each for _, each in ranked[: options.max_suggestions]]

    def _boosted_after(self, phrase: Sequence[str]) -> Iterator[tuple[Sequence[str], float]]:
        """Yield the rest and boost of each boosted phrase that `phrase` begins, with its marks."""
        for rest, boost in self._options.boosted_after(phrase):
            if not any(w in self._language.never_suggested or w in self._blocked for w in rest):
                yield rest, boost

    def _blocked_after(self, phrase: Sequence[str]) -> Set[str]:
        """Return the words that would complete a blocked phrase."""
        before = [*self._before, *phrase]
        blocked = self._options.blocked_phrases.completed_by(before)
        return blocked | self._language.never_after(before)

    def _accepts(self, word: str) -> bool:
        if word in self._language.never_suggested or word in self._blocked:
            return False
        if word in self._begin_masks:
            return False
        if not self._options.allow_punctuation and words.is_punctuation(word):
            return False
        seen = self._seen
        return seen is None or word in self._biases.words or seen.has(word.encode("utf-8"))

    def _accepts_again(self, passed: Mapping[str, str], writer: Writer, word: str) -> bool:
        rejected = passed.get(word)
        return (rejected is None or rejected != writer.write(word)) and self._accepts(word)

    def _continues(self, word: str) -> bool:
        return self._accepts(word) and not words.is_punctuation(word)


def _words_before(language: Lexicon, options: Options, history: str) -> list[str]:
    """Return the last words of a history, as many as listed phrases may begin with."""
    longest = language.never_phrases
    if options.blocked_words or options.boosted_words:
        listed = (longest, options.blocked_phrases, options.boosted_phrases)
        longest = max(listed, key=lambda phrases: phrases.longest)
    if not longest:
        return []
    require_unicode(history, "history")
    return longest.words_before(history)


def _seen_words(language: Lexicon, options: Options, marks: bool = True) -> SeenWords | None:
    """Return the words that may be suggested apart from listed ones, or None for all."""
    if language.seen is None or options.allow_unseen_words:
        return None
    return language.seen.and_marks() if marks and options.allow_punctuation else language.seen
