"""Minimum error rate training (MERT) of score weights on n-best lists, and related statistics.

The weights minimise the errors on a development set (Och 2003, "Minimum error rate training in
statistical machine translation"). The search moves along single weights and random directions; it
prefers the middle of a flat region to its edge.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LM_WEIGHTS = np.concatenate([[0.0], np.geomspace(0.02, 8.0, 20)])
_ROUNDS = 8
_DIRECTIONS = 4
_POINTS = np.linspace(-1.0, 1.0, 21)
_SMOOTH = np.array([0.25, 0.5, 0.25])


@dataclass(frozen=True)
class NBestLists:
    """Candidates of all utterances, concatenated.

    `features` [candidates, features]; `errors` [candidates]; `first` [utterances], the index of
    each utterance's first candidate; `lengths` [utterances], the units of each reference.
    """

    features: Array
    errors: Array
    first: NDArray[np.int64]
    lengths: Array

    def chosen(self, weights: Array) -> NDArray[np.int64]:
        """Return the index of each utterance's best candidate, the first one on ties."""
        totals = self.features @ weights
        best = np.repeat(np.maximum.reduceat(totals, self.first), self._sizes)
        places = np.where(totals >= best, np.arange(len(totals)), len(totals))
        found: NDArray[np.int64] = np.minimum.reduceat(places, self.first)
        return found

    def errors_of(self, weights: Array) -> Array:
        """Return the errors of each utterance's best candidate."""
        return self.errors[self.chosen(weights)]

    def oracle(self) -> Array:
        """Return the lowest number of errors of each utterance's candidates."""
        return np.minimum.reduceat(self.errors, self.first)

    def rate(self, errors: Array) -> float:
        """Return the error rate for an array of errors per utterance."""
        return float(errors.sum() / max(1.0, self.lengths.sum()))

    def part(self, utterances: Sequence[int]) -> "NBestLists":
        """Select utterances by index."""
        ends = self.first + self._sizes
        places = [np.arange(self.first[u], ends[u]) for u in utterances]
        sizes = np.array([len(found) for found in places])
        flat = np.concatenate(places)
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        chosen = np.array(utterances)
        return NBestLists(self.features[flat], self.errors[flat], first, self.lengths[chosen])

    @property
    def _sizes(self) -> NDArray[np.int64]:
        return np.diff(np.append(self.first, len(self.errors)))


def search(lists: NBestLists, start: Array, free: Sequence[int], scales: Array, lm: int) -> Array:
    """Return the weights with the fewest errors; weights that are not `free` stay as in `start`.

    `scales` are the step sizes per weight; weight `lm` is never negative.
    """
    generator = np.random.default_rng(0)
    weights_of_model = _LM_WEIGHTS * scales[lm] if lm in free else [start[lm]]
    best = min(
        (_with(start, lm, weight) for weight in weights_of_model),
        key=lambda weights: float(lists.errors_of(weights).sum()),
    )
    for turn in range(_ROUNDS):
        reach = 0.6**turn
        directions = [np.eye(len(start))[place] * scales for place in free]
        for _ in range(_DIRECTIONS * (len(free) > 1)):
            mixed = np.zeros(len(start))
            mixed[list(free)] = generator.normal(size=len(free))
            directions.append(mixed * scales)
        for direction in directions:
            best = _along(lists, best, direction * reach, lm)
    return best


def scales_of(features: Array, first: NDArray[np.int64], anchor: int) -> Array:
    """Return, per feature, the weight at which it changes totals as much as the anchor at 1."""
    spreads = np.linalg.norm(_centred(features, first), axis=0)
    scales: Array = max(spreads[anchor], 1e-9) / np.maximum(spreads, 1e-9)
    return np.minimum(scales, 1e6)


def flat_range(
    lists: NBestLists, weights: Array, place: int, scale: float, within: float
) -> list[float]:
    """Return the range of one weight in which the error rate rises by at most `within`."""
    rate = lists.rate(lists.errors_of(weights))
    ends = []
    for sign in (-1.0, 1.0):
        moved = weights.copy()
        for step in np.linspace(0.0, 2.0, 81)[1:]:
            moved[place] = weights[place] + sign * step * scale
            if lists.rate(lists.errors_of(moved)) > rate + within:
                break
        ends.append(float(moved[place]))
    return ends


def rates_along(
    lists: NBestLists, weights: Array, place: int, values: Sequence[float]
) -> list[float]:
    """Return the error rate at each of these values of one weight, with the others unchanged."""
    return [lists.rate(lists.errors_of(_with(weights, place, value))) for value in values]


def posterior_scale(lists: NBestLists, weights: Array) -> float:
    """Return the scale that maximises the likelihood of the candidates with the fewest errors."""
    totals = lists.features @ weights
    sizes = np.diff(np.append(lists.first, len(totals)))
    good = lists.errors <= np.repeat(lists.oracle(), sizes)

    def log_likelihood(scale: float) -> float:
        scaled = totals / scale
        shifted = scaled - np.repeat(np.maximum.reduceat(scaled, lists.first), sizes)
        masses = np.exp(shifted)
        right = np.add.reduceat(np.where(good, masses, 0.0), lists.first)
        every = np.add.reduceat(masses, lists.first)
        return float(np.log(np.maximum(right / every, 1e-12)).sum())

    return float(max(np.geomspace(0.1, 1000.0, 121), key=log_likelihood))


def dependent(features: Array, first: NDArray[np.int64]) -> list[int]:
    """Return features that depend linearly on earlier ones, up to a constant per utterance."""
    centred = _centred(features, first)
    kept: list[int] = []
    independent = []
    for place in range(features.shape[1]):
        column = centred[:, place]
        spread = float(np.linalg.norm(column))
        if kept:
            solved = np.linalg.lstsq(centred[:, kept], column, rcond=None)[0]
            column = column - centred[:, kept] @ solved
        if np.linalg.norm(column) <= 1e-2 * spread:
            independent.append(place)
        else:
            kept.append(place)
    return independent


def _centred(features: Array, first: NDArray[np.int64]) -> Array:
    """Subtract the mean per utterance, which does not affect rankings."""
    sizes = np.diff(np.append(first, len(features)))
    means = np.add.reduceat(features, first) / sizes[:, None]
    centred: Array = features - np.repeat(means, sizes, axis=0)
    return centred


def _along(lists: NBestLists, weights: Array, direction: Array, lm: int) -> Array:
    """Return the best weights along a line, or `weights` if none is better."""
    tried = [weights + step * direction for step in _POINTS]
    errors = np.array(
        [np.inf if each[lm] < 0 else float(lists.errors_of(each).sum()) for each in tried]
    )
    padded = np.concatenate([errors[:1], errors, errors[-1:]])
    smooth = np.convolve(padded, _SMOOTH, mode="valid")
    middle = len(_POINTS) // 2
    order = sorted(range(len(tried)), key=lambda place: (smooth[place], abs(place - middle)))
    best = order[0]
    return tried[best] if errors[best] <= errors[middle] else weights


def _with(weights: Array, place: int, value: float) -> Array:
    changed = weights.copy()
    changed[place] = value
    return changed
