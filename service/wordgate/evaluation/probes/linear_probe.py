"""A linear probe by ridge regression, cross-validated by group, and the best single units.

Classes are predicted as the largest of one regression per class. Numbers are measured by R², the
share of the variance that is explained, which may be negative on held-out data.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

FOLDS = 5
STRENGTHS = (0.01, 0.1, 1.0, 10.0)
"""Strengths of the ridge penalty, relative to the variance of a standardised unit."""

_TINY = 1e-12


@dataclass(frozen=True)
class Scores:
    """Held-out score of the probe and of each unit: accuracy, or R² for numbers.

    `strength` is the median of the strengths of the penalty that the folds chose.
    """

    probe: float
    units: Floats
    strength: float


@dataclass(frozen=True)
class LinearProbe:
    """A fitted probe: `(states - mean) / scale @ weights + offsets`, one column per target."""

    mean: Floats
    scale: Floats
    weights: Floats
    offsets: Floats

    def __call__(self, states: Floats) -> Floats:
        """Return the predictions for states [rows, units]: float64 [rows, targets]."""
        predicted: Floats = (states - self.mean) / self.scale @ self.weights + self.offsets
        return predicted


def folds_of(groups: Whole, seed: int = 0) -> Whole:
    """Return the fold of each row; rows of one group are in the same fold."""
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    return order[groups] % FOLDS


def cross_validate(states: Floats, tasks: Sequence[Floats], folds: Whole) -> list[Scores]:
    """Score the probe and the single units on held-out folds, for several tasks on the same states.

    `states`: [rows, units]; each task: [rows, 1] of numbers, or one column per class. For each
    fold, the probe is fitted on three others, and its penalty is chosen on the fourth.
    """
    predicted = [np.zeros_like(targets) for targets in tasks]
    errors = [np.zeros(states.shape[1]) for _ in tasks]
    strengths: list[list[float]] = [[] for _ in tasks]
    for fold in range(FOLDS):
        test, check = folds == fold, folds == (fold + 1) % FOLDS
        train = ~(test | check)
        ridge = Ridge(states[train])
        for task, targets in enumerate(tasks):
            fitted = {strength: ridge.fit(targets[train], strength) for strength in STRENGTHS}
            scores = {s: score(f(states[check]), targets[check]) for s, f in fitted.items()}
            best = max(STRENGTHS, key=scores.__getitem__)
            strengths[task].append(best)
            predicted[task][test] = fitted[best](states[test])
            errors[task] += _unit_errors(states, targets, ~test, test)
    return [
        Scores(
            score(predicted[task], targets),
            1.0 - errors[task] / _worst(targets),
            sorted(strengths[task])[FOLDS // 2],
        )
        for task, targets in enumerate(tasks)
    ]


class Ridge:
    """Ridge regression on the same states for any targets and strength of the penalty.

    With standardised states X of n rows and the eigenvectors V of XᵀX / n, the weights are
    V (Vᵀ Xᵀ targets / n) / (eigenvalues + strength).
    """

    def __init__(self, states: Floats) -> None:
        """Decompose states: float64 [rows, units]."""
        self._mean, self._scale = states.mean(0), states.std(0) + _TINY
        self._states = (states - self._mean) / self._scale
        gram = self._states.T @ self._states / len(states)
        self._values, self._vectors = np.linalg.eigh(gram)

    def fit(self, targets: Floats, strength: float) -> LinearProbe:
        """Fit a probe for targets: float64 [rows, targets]."""
        offsets = targets.mean(0)
        shares = self._vectors.T @ (self._states.T @ (targets - offsets) / len(targets))
        weights = self._vectors @ (shares / (self._values[:, None] + strength))
        return LinearProbe(self._mean, self._scale, weights, offsets)


def score(predicted: Floats, targets: Floats) -> float:
    """Return the accuracy of predicted classes, or R² for one column of numbers."""
    if targets.shape[1] == 1:
        return 1.0 - float(np.square(predicted - targets).sum()) / _worst(targets)
    return float((predicted.argmax(1) == targets.argmax(1)).mean())


def _unit_errors(
    states: Floats, targets: Floats, train: NDArray[np.bool_], test: NDArray[np.bool_]
) -> Floats:
    """Return the sum of errors of each unit alone over the rows of `test`: [units].

    Classes: 1 per row if the nearest mean of a class is that of another class. Numbers: the squared
    error of a line through the training rows.
    """
    if targets.shape[1] == 1:
        x, y = states[train], targets[train]
        centred = x - x.mean(0)
        slopes = (centred * (y - y.mean())).sum(0) / (np.square(centred).sum(0) + _TINY)
        predicted = y.mean() + slopes * (states[test] - x.mean(0))
        squared: Floats = np.square(predicted - targets[test]).sum(0)
        return squared
    members = targets[train].T
    means = members @ states[train] / np.maximum(members.sum(1, keepdims=True), 1)
    nearest = np.abs(states[test][:, None, :] - means).argmin(1)
    wrong: Floats = (nearest != targets[test].argmax(1)[:, None]).sum(0).astype(np.float64)
    return wrong


def _worst(targets: Floats) -> float:
    """Return the sum of errors at which a score is 0."""
    if targets.shape[1] == 1:
        return max(float(np.square(targets - targets.mean()).sum()), _TINY)
    return len(targets)
