"""Suggestions for the next word.

Knows text, pieces and what to ask of a model; does not know onnxruntime or who is asking.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from unicodedata import category

from wordgate.core import session_cache, words
from wordgate.core.asks import Asks
from wordgate.core.correction import LEAST_RANK, Slip, corrections
from wordgate.core.favoured import Favour, Favours, best_words, word_log_prob
from wordgate.core.history import read_context, read_each
from wordgate.core.known import Context
from wordgate.core.language import Language
from wordgate.core.options import Options
from wordgate.core.phrases import FoundPhrase, PhraseSearch
from wordgate.core.search import Found, FoundWord, Search
from wordgate.core.slips import meant
from wordgate.core.state_store import StateStore
from wordgate.core.text import normalise, normalise_with_offsets, refuse_surrogates
from wordgate.core.writing import Writer

_LEAST_LETTERS = 3
"""With fewer, a slip could mean anything."""


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
    """Suggestions: words, the best first, phrases, corrections; `exact` unless a bound was hit.

    A suggestion takes the place of `prefix`, the unfinished word that was typed, verbatim.
    """

    suggestions: list[Suggestion]
    prefix: str
    exact: bool
    expansions: int


@dataclass(frozen=True)
class Query:
    """What comes after `history`, where the word begins with `prefix`?

    `history` is all that was written before; `prefix` the typed beginning of the next word, in
    any case. With `correct_last_word`, the last word of both is finished, and asked about itself.
    """

    history: str
    prefix: str = ""
    options: Options = field(default_factory=Options)
    correct_last_word: bool = False


def predict(language: Language, store: StateStore, query: Query) -> Asks[Prediction]:
    """The exact best next words, and phrases where the options want them.

    A prefix of several words (`well-kn`) has its complete ones, marks among them, read as
    history. Raises `InvalidInput` naming `history` or `prefix` for text that is not Unicode.
    """
    if query.correct_last_word:
        return (yield from _correct_last(language, store, query))
    complete, typed = split_typed(query.prefix, "prefix")
    history = f"{query.history} {complete}" if complete.strip() else query.history
    place = _Place(language, store, query.options, history)
    return (yield from place.suggest(typed))


def _correct_last(language: Language, store: StateStore, query: Query) -> Asks[Prediction]:
    """What was likelier meant by the last word."""
    refuse_surrogates(query.history, "history")
    refuse_surrogates(query.prefix, "prefix")
    text = f"{query.history} {query.prefix}".rstrip()
    end = len(text)
    while end and not text[end - 1].isalnum():
        end -= 1
    history, typed = split_typed(text[:end])
    return (yield from _Place(language, store, query.options, history).correct(typed))


class _Place:
    """A place of a text where a word is begun."""

    def __init__(
        self,
        language: Language,
        store: StateStore,
        options: Options,
        history: str,
    ) -> None:
        self._language = language
        self._store = store
        self._options = options
        self._history = history
        self._start = Context(b"", None)
        self._favours = Favours()
        self._exact = True
        self._expansions = 0

    def suggest(self, typed: str) -> Asks[Prediction]:
        """Suggestions in the place of what was typed."""
        options = self._options
        yield from self._read()
        passed: dict[str, str] = {}
        if options.omit_passed_over:
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
        if options.max_words > 1:
            for phrase in (yield from self._phrases(found)):
                text = writer.phrase(phrase.words)
                suggestions.append(Suggestion(text, phrase.log_prob, Kind.PHRASE))
        if options.max_corrections and len(typed) >= _LEAST_LETTERS:
            best = max(found.values(), default=-math.inf)
            suggestions += yield from self._corrections(typed, best, options.max_corrections)
        return Prediction(suggestions, typed, self._exact, self._expansions)

    def correct(self, typed: str) -> Asks[Prediction]:
        """What was likelier meant by a finished word."""
        yield from self._read()
        suggestions: list[Suggestion] = []
        normal = normalise(typed)
        if normal:
            log_prob = yield from self._log_prob(normal)
            wanted = self._options.max_suggestions
            suggestions = yield from self._corrections(typed, log_prob, wanted, is_finished=True)
        return Prediction(suggestions, typed, self._exact, self._expansions)

    def _read(self) -> Asks[None]:
        """Read the history, and find which words are favoured here."""
        language, options = self._language, self._options
        self._start = yield from read_context(language.pieces, self._history, self._store)
        cache, shares = options.session_cache, {}
        if cache and cache.weight:
            read, found = yield from read_each(language.pieces, self._history, self._store)
            shares = yield from session_cache.shares(read, found, cache.weight, cache.flatness)
        boosts = {word: each.boost for word, each in options.boosted.items()}
        self._favours = Favours(
            {w: Favour(shares.get(w, 0.0), boosts.get(w, 0.0)) for w in {**shares, **boosts}},
            sum(shares.values()),
        )

    def _log_prob(self, word: str) -> Asks[float]:
        """The log-probability of a word."""
        pieces, levels = self._language.pieces, self._language.levels
        log_prob = yield from word_log_prob(pieces, levels, self._start, word, self._store)
        return self._favours.log_prob(log_prob, self._favours.words.get(word, Favour()).share)

    def _corrections(
        self, typed: str, best: float, count: int, is_finished: bool = False
    ) -> Asks[list[Suggestion]]:
        """Words that were likelier meant than the best one that fits."""
        normal = normalise(typed)
        slip = Slip(
            meant(normal, is_finished),
            is_finished,
            max(best, LEAST_RANK),
            lambda word: word != normal and self._accepts(word),
        )
        found = yield from corrections(
            self._language.pieces, self._language.levels, self._start, slip, count, self._store
        )
        writer = self._writer(typed)
        return [
            Suggestion(writer.instead(each.word), each.log_prob, Kind.CORRECTION) for each in found
        ]

    def _writer(self, typed: str) -> Writer:
        own_forms = {word: each.word for word, each in self._options.boosted.items()}
        return Writer(self._language, self._history, typed, self._options.letter_case, own_forms)

    def _passed_over(self, typed: str) -> Asks[dict[str, str]]:
        """How words were written last that were suggested for shorter beginnings."""
        passed: dict[str, str] = {}
        for length in range(len(typed)):
            found = yield from self._best(typed[:length], passed)
            writer = self._writer(typed[:length])
            passed.update((word, writer.write(word)) for word in found)
        return passed

    def _best(self, typed: str, passed: Mapping[str, str]) -> Asks[dict[str, float]]:
        """The best words that begin with what was typed, with their log-probabilities.

        A word that was passed over is left out, unless it would now be written otherwise.
        """
        options = self._options
        writer = self._writer(typed)

        def accepts(word: str) -> bool:
            seen = passed.get(word)
            return (seen is None or seen != writer.write(word)) and self._accepts(word)

        search = Search(
            count=options.max_suggestions,
            prefix=normalise(typed).encode("utf-8"),
            accepts=accepts,
            min_log_prob=options.min_log_prob,
            max_expansions=options.max_expansions,
        )
        pieces, levels = self._language.pieces, self._language.levels
        found: Found = yield from best_words(
            pieces, levels, self._start, search, self._favours, self._store
        )
        self._exact = self._exact and found.exact
        self._expansions += found.expansions
        return {word.word: word.log_prob for word in found.words}

    def _phrases(self, found: dict[str, float]) -> Asks[list[FoundPhrase]]:
        """The likeliest phrases that begin with these words."""
        options, language = self._options, self._language
        searching = PhraseSearch(
            language.pieces,
            language.levels,
            self._start,
            Search(1, accepts=self._continues, max_expansions=options.max_expansions),
            self._store,
            options.max_words,
            math.log(options.min_phrase_probability),
        )
        phrases: list[FoundPhrase] = []
        for word, log_prob in found.items():
            after = yield from searching.after(FoundWord(word, log_prob))
            phrases.extend(after.phrases)
            self._exact = self._exact and after.exact
            self._expansions += after.expansions
        return sorted(phrases, key=lambda phrase: -phrase.log_prob)[: options.max_suggestions]

    def _accepts(self, word: str) -> bool:
        if word in self._language.never_suggested or word in self._options.blocked:
            return False
        return self._options.allow_punctuation or not words.is_punctuation(word)

    def _continues(self, word: str) -> bool:
        return self._accepts(word) and not words.is_punctuation(word)


def split_typed(text: str, field_name: str = "text") -> tuple[str, str]:
    """A text that is being typed as history and the beginning of its last word, both verbatim.

    The beginning is empty after white space or a mark, and where it is but a part of a character
    (`½` is `1⁄2` in normal form). Raises `InvalidInput` naming the field
    for text that is not Unicode.
    """
    refuse_surrogates(text, field_name)
    chunk_start = _last_space(text) + 1
    chunk = normalise_with_offsets(text[chunk_start:])
    complete, unfinished = words.split_last(chunk.text)
    first = len(complete)
    if not unfinished or (first and chunk.starts[first - 1] == chunk.starts[first]):
        return text, ""
    start = chunk_start + chunk.starts[first]
    return text[:start], text[start:]


def _last_space(text: str) -> int:
    """The place of the last white space or control character, -1 when there is none."""
    for place in range(len(text) - 1, -1, -1):
        if text[place].isspace() or category(text[place]) == "Cc":
            return place
    return -1
