"""How much each part of a transcript's score counts.

Knows numbers and words; does not know the model. The total is log-linear:
sum(weights[name] * scores[name]) + lm_weight * log p(text) + word_bonus * words + boosts.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from wordgate.errors import InvalidInput
from wordgate.scoring.boosted_phrases import BoostedPhrases
from wordgate.text import words
from wordgate.text.argument_types import require_each
from wordgate.text.normalization import normalise
from wordgate.text.steps import Steps, finish

ACOUSTIC = "acoustic_log_prob"
"""The score that weighs 1 unless told otherwise; all others weigh 0."""


@dataclass(frozen=True)
class Boost:
    """A phrase whose every occurrence adds `weight` to a total (a hotword, contextual biasing)."""

    phrase: str
    weight: float


@dataclass(frozen=True)
class Weighting:
    """What a total is made of.

    `weights` maps names of scores to factors. `posterior_scale` divides totals before their
    softmax; by default max(1, lm_weight), since acoustic scores are far too certain as they are
    (Wessel et al. 2001). Raises `InvalidInput` naming the field when made with numbers that are
    not finite, a negative `lm_weight` or a `posterior_scale` that is not positive.
    """

    lm_weight: float = 1.0
    word_bonus: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)
    boosts: Sequence[Boost] = ()
    posterior_scale: float | None = None
    _phrases: BoostedPhrases = field(
        default_factory=BoostedPhrases, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        require_each(self.boosts, "boosts", Boost)
        check_finite("lm_weight", self.lm_weight)
        check_finite("word_bonus", self.word_bonus)
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
            check_finite(f"boosts[{index}].weight", boost.weight)

    @property
    def scale(self) -> float:
        """What totals are divided by for posteriors."""
        return max(1.0, self.lm_weight) if self.posterior_scale is None else self.posterior_scale

    def weight(self, name: str) -> float:
        """The factor of a score."""
        return self.weights.get(name, 1.0 if name == ACOUSTIC else 0.0)

    def weighted(self, scores: Mapping[str, float]) -> float:
        """The sum of a transcript's own scores, each times its weight, in order of their names."""
        return sum((self.weight(name) * scores[name] for name in sorted(scores)), 0.0)

    def prepare(self) -> Steps[None]:
        """Put the boosted phrases in order, once; in steps, for there may be many.

        Raises `InvalidInput` for a phrase without a word.
        """
        for index, boost in enumerate(self.boosts[self._phrases.added :], self._phrases.added):
            place = f"weighting.boosts[{index}].phrase"
            phrase = words.split(normalise(boost.phrase, place))
            if not phrase:
                raise InvalidInput(place, "has no word")
            self._phrases.add(phrase, boost.weight)
            yield 10 + 2 * len(phrase)

    def boost(self, found: Sequence[str]) -> float:
        """What all occurrences of boosted phrases in these words (in normal form) add."""
        return finish(self.boosting(found))

    def boosting(self, found: Sequence[str]) -> Steps[float]:
        """As `boost`, in steps."""
        if not self.boosts:
            return 0.0
        yield from self.prepare()
        added = []
        for end in range(1, len(found) + 1):
            weights = self._phrases.ending(found, end)
            added.append(sum(weights, 0.0))
            yield 1 + len(weights) // 2
        return sum(added, 0.0)

    def boost_at(self, found: Sequence[str], end: int) -> float:
        """What the phrases that end with word `end - 1` add."""
        finish(self.prepare())
        return sum(self._phrases.ending(found, end), 0.0)

    @property
    def longest_phrase(self) -> int:
        """Words of the longest boosted phrase."""
        finish(self.prepare())
        return self._phrases.longest

    def most_boost(self, word: str | None = None) -> float:
        """The most that phrases which end with a word can add; without one, with any word."""
        return self._most.get(word, 0.0)

    @cached_property
    def _most(self) -> dict[str | None, float]:
        finish(self.prepare())
        found: dict[str | None, float] = {}
        for last, weight in self._phrases.by_last_word():
            if weight > 0:
                found[last] = found.get(last, 0.0) + weight
        found[None] = max(found.values(), default=0.0)
        return found


def check_finite(field_name: str, number: float) -> None:
    """Raise `InvalidInput` naming the field unless a number is finite."""
    if not math.isfinite(number):
        raise InvalidInput(field_name, f"is {number}; send a finite number")


def check_scores(placed: Iterable[tuple[Callable[[], str], Mapping[str, float]]]) -> Steps[None]:
    """Raise `InvalidInput` unless all have the same scores, all finite.

    Each comes with what says its place.
    """
    first: tuple[Callable[[], str], Mapping[str, float]] | None = None
    for place, scores in placed:
        first = first or (place, scores)
        if scores.keys() != first[1].keys():
            problem = f"has {_listed(scores)}, but {first[0]()} has {_listed(first[1])}; "
            raise InvalidInput(place(), problem + "send the same scores for all, or none")
        for name, value in scores.items():
            if not math.isfinite(value):
                check_finite(f"{place()}[{name}]", value)
        yield 4 + len(scores)


def check_weighed(weighting: Weighting, names: Collection[str]) -> None:
    """Raise `InvalidInput` naming a weight, other than 0, of a score that nothing has."""
    for name, weight in weighting.weights.items():
        if weight and name not in names:
            problem = f"weighs nothing: there is {_listed(names)}"
            raise InvalidInput(f"weighting.weights[{name}]", problem)


def _listed(names: Iterable[str]) -> str:
    """Names of scores, for people."""
    return f"the scores {', '.join(sorted(names))}" if names else "no score"
