"""Weights of the log-linear score of a transcript.

The total is
sum(weights[name] * scores[name]) + lm_weight * log p(text) + word_insertion_bonus * words + boosts.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from wordgate.errors import InvalidInput
from wordgate.scoring.boosted_phrases import BoostedPhrases
from wordgate.text import words
from wordgate.text.argument_types import require_each
from wordgate.text.cooperative_steps import Steps, finish
from wordgate.text.normalization import normalise, require_unicode

ACOUSTIC = "acoustic_log_prob"
"""The only score with a default weight of 1; all others default to 0."""


@dataclass(frozen=True)
class Boost:
    """A boosted phrase (hotword, contextual biasing); each occurrence adds `bonus` to a total."""

    phrase: str
    bonus: float


@dataclass(frozen=True)
class ScoreWeights:
    """Weights of all parts of a total.

    `weights` maps score names to factors. Totals are divided by `posterior_scale` before the
    softmax; the default is max(1, lm_weight), since unscaled acoustic scores give overconfident
    posteriors (Wessel et al. 2001). Raises `InvalidInput` naming the field for numbers that are
    not finite, a negative `lm_weight`, or a `posterior_scale` that is not positive.
    """

    lm_weight: float = 1.0
    word_insertion_bonus: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)
    boosts: Sequence[Boost] = ()
    posterior_scale: float | None = None
    _phrases: BoostedPhrases = field(
        default_factory=BoostedPhrases, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        require_each(self.boosts, "boosts", Boost)
        check_finite("lm_weight", self.lm_weight)
        check_finite("word_insertion_bonus", self.word_insertion_bonus)
        for name, weight in self.weights.items():
            check_finite(f"weights[{name}]", weight)
        if self.lm_weight < 0:
            raise InvalidInput("lm_weight", f"is {self.lm_weight:g}; it must not be negative")
        if self.posterior_scale is not None:
            check_finite("posterior_scale", self.posterior_scale)
            if self.posterior_scale <= 0:
                problem = f"is {self.posterior_scale:g}; it must be greater than 0"
                raise InvalidInput("posterior_scale", problem)
        for index, boost in enumerate(self.boosts):
            check_finite(f"boosts[{index}].bonus", boost.bonus)

    @property
    def scale(self) -> float:
        """Divisor of totals for posteriors."""
        return max(1.0, self.lm_weight) if self.posterior_scale is None else self.posterior_scale

    def weight_of(self, name: str) -> float:
        """Return the factor of a score."""
        return self.weights.get(name, 1.0 if name == ACOUSTIC else 0.0)

    def weighted_sum(self, scores: Mapping[str, float]) -> float:
        """Return the weighted sum of a transcript's scores, added in order of their names."""
        return sum((self.weight_of(name) * scores[name] for name in sorted(scores)), 0.0)

    def prepare(self) -> Steps[None]:
        """Build the tree of boosted phrases, as steps, unless it is already built.

        Raises `InvalidInput` for a phrase without a word.
        """
        for index, boost in enumerate(self.boosts[self._phrases.added :], self._phrases.added):
            field_name = f"score_weights.boosts[{index}].phrase"
            phrase = words.split(normalise(boost.phrase, field_name))
            if not phrase:
                raise InvalidInput(field_name, "contains no word")
            self._phrases.add(phrase, boost.bonus)
            yield

    def boost(self, found: Sequence[str]) -> float:
        """Return the sum of all occurrences of boosted phrases in words in normal form."""
        return finish(self.boosting(found))

    def boosting(self, found: Sequence[str]) -> Steps[float]:
        """Same as `boost`, but as steps."""
        if not self.boosts:
            return 0.0
        yield from self.prepare()
        added = []
        for end in range(1, len(found) + 1):
            weights = self._phrases.ending(found, end)
            added.append(sum(weights, 0.0))
            yield
        return sum(added, 0.0)

    def boost_at(self, found: Sequence[str], end: int) -> float:
        """Return the sum of the boosted phrases that end with word `end - 1`."""
        finish(self.prepare())
        return sum(self._phrases.ending(found, end), 0.0)

    @property
    def longest_phrase(self) -> int:
        """Length of the longest boosted phrase in words."""
        finish(self.prepare())
        return self._phrases.longest

    def most_boost(self, word: str | None = None) -> float:
        """Return an upper bound on the boost of phrases that end with `word` (None: any word)."""
        return self._most.get(word, 0.0)

    @cached_property
    def _most(self) -> dict[str | None, float]:
        finish(self.prepare())
        most: dict[str | None, float] = {}
        for last, weight in self._phrases.by_last_word():
            if weight > 0:
                most[last] = most.get(last, 0.0) + weight
        most[None] = max(most.values(), default=0.0)
        return most


def check_finite(field_name: str, number: float) -> None:
    """Raise `InvalidInput` naming the field for a number that is not finite."""
    if not math.isfinite(number):
        raise InvalidInput(field_name, f"is {number}; send a finite number")


def check_scores(placed: Iterable[tuple[Callable[[], str], Mapping[str, float]]]) -> Steps[None]:
    """Raise `InvalidInput` unless all have the same scores, all finite, with names in Unicode.

    Each mapping of scores comes with a function that returns the name of its field.
    """
    first: tuple[Callable[[], str], Mapping[str, float]] | None = None
    for field_name, scores in placed:
        if first is None:
            first = field_name, scores
            for name in scores:
                require_unicode(name, field_name())
        if scores.keys() != first[1].keys():
            problem = f"has {_listed(scores)}, but {first[0]()} has {_listed(first[1])}; "
            raise InvalidInput(field_name(), problem + "send the same scores for all")
        for name, value in scores.items():
            if not math.isfinite(value):
                check_finite(f"{field_name()}[{name}]", value)
        yield


def check_weighed(score_weights: ScoreWeights, names: Collection[str]) -> None:
    """Raise `InvalidInput` naming a nonzero weight of a score that was not sent."""
    for name, weight in score_weights.weights.items():
        if weight and name not in names:
            problem = f"unknown score; available: {', '.join(sorted(names)) or 'none'}"
            raise InvalidInput(f"score_weights.weights[{name}]", problem)


def _listed(names: Iterable[str]) -> str:
    """Return score names as text for error messages."""
    return f"the scores {', '.join(sorted(names))}" if names else "no scores"
