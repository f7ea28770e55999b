"""Options of suggestions, with their limits."""

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TypedDict

from wordgate.decoding.search import DEFAULT_MAX_EXPANSIONS
from wordgate.errors import InvalidInput
from wordgate.text import words
from wordgate.text.argument_types import require_each, require_list, require_text
from wordgate.text.cooperative_steps import Steps, finish
from wordgate.text.listed_phrases import MAX_LISTED_PHRASE_WORDS, ListedPhrases
from wordgate.text.normalization import normalise, normalising_with_offsets

DEFAULT_MAX_SUGGESTIONS = 5
MAX_SUGGESTIONS = 100
MAX_EXPANSIONS = 5_000
MAX_WORDS = 10
DEFAULT_MIN_PHRASE_PROBABILITY = 0.2
MIN_PHRASE_PROBABILITY = 0.01
DEFAULT_SHARPNESS = 0.3
MAX_SHARPNESS = 10.0
MAX_CACHE_WEIGHT = 0.9
MIN_PROBABILITY = 1e-12
"""Minimum probability of a suggested word, unless the request lists the word."""

MAX_LISTED_WORDS = 1000
MAX_BONUS = 50.0


class LetterCase(Enum):
    """Letter case of suggestions while a word is being typed.

    TRUECASE: the usual written form (`lon` becomes London), but typed capitals are kept. AS_TYPED:
    the typed prefix is never changed (`lon` becomes london).
    """

    TRUECASE = "truecase"
    AS_TYPED = "as-typed"


@dataclass(frozen=True)
class BoostedWord:
    """A user-dictionary word or phrase, its casing, and its bonus in nats.

    For ranking, `bonus` is added to the log-probability of the word, or of each word that begins or
    continues the phrase.
    """

    word: str
    bonus: float


@dataclass(frozen=True)
class ContinuousCache:
    """Parameters of the continuous cache (`decoding.continuous_cache`).

    `weight` is its interpolation weight, 0 to 0.9. `sharpness`, 0 to 10, sets how much more the
    most similar contexts count.
    """

    weight: float = 0.1
    sharpness: float = DEFAULT_SHARPNESS


class SuggestionKwargs(TypedDict, total=False):
    """The fields of `Options`, as keyword arguments."""

    max_suggestions: int
    allow_punctuation: bool
    min_probability: float
    max_expansions: int
    letter_case: LetterCase
    hide_rejected: bool
    blocked_words: Sequence[str]
    boosted_words: Sequence[BoostedWord]
    max_phrase_words: int
    min_phrase_probability: float
    max_corrections: int
    continuous_cache: ContinuousCache | None
    allow_unseen_words: bool


@dataclass(frozen=True)
class Options:
    """Options of suggestions, the same for each word of a text.

    `max_suggestions`: maximum number of words. `min_probability`: omit less likely words.
    `hide_rejected`: omit words that were suggested for a shorter prefix of the same word.
    `blocked_words` are never suggested. `boosted_words` rank higher, or lower if the bonus is
    negative. `max_phrase_words` above 1: add phrases after the words; a phrase is extended while
    the joint probability of its words after the first is at least `min_phrase_probability`.
    `max_corrections`: maximum number of corrections, listed first, each ranked above every word
    with the typed prefix. `continuous_cache`: raise the probability of words of the text;
    probabilities are then those of the interpolated model. `max_expansions`: maximum number of
    output rows per search. If the model's training vocabulary is known, only its words with a
    probability of at least `MIN_PROBABILITY`, boosted words and cached words are suggested,
    unless `allow_unseen_words` is set.

    Raises `InvalidInput`, naming the field, for a value outside its limits; `prepare` checks the
    listed words.
    """

    max_suggestions: int = DEFAULT_MAX_SUGGESTIONS
    allow_punctuation: bool = False
    min_probability: float = 0.0
    max_expansions: int = DEFAULT_MAX_EXPANSIONS
    letter_case: LetterCase = LetterCase.TRUECASE
    hide_rejected: bool = False
    blocked_words: Sequence[str] = ()
    boosted_words: Sequence[BoostedWord] = ()
    max_phrase_words: int = 1
    min_phrase_probability: float = DEFAULT_MIN_PHRASE_PROBABILITY
    max_corrections: int = 0
    continuous_cache: ContinuousCache | None = None
    allow_unseen_words: bool = False
    _blocked: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    _boosted: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_range("max_suggestions", self.max_suggestions, 1, MAX_SUGGESTIONS)
        check_range("max_expansions", self.max_expansions, 1, MAX_EXPANSIONS)
        check_range("max_corrections", self.max_corrections, 0, MAX_SUGGESTIONS)
        check_range("max_phrase_words", self.max_phrase_words, 1, MAX_WORDS)
        check_range("min_probability", self.min_probability, 0.0, 1.0)
        check_range(
            "min_phrase_probability", self.min_phrase_probability, MIN_PHRASE_PROBABILITY, 1.0
        )
        require_list(self.blocked_words, "blocked_words")
        require_each(self.boosted_words, "boosted_words", BoostedWord)
        for name, listed in (("blocked", self.blocked_words), ("boosted", self.boosted_words)):
            if len(listed) > MAX_LISTED_WORDS:
                problem = f"has {len(listed)} entries; the limit is {MAX_LISTED_WORDS}"
                raise InvalidInput(f"{name}_words", problem)
        for index, boosted in enumerate(self.boosted_words):
            check_range(f"boosted_words[{index}].bonus", boosted.bonus, -MAX_BONUS, MAX_BONUS)
        if self.continuous_cache:
            cache = self.continuous_cache
            check_range("continuous_cache.weight", cache.weight, 0.0, MAX_CACHE_WEIGHT)
            check_range("continuous_cache.sharpness", cache.sharpness, 0.0, MAX_SHARPNESS)

    def prepare(self) -> Steps[None]:
        """Normalise and index the listed words, once, in steps.

        Raises `InvalidInput` naming the first entry that has no words or too many.
        """
        if not (self.blocked_words or self.boosted_words):
            return
        yield from self._normalising()
        for name in ("blocked_phrases", "boosted_phrases", "boosts", "preferred_casing"):
            getattr(self, name)  # cached
            yield

    def _normalising(self) -> Steps[None]:
        """Normalise the listed words, in steps."""
        for index, word in enumerate(self.blocked_words[len(self._blocked) :], len(self._blocked)):
            self._blocked.append(" ".join(listed_words(word, f"blocked_words[{index}]")))
            yield
        known = len(self._boosted)
        for index, each in enumerate(self.boosted_words[known:], known):
            self._boosted.append(" ".join(listed_words(each.word, f"boosted_words[{index}].word")))
            yield

    @cached_property
    def min_log_prob(self) -> float:
        """The logarithm of `min_probability`."""
        return math.log(self.min_probability) if self.min_probability else -math.inf

    @property
    def floor(self) -> float:
        """Minimum log-probability of words that are not listed."""
        return -math.inf if self.allow_unseen_words else math.log(MIN_PROBABILITY)

    @cached_property
    def blocked(self) -> frozenset[str]:
        """The blocked words and phrases in normal form, with single spaces between words."""
        finish(self._normalising())
        return frozenset(self._blocked)

    @cached_property
    def blocked_phrases(self) -> ListedPhrases:
        """The blocked phrases."""
        return ListedPhrases(self.blocked)

    @cached_property
    def boosted(self) -> dict[str, BoostedWord]:
        """The boosted words and phrases by normal form. Of duplicates, the last counts."""
        finish(self._normalising())
        return dict(zip(self._boosted, self.boosted_words, strict=True))

    @cached_property
    def boosted_phrases(self) -> ListedPhrases:
        """The boosted phrases."""
        return ListedPhrases(self.boosted)

    @cached_property
    def boosts(self) -> dict[str, float]:
        """Boosts by word in normal form, in any context.

        The first word of a phrase gets the phrase's bonus if it is positive.
        """
        boosts: dict[str, float] = {}
        for phrase, each in self.boosted.items():
            first, *others = phrase.split(" ")
            if not others:
                boosts[first] = each.bonus
        for phrase, each in self.boosted.items():
            first, *others = phrase.split(" ")
            if others and each.bonus > boosts.get(first, 0.0):
                boosts[first] = each.bonus
        return boosts

    @cached_property
    def preferred_casing(self) -> dict[str, str]:
        """Casing of the boosted words, by normal form."""
        return {word: each.word.strip() for word, each in self.boosted.items() if " " not in word}

    def here(self, before: Sequence[str]) -> "Listed":
        """Return the blocks, boosts and casing of the next word after the last words of a text.

        A word that would complete a blocked phrase is blocked. A positive bonus of a phrase applies
        to each word that continues it, a negative bonus only to its last word.
        """
        if not (self.blocked_words or self.boosted_words):
            return NOTHING_LISTED
        boosts: dict[str, float] = {}
        forms: dict[str, str] = {}
        for phrase, word, index, is_last in self.boosted_phrases.following(before):
            each = self.boosted[phrase]
            forms[word] = word if each.word == phrase else written_words(each.word)[index]
            if each.bonus > boosts.get(word, 0.0) or (each.bonus < 0 and is_last):
                boosts[word] = each.bonus
        blocked = self.blocked_phrases.completed_by(before)
        return Listed(
            self.blocked | blocked if blocked else self.blocked,
            self.boosts | boosts if boosts else self.boosts,
            self.preferred_casing | forms if forms else self.preferred_casing,
        )

    def boosted_after(self, before: Sequence[str]) -> Iterator[tuple[list[str], float]]:
        """Yield the rest and bonus of each phrase that `before` begins and that is boosted."""
        phrases = self.boosted_phrases.following(before) if self.boosted_words else ()
        for phrase, _, index, _ in phrases:
            if index == len(before) and (bonus := self.boosted[phrase].bonus) > 0:
                yield phrase.split(" ")[index:], bonus

    def phrase_boost(self, found: Sequence[str]) -> float:
        """Return the sum of the bonuses of the boosted phrases in these words."""
        if not self.boosted_words:
            return 0.0
        within = self.boosted_phrases.within(found)
        return sum((self.boosted[phrase].bonus for _, phrase in within), 0.0)

    def preferred_casing_within(self, found: Sequence[str]) -> dict[int, str]:
        """Return the casing of words that are part of a boosted phrase, by index."""
        if not self.boosted_words:
            return {}
        return {
            first + index: form
            for first, phrase in self.boosted_phrases.within(found)
            for index, form in enumerate(written_words(self.boosted[phrase].word))
        }


@dataclass(frozen=True)
class Listed:
    """Blocks, boosts and casing of the next word at one position, by normal form."""

    blocked: Set[str]
    boosts: Mapping[str, float]
    preferred_casing: Mapping[str, str]


NOTHING_LISTED = Listed(frozenset(), {}, {})


def written_words(text: str) -> list[str]:
    """Split a text into words and return them as written."""
    normal = finish(normalising_with_offsets(text))
    return [
        text[normal.starts[first] : normal.ends[after - 1]].strip()
        for first, after in words.spans(normal.text)
    ]


def listed_words(text: str, field_name: str) -> list[str]:
    """Return the words of a listed word or phrase in normal form.

    Raises `InvalidInput` if it has no words or too many.
    """
    require_text(text, field_name)
    listed = words.split(normalise(text, field_name))
    if not listed:
        raise InvalidInput(field_name, "has no word; send a word, a punctuation mark or a phrase")
    if len(listed) > MAX_LISTED_PHRASE_WORDS:
        problem = f"has {len(listed)} words; the limit is {MAX_LISTED_PHRASE_WORDS}"
        raise InvalidInput(field_name, problem)
    return listed


def check_range(field_name: str, value: float, minimum: float, maximum: float) -> None:
    """Raise `InvalidInput` naming the field unless minimum <= value <= maximum."""
    if not minimum <= value <= maximum:
        raise InvalidInput(field_name, f"is {value}; it must be {minimum:g} to {maximum:g}")
