"""The linear probe on states whose answer is known."""

import numpy as np
import pytest

from wordgate.evaluation.probes.linear_probe import (
    FOLDS,
    Floats,
    Ridge,
    Scores,
    Whole,
    cross_validate,
    folds_of,
    score,
)

GENERATOR = np.random.default_rng(3)
ROWS, UNITS = 400, 30
GROUPS = np.arange(ROWS) // 4
CLASSES = np.arange(ROWS) % 3
NOISE = GENERATOR.normal(size=(ROWS, UNITS))


def _one_hot(classes: Whole) -> Floats:
    return np.eye(int(classes.max()) + 1)[classes]


def _scores(states: Floats, targets: Floats) -> Scores:
    [found] = cross_validate(states, [targets], folds_of(GROUPS))
    return found


def test_the_unit_with_the_label_is_found() -> None:
    """One unit carries two classes: the probe and this unit are right, the others are at chance."""
    states = NOISE.copy()
    classes = CLASSES % 2
    states[:, 7] = classes + 0.05 * NOISE[:, 7]
    found = _scores(states, _one_hot(classes))
    assert found.probe > 0.98
    assert found.units.argmax() == 7
    assert found.units[7] == 1.0
    share = np.bincount(classes).max() / ROWS
    assert np.delete(found.units, 7).max() < share + 0.1


def test_a_direction_over_several_units_is_found() -> None:
    """A label in the sum of two units: the probe reads it, each unit alone gets 3/4 right."""
    states = NOISE.copy()
    classes = (states[:, 2] + states[:, 5] > 0).astype(np.int64)
    found = _scores(states, _one_hot(classes))
    assert found.probe > 0.85
    assert set(np.argsort(-found.units)[:2]) == {2, 5}
    assert found.units[[2, 5]] == pytest.approx(0.75, abs=0.06)


def test_noise_is_at_chance() -> None:
    """States without information give about the share of the most frequent class."""
    found = _scores(NOISE, _one_hot(CLASSES))
    assert found.probe == pytest.approx(1 / 3, abs=0.08)


def test_a_class_in_the_middle_is_found() -> None:
    """A unit that orders three classes separates all of them alone."""
    states = NOISE.copy()
    states[:, 0] = CLASSES + 0.05 * NOISE[:, 0]
    assert _scores(states, _one_hot(CLASSES)).units[0] == 1.0


def test_numbers_are_measured_by_the_variance_explained() -> None:
    """R² is near 1 for a unit that is the number up to scale, and not above 0 for noise."""
    numbers = np.linspace(-2, 5, ROWS)[:, None]
    states = NOISE.copy()
    states[:, 4] = -3 * numbers[:, 0] + 0.01 * NOISE[:, 4]
    found = _scores(states, numbers)
    assert found.probe > 0.99
    assert found.units[4] > 0.999
    assert np.delete(found.units, 4).max() < 0.1
    assert _scores(NOISE, numbers).probe < 0.1


def test_the_score_of_the_mean_is_zero() -> None:
    """R² of the mean is 0, of the numbers themselves 1; accuracy counts the largest column."""
    numbers = np.array([[1.0], [2.0], [6.0]])
    assert score(np.full((3, 1), 3.0), numbers) == 0.0
    assert score(numbers, numbers) == 1.0
    assert score(np.array([[0.2, 0.1], [0.4, 0.3]]), np.eye(2)) == 0.5


def test_groups_are_held_out_whole() -> None:
    """All rows of a group are in one fold, and every fold has groups."""
    folds = folds_of(GROUPS)
    assert set(folds) == set(range(FOLDS))
    for group in range(GROUPS.max() + 1):
        assert len(set(folds[group == GROUPS])) == 1


def test_a_fitted_probe_reads_new_states() -> None:
    """The outputs of a fitted probe follow the class of states that it has not seen."""
    classes = CLASSES % 2
    states = NOISE.copy()
    states[:, 7] += 10 * classes
    fitted = Ridge(states).fit(_one_hot(classes), strength=0.1)
    new = np.zeros((2, UNITS))
    new[1, 7] = 10
    assert fitted(new).argmax(1).tolist() == [0, 1]


def test_a_unit_that_never_moves_does_no_harm() -> None:
    """A constant unit has no scale and carries nothing."""
    states = np.concatenate([NOISE, np.full((ROWS, 1), 0.5)], axis=1)
    found = _scores(states, _one_hot(CLASSES))
    assert np.isfinite(found.units).all()
    assert np.isfinite(found.probe)


def test_ridge_regression_is_the_closed_form() -> None:
    """The weights solve (XᵀX / n + strength) w = Xᵀy / n for standardised X."""
    states, targets = NOISE * 3 + 1, _one_hot(CLASSES)
    fitted = Ridge(states).fit(targets, strength=0.5)
    x = (states - states.mean(0)) / states.std(0)
    wanted = np.linalg.solve(
        x.T @ x / ROWS + 0.5 * np.eye(UNITS), x.T @ (targets - targets.mean(0)) / ROWS
    )
    assert fitted.weights == pytest.approx(wanted, abs=1e-9)
    assert fitted(states).mean(0) == pytest.approx(targets.mean(0))


def test_tasks_on_the_same_states_do_not_affect_each_other() -> None:
    """Two tasks together score as each alone."""
    tasks = [_one_hot(CLASSES), np.linspace(0, 1, ROWS)[:, None]]
    together = cross_validate(NOISE, tasks, folds_of(GROUPS))
    for task, found in zip(tasks, together, strict=True):
        alone = _scores(NOISE, task)
        assert found.probe == pytest.approx(alone.probe)
        assert found.units == pytest.approx(alone.units)
