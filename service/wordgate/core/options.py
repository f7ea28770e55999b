"""How a person wants suggestions.

Knows numbers, their limits and words in normal form; does not know how suggestions are found.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TypedDict

from wordgate.core import words
from wordgate.core.search import DEFAULT_MAX_EXPANSIONS
from wordgate.core.steps import Steps, finish
from wordgate.core.text import normalise
from wordgate.errors import InvalidInput

DEFAULT_MAX_SUGGESTIONS = 5
MAX_SUGGESTIONS = 100
MAX_EXPANSIONS = 5_000
MAX_WORDS = 10
DEFAULT_MIN_PHRASE_PROBABILITY = 0.2
LEAST_PHRASE_PROBABILITY = 0.01
DEFAULT_FLATNESS = 0.3
MAX_FLATNESS = 10.0
MAX_CACHE_WEIGHT = 0.9
LEAST_PROBABILITY = 1e-12
"""Of a suggested word that nobody listed."""

MAX_LISTED_WORDS = 1000
MAX_BOOST = 50.0
_WORD_WORK = 4
_CHARACTER_WORK = 6
"""Work to normalise a word, and each of its characters, in the unit of `Steps`."""


class LetterCase(Enum):
    """In which case suggestions come while a word is being typed.

    WRITTEN: as people write the word (`lon` becomes London), but a typed capital stays. TYPED:
    what was typed is never changed (`lon` becomes london).
    """

    WRITTEN = "written"
    TYPED = "typed"


@dataclass(frozen=True)
class BoostedWord:
    """A word of the person's own, written like this; `boost` is added to its log-probability for
    its place among the suggestions."""

    word: str
    boost: float


@dataclass(frozen=True)
class SessionCache:
    """A cache of the text itself (`core.session_cache`): its weight, 0 to 0.9, and how much more
    similar places count, 0 to 10."""

    weight: float = 0.1
    flatness: float = DEFAULT_FLATNESS


class OptionValues(TypedDict, total=False):
    """The fields of `Options`, as keyword arguments."""

    max_suggestions: int
    allow_punctuation: bool
    min_probability: float
    max_expansions: int
    letter_case: LetterCase
    omit_passed_over: bool
    blocked_words: Sequence[str]
    boosted_words: Sequence[BoostedWord]
    max_words: int
    min_phrase_probability: float
    max_corrections: int
    session_cache: SessionCache | None
    allow_unseen_words: bool


@dataclass(frozen=True)
class Options:
    """What is wanted, the same for each word of a text.

    `max_suggestions` likeliest words, those less likely than `min_probability` left out.
    `omit_passed_over`: without those that were among the suggestions for a shorter beginning of
    the same word, which the person did not take. `blocked_words` are not suggested;
    `boosted_words` are ranked higher (or lower). With `max_words` above 1, phrases follow the
    words: each goes on as long as the joint probability of the words after its first is at
    least `min_phrase_probability`. At most `max_corrections` words come first that were likelier
    meant than all that begin as typed. With a `session_cache`, words of the text are likelier,
    and probabilities are of model and cache together. Of a model that knows the words of its
    training text only these are suggested, with a probability of `LEAST_PROBABILITY` or more,
    boosted ones and those of the cache; with `allow_unseen_words` any others too.
    `max_expansions` bounds each search in rows of the output layer. Raises `InvalidInput`, naming
    the field, when made with values outside their limits; listed words are looked at by `prepare`.
    """

    max_suggestions: int = DEFAULT_MAX_SUGGESTIONS
    allow_punctuation: bool = False
    min_probability: float = 0.0
    max_expansions: int = DEFAULT_MAX_EXPANSIONS
    letter_case: LetterCase = LetterCase.WRITTEN
    omit_passed_over: bool = False
    blocked_words: Sequence[str] = ()
    boosted_words: Sequence[BoostedWord] = ()
    max_words: int = 1
    min_phrase_probability: float = DEFAULT_MIN_PHRASE_PROBABILITY
    max_corrections: int = 0
    session_cache: SessionCache | None = None
    allow_unseen_words: bool = False
    _blocked: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    _boosted: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        within("max_suggestions", self.max_suggestions, 1, MAX_SUGGESTIONS)
        within("max_expansions", self.max_expansions, 1, MAX_EXPANSIONS)
        within("max_corrections", self.max_corrections, 0, MAX_SUGGESTIONS)
        within("max_words", self.max_words, 1, MAX_WORDS)
        _between("min_probability", self.min_probability, 0.0, 1.0)
        _between(
            "min_phrase_probability", self.min_phrase_probability, LEAST_PHRASE_PROBABILITY, 1.0
        )
        for name, listed in (("blocked", self.blocked_words), ("boosted", self.boosted_words)):
            if len(listed) > MAX_LISTED_WORDS:
                problem = f"has {len(listed)} entries; the limit is {MAX_LISTED_WORDS}"
                raise InvalidInput(f"{name}_words", problem)
        for place, boosted in enumerate(self.boosted_words):
            _between(f"boosted_words[{place}].boost", boosted.boost, -MAX_BOOST, MAX_BOOST)
        if self.session_cache:
            cache = self.session_cache
            _between("session_cache.weight", cache.weight, 0.0, MAX_CACHE_WEIGHT)
            _between("session_cache.flatness", cache.flatness, 0.0, MAX_FLATNESS)

    def prepare(self) -> Steps[None]:
        """Find the normal forms of the listed words, once; in steps, for there may be many.

        Raises `InvalidInput` naming the first that is not one word.
        """
        for place, word in enumerate(self.blocked_words[len(self._blocked) :], len(self._blocked)):
            self._blocked.append(_one_word(word, f"blocked_words[{place}]"))
            yield _WORD_WORK + _CHARACTER_WORK * len(word)
        known = len(self._boosted)
        for place, each in enumerate(self.boosted_words[known:], known):
            self._boosted.append(_one_word(each.word, f"boosted_words[{place}].word"))
            yield _WORD_WORK + _CHARACTER_WORK * len(each.word)

    @cached_property
    def min_log_prob(self) -> float:
        """The logarithm of `min_probability`."""
        return math.log(self.min_probability) if self.min_probability else -math.inf

    @property
    def floor(self) -> float:
        """The logarithm of the least probability of words that are not listed."""
        return -math.inf if self.allow_unseen_words else math.log(LEAST_PROBABILITY)

    @cached_property
    def blocked(self) -> frozenset[str]:
        """The blocked words in normal form."""
        finish(self.prepare())
        return frozenset(self._blocked)

    @cached_property
    def boosted(self) -> dict[str, BoostedWord]:
        """The boosted words by their normal form; of several the last counts."""
        finish(self.prepare())
        return dict(zip(self._boosted, self.boosted_words, strict=True))

    @cached_property
    def boosts(self) -> dict[str, float]:
        """What is added to the ranks of words in normal form."""
        return {word: each.boost for word, each in self.boosted.items()}

    @cached_property
    def own_forms(self) -> dict[str, str]:
        """How the person writes words of their own, by normal form."""
        return {word: each.word.strip() for word, each in self.boosted.items()}


def _one_word(text: str, field_name: str) -> str:
    """The normal form of a text that is one word. Raises `InvalidInput` for any other."""
    found = words.split(normalise(text, field_name))
    if len(found) != 1:
        problem = "has no word" if not found else f"is {len(found)} words; send each by itself"
        raise InvalidInput(field_name, problem)
    return found[0]


def within(field_name: str, value: float, least: float, most: float) -> None:
    """Raise `InvalidInput` naming the field unless a value lies between these, both allowed."""
    if not least <= value <= most:
        raise InvalidInput(field_name, f"is {value}; it must be {least} to {most}")


def _between(field_name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InvalidInput(field_name, f"is {value}; it must be {least:g} to {most:g}")
