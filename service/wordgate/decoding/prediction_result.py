"""The result of a prediction: suggestions of several kinds, with their log-probabilities."""

import math
from dataclasses import dataclass
from enum import Enum

from wordgate.lm.model_version import ModelVersion


class Kind(Enum):
    """The kind of a suggestion."""

    WORD = "word"
    PUNCTUATION = "punctuation"
    PHRASE = "phrase"
    CORRECTION = "correction"


@dataclass(frozen=True)
class Suggestion:
    """A truecased word or phrase with its log-probability given the history."""

    text: str
    log_prob: float
    kind: Kind

    @property
    def probability(self) -> float:
        """Probability of the suggestion, 0 to 1."""
        return math.exp(self.log_prob)


@dataclass(frozen=True)
class PredictionResult:
    """The suggestions for one position: first corrections, then words, then phrases, best first.

    Corrections rank above all words with the typed prefix. A suggestion replaces `prefix`, the
    unfinished word exactly as typed. `exact` is false if a limit was reached before the suggestions
    were proven to be the best. `expansions` is the number of output-layer rows that the search
    requested.
    """

    suggestions: list[Suggestion]
    prefix: str
    exact: bool
    expansions: int
    model: ModelVersion
