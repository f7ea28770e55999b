"""Tune on a development set and report what it is worth.

Knows utterances with references, a model to ask and how errors are counted; the search itself is
in `tuning`. What is reported as held out was chosen on the other half of the utterances.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from wordgate.core.weighting import ACOUSTIC, Weighting
from wordgate.engine.answers import Asked
from wordgate.errors import InvalidFile, InvalidInput
from wordgate.evaluation import tuning
from wordgate.evaluation.error_rate import Counting
from wordgate.evaluation.hesitations import Utterance, ranked
from wordgate.evaluation.records import strictly
from wordgate.evaluation.tuning import Array, Lists

LM = "\0lm"
WORDS = "\0words"
"""Features of the model, under names that no score can have."""

FEWEST = 30
"""Utterances without which no verdict is given."""

WITHIN = 0.001
"""A weight is flat as far as it costs no more than this: a tenth of a point of error rate."""


@dataclass(frozen=True)
class Development:
    """Features by name, in order, and what is known of each candidate.

    `ignored` are scores that the candidates have and that are not used.
    """

    names: list[str]
    lists: Lists
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tuned:
    """Weights with what they are worth. Rates are shares of one; intervals are of 95 %.

    `held_out` was measured on the half that was not tuned on, and the reverse; `without_model` is
    the same with the recogniser's own scores alone. `interval` is that of `held_out`; `gain` of
    how much lower it is than the first candidates' rate, `gain_over_own` than `without_model`.
    `flat` gives for each weight the range in which the rate rises by no more than `WITHIN`.
    `left_out` are scores that are sums of others.
    """

    weighting: Weighting
    first: float
    acoustic: float | None
    tuned: float
    held_out: float
    without_model: float
    oracle: float
    interval: list[float]
    gain: list[float]
    gain_over_own: list[float]
    flat: dict[str, list[float]]
    left_out: list[str]
    utterances: int
    units: int

    @property
    def verdict(self) -> str:
        """What to do, in plain words."""
        share = (self.first - self.held_out) / max(self.first - self.oracle, 1e-9)
        found = f"{self.held_out:.2%} held out against {self.first:.2%} of the first candidates"
        if self.utterances < FEWEST:
            return f"too few utterances to tell: {found}; tune on {FEWEST} or more"
        if self.weighting.lm_weight == 0 or self.held_out >= self.first:
            return f"do not use this model here: {found}"
        if self.gain[0] <= 0:
            return f"no clear gain: {found}, less than chance may do; tune on more utterances"
        if self.held_out < self.without_model and self.gain_over_own[0] <= 0:
            return (
                f"no clear gain over the recogniser's own scores: {found}, and those scores, "
                f"weighed anew, reach {self.without_model:.2%} without it; tune on more utterances"
            )
        if self.held_out >= self.without_model:
            return (
                f"do not use this model here: {found}, but the recogniser's own scores, weighed "
                f"anew, reach {self.without_model:.2%} without it"
            )
        return f"use this model: {found}, {share:.0%} of the way to the best candidates there are"


def collect(
    asked: Asked,
    utterances: Iterable[Utterance],
    counting: Counting,
    ignored: Sequence[str] = (),
) -> Development:
    """Ask the model about all candidates; scores that are `ignored` are as if they were not there.

    Raises `InvalidFile` with the line of an utterance without a reference, or with other scores
    than those before it.
    """
    names: list[str] = []
    present: set[str] = set()
    features: list[list[float]] = []
    sizes: list[int] = []
    said: list[str] = []
    heard: list[str] = []
    lengths: list[int] = []
    for utterance, answer in strictly(ranked(asked, _checked(utterances), Weighting())):
        present.update(utterance.hypotheses[0].scores)
        scores = [name for name in utterance.hypotheses[0].scores if name not in ignored]
        if not names:
            names = _ordered(scores)
        elif set(_ordered(scores)) != set(names):
            problem = f"has other scores ({', '.join(scores)}) than the lines before it"
            raise InvalidFile(utterance.path, problem, utterance.line)
        found = sorted(answer.ranking.transcripts, key=lambda transcript: transcript.index)
        for transcript in found:
            own = {LM: transcript.log_prob, WORDS: float(transcript.word_count)}
            features.append([{**transcript.scores, **own}[name] for name in names])
        sizes.append(len(found))
        reference = utterance.reference or ""
        lengths.append(counting.length(reference))
        said.extend([reference] * len(found))
        heard.extend(transcript.text for transcript in found)
    if not sizes:
        raise InvalidInput("input", "has no utterance")
    return Development(
        names,
        Lists(
            np.array(features, dtype=np.float64),
            np.array(counting.errors(said, heard), dtype=np.float64),
            np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64),
            np.array(lengths, dtype=np.float64),
        ),
        tuple(sorted(present.intersection(ignored))),
    )


def tune(development: Development) -> Tuned:
    """The weights with the fewest errors, and what they are worth."""
    names, lists = development.names, development.lists
    left_out = tuning.dependent(lists.features, lists.first)
    anchor = _anchor(development, left_out)
    free = [p for p in range(len(names)) if p != anchor and p not in left_out]
    lm = names.index(LM)
    fit = _Fit(lists, free, anchor, lm)
    weights = fit.weights(lists)
    errors = lists.errors_of(weights)
    first = lists.errors[lists.first]
    held_out = fit.held_out(free)
    without = fit.held_out([place for place in free if place != lm], without=lm)
    scale = tuning.posterior_scale(lists, weights)
    flat = {
        _public(names[place]): tuning.flatness(lists, weights, place, fit.scales[place], WITHIN)
        for place in free
    }
    own = dict.fromkeys(development.ignored, 0.0)
    own |= {name: float(weights[names.index(name)]) for name in names if name not in {LM, WORDS}}
    return Tuned(
        Weighting(float(weights[lm]), float(weights[names.index(WORDS)]), own, (), scale),
        lists.rate(first),
        _acoustic_rate(names, lists),
        lists.rate(errors),
        lists.rate(held_out),
        lists.rate(without),
        lists.rate(lists.oracle()),
        tuning.interval(held_out, lists.lengths),
        tuning.interval(first - held_out, lists.lengths),
        tuning.interval(without - held_out, lists.lengths),
        flat,
        [_public(names[place]) for place in left_out],
        len(lists.lengths),
        int(lists.lengths.sum()),
    )


class _Fit:
    """Searches for weights on all utterances or on some."""

    def __init__(self, lists: Lists, free: Sequence[int], anchor: int, lm: int) -> None:
        self._lists = lists
        self._free = free
        self._lm = lm
        self.scales = tuning.scales_of(lists.features, lists.first, anchor)
        self._start = np.zeros(lists.features.shape[1])
        self._start[anchor] = 1.0

    def weights(self, lists: Lists) -> Array:
        return tuning.search(lists, self._start, self._free, self.scales, self._lm)

    def held_out(self, free: Sequence[int], without: int | None = None) -> Array:
        """Errors of each utterance with weights chosen on the half that it is not in."""
        start = self._start.copy()
        if without is not None:
            start[without] = 0.0
        errors = np.zeros(len(self._lists.lengths))
        halves = [range(half, len(errors), 2) for half in (0, 1)]
        for mine, other in (halves, halves[::-1]):
            if mine:
                part = self._lists.part(other or mine)
                weights = tuning.search(part, start, free, self.scales, self._lm)
                errors[list(mine)] = self._lists.part(mine).errors_of(weights)
        return errors


def _checked(utterances: Iterable[Utterance]) -> Iterable[Utterance]:
    for utterance in utterances:
        if utterance.reference is None:
            problem = 'has no "reference": tuning needs what was really said'
            raise InvalidFile(utterance.path, problem, utterance.line)
        yield utterance


def _ordered(scores: Iterable[str]) -> list[str]:
    """Names of features: the acoustic score first, then the model's, then others."""
    others = sorted(name for name in scores if name != ACOUSTIC)
    return [*([ACOUSTIC] if ACOUSTIC in scores else []), LM, WORDS, *others]


def _anchor(development: Development, left_out: Sequence[int]) -> int:
    """The feature that weighs 1: the acoustic score, another that says something, the model's."""
    names = development.names
    own = [p for p, name in enumerate(names) if name not in {LM, WORDS} and p not in left_out]
    return own[0] if own else names.index(LM)


def _acoustic_rate(names: Sequence[str], lists: Lists) -> float | None:
    if names[0] != ACOUSTIC:
        return None
    return lists.rate(lists.errors_of(np.eye(len(names))[0]))


def _public(name: str) -> str:
    return {LM: "lm_weight", WORDS: "word_bonus"}.get(name, name)
