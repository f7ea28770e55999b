"""Suggestions for the next word.

Knows text, pieces and what to ask of a model; does not know onnxruntime or who is asking.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from unicodedata import category

from wordgate.core import words
from wordgate.core.asks import Asks
from wordgate.core.history import read_context
from wordgate.core.language import Language, begins_sentence
from wordgate.core.search import DEFAULT_MAX_EXPANSIONS, Found, Search, likeliest_words
from wordgate.core.state_store import StateStore
from wordgate.core.text import normalise, normalise_with_offsets, refuse_surrogates
from wordgate.errors import InvalidInput

DEFAULT_MAX_SUGGESTIONS = 5
MAX_SUGGESTIONS = 100
MAX_EXPANSIONS = 20_000


class Kind(Enum):
    """What a suggestion is."""

    WORD = "word"
    PUNCTUATION = "punctuation"


@dataclass(frozen=True)
class Suggestion:
    """A next word as people write it, with its own probability after the history."""

    text: str
    log_prob: float
    kind: Kind

    @property
    def probability(self) -> float:
        """The same as a share of one."""
        return math.exp(self.log_prob)


@dataclass(frozen=True)
class Prediction:
    """Suggestions, the likeliest first; `exact` unless a bound was hit before they were proven.

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
    any case. Words less likely than `min_probability` are left out. Raises `InvalidInput`,
    naming the field, when made with values outside their limits.
    """

    history: str
    prefix: str = ""
    max_suggestions: int = DEFAULT_MAX_SUGGESTIONS
    allow_punctuation: bool = False
    min_probability: float = 0.0
    max_expansions: int = field(default=DEFAULT_MAX_EXPANSIONS)

    def __post_init__(self) -> None:
        _within("max_suggestions", self.max_suggestions, 1, MAX_SUGGESTIONS)
        _within("max_expansions", self.max_expansions, 1, MAX_EXPANSIONS)
        if not 0.0 <= self.min_probability <= 1.0:
            raise InvalidInput(
                "min_probability", f"is {self.min_probability}; it is a probability, 0 to 1"
            )


def predict(language: Language, store: StateStore, query: Query) -> Asks[Prediction]:
    """The exact `query.max_suggestions` likeliest next words.

    A prefix of several words (`well-kn`) has its complete ones, marks among them, read as
    history. Raises `InvalidInput` naming `history` or `prefix` for text that is not Unicode.
    """
    complete, typed = split_typed(query.prefix, "prefix")
    unfinished = normalise(typed)
    history = f"{query.history} {complete}" if complete.strip() else query.history
    start = yield from read_context(language.pieces, history, store)
    search = Search(
        count=query.max_suggestions,
        prefix=unfinished.encode("utf-8"),
        accepts=_acceptance(language, query.allow_punctuation),
        min_log_prob=math.log(query.min_probability) if query.min_probability else -math.inf,
        max_expansions=query.max_expansions,
    )
    answer = yield from likeliest_words(language.pieces, language.levels, start, search, store)
    suggestions = _written(language, answer, begins_sentence(history))
    return Prediction(suggestions, typed, answer.exact, answer.expansions)


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


def _acceptance(language: Language, allow_punctuation: bool) -> Callable[[str], bool]:
    def accepts(word: str) -> bool:
        if word in language.never_suggested:
            return False
        return allow_punctuation or not words.is_punctuation(word)

    return accepts


def _written(language: Language, answer: Found, begins: bool) -> list[Suggestion]:
    return [
        Suggestion(
            text=language.write(found.word, begins),
            log_prob=found.log_prob,
            kind=Kind.PUNCTUATION if words.is_punctuation(found.word) else Kind.WORD,
        )
        for found in answer.words
    ]


def _within(field_name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidInput(field_name, f"is {value}; it must be {least} to {most}")
