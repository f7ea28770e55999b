"""A linear probe by ridge regression, cross-validated by group, and the best single units.

Classes are predicted as the largest of one regression per class. Numbers are measured by R², the
share of the variance that is explained, which may be negative on held-out data.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

FOLDS = 5
STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Strengths of the ridge penalty, as multiples of the number of examples."""

_TINY = 1e-12


@dataclass(frozen=True)
class Scores:
    """Held-out score of the probe and of each unit: accuracy, or R² for numbers."""

    probe: float
    units: Floats


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


def one_hot(classes: Whole) -> Floats:
    """Return a column per class with 1 where a row has the class."""
    return np.eye(int(classes.max()) + 1)[classes]


def folds_of(groups: Whole, seed: int = 0) -> Whole:
    """Return the fold of each row; rows of one group are in the same fold."""
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    return order[groups] % FOLDS


def cross_validate(states: Floats, targets: Floats, folds: Whole) -> Scores:
    """Score the probe and the single units on held-out folds.

    `states`: [rows, units]; `targets`: [rows, 1] for numbers, else one column per class. For each
    fold, the probe is fitted on three others, and its penalty is chosen on the fourth.
    """
    predicted = np.zeros_like(targets)
    errors = np.zeros(states.shape[1])
    for fold in range(FOLDS):
        test, check = folds == fold, folds == (fold + 1) % FOLDS
        fitted = _best(states, targets, ~(test | check), check)
        predicted[test] = fitted(states[test])
        errors += _unit_errors(states, targets, ~test, test)
    return Scores(score(predicted, targets), 1.0 - errors / _worst(targets))


def fit(states: Floats, targets: Floats, folds: Whole) -> LinearProbe:
    """Fit a probe on all rows, with the penalty that is best on the first fold."""
    strength = _strengths_by_score(states, targets, folds != 0, folds == 0)[0]
    return _fitter(states, targets)(strength)


def score(predicted: Floats, targets: Floats) -> float:
    """Return the accuracy of predicted classes, or R² for one column of numbers."""
    if targets.shape[1] == 1:
        return 1.0 - float(np.square(predicted - targets).sum()) / _worst(targets)
    return float((predicted.argmax(1) == targets.argmax(1)).mean())


def _best(
    states: Floats, targets: Floats, train: NDArray[np.bool_], check: NDArray[np.bool_]
) -> LinearProbe:
    strength = _strengths_by_score(states, targets, train, check)[0]
    return _fitter(states[train], targets[train])(strength)


def _strengths_by_score(
    states: Floats, targets: Floats, train: NDArray[np.bool_], check: NDArray[np.bool_]
) -> list[float]:
    """Return the strengths of the penalty, the best on `check` first."""
    fitted = _fitter(states[train], targets[train])

    def checked(strength: float) -> float:
        return score(fitted(strength)(states[check]), targets[check])

    return sorted(STRENGTHS, key=checked, reverse=True)


def _fitter(states: Floats, targets: Floats) -> Callable[[float], LinearProbe]:
    """Return a function that fits a probe for a strength of the penalty.

    With standardised states X = U S Vᵀ, the weights are V S / (S² + penalty) Uᵀ targets.
    """
    mean, scale = states.mean(0), states.std(0) + _TINY
    offsets = targets.mean(0)
    left, sizes, right = np.linalg.svd((states - mean) / scale, full_matrices=False)
    shares = left.T @ (targets - offsets)

    def fitted(strength: float) -> LinearProbe:
        shrunk = sizes / (np.square(sizes) + strength * len(states))
        return LinearProbe(mean, scale, right.T @ (shrunk[:, None] * shares), offsets)

    return fitted


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
