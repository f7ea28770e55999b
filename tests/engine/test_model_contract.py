"""The contract of models, for the fake model and real int8 and float32 models."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fake_model import FakeModel

from wordgate.bundle import bundle as bundles
from wordgate.engine.loaded_model import network_of
from wordgate.engine.lstm_state import NetworkState
from wordgate.engine.onnx_model import NetworkModel
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import (
    Model,
    OutputRows,
    State,
    Step,
    StepActivations,
    TokenLogProbs,
    run_request,
)

LEVELS = AdaptiveSoftmaxLayout((30, 60, 100))
_shared = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)


@pytest.fixture(scope="module", params=["fake", "int8", "float32"])
def model(request: pytest.FixtureRequest) -> Model:
    """One model of each kind."""
    if request.param == "fake":
        return FakeModel.random(LEVELS, 7)
    path: Path = request.getfixturevalue("bundle" if request.param == "int8" else "float_bundle")
    return network_of(bundles.load(path))


@pytest.fixture(scope="module")
def states(model: Model) -> list[State]:
    """States after different texts, including the zero state."""
    found = [model.start]
    for token in range(1, 12):
        found.append(_after(model, found[token // 2], token))
    return found


def _after(model: Model, state: State, token: int) -> State:
    return model.step([(state, token)])[0]


def _plain(answer: Any) -> Any:
    """Return a result with arrays as bytes, for bit-exact comparison."""
    if isinstance(answer, list | tuple):
        return [_plain(part) for part in answer]
    if isinstance(answer, NetworkState):
        return answer.hidden.tobytes(), answer.cells.tobytes()
    return answer.tobytes() if isinstance(answer, np.ndarray) else answer


def _is_exact(model: Model) -> bool:
    """Return whether results are bit-identical in any batch; float32 only guarantees 1e-4."""
    return not (isinstance(model, NetworkModel) and model.start.hidden.dtype == np.float32)


def test_every_row_sums_to_one(model: Model, states: list[State]) -> None:
    """The head with its clusters is a distribution, and so is each cluster."""
    for level in range(model.levels.count):
        for row in model.output_rows([(state, level) for state in states]):
            assert row.shape == (model.levels.width(level),)
            assert row.dtype == np.float32
            assert np.exp(row.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)
            assert (row <= 0).all()


def test_token_probabilities_sum_to_one(model: Model, states: list[State]) -> None:
    """The probabilities of all tokens after a state sum to 1."""
    everything = range(model.levels.vocabulary)
    found = model.token_log_probs([(states[3], token) for token in everything])
    assert math.fsum(map(math.exp, found)) == pytest.approx(1, abs=1e-5)


def test_token_log_probs_match_output_rows(model: Model, states: list[State]) -> None:
    """A token's log-probability is its head entry, or cluster plus own entry, bit for bit."""
    levels = model.levels
    for state in states[:4]:
        rows = model.output_rows([(state, level) for level in range(levels.count)])
        tokens = [*range(0, levels.vocabulary, 7), levels.vocabulary - 1]
        found = model.token_log_probs([(state, token) for token in tokens])
        for token, value in zip(tokens, found, strict=True):
            level = levels.of(token)
            expected = float(rows[level][token - levels.firsts[level]])
            if level:
                expected = float(rows[0][levels.head + level - 1]) + expected
            assert value == expected


def test_states_are_immutable(model: Model, states: list[State]) -> None:
    """Requests do not change the states that they start from."""
    before = _plain([model.start, states])
    for _ in range(2):
        model.step([(state, 5) for state in states])
        model.output_rows([(state, 0) for state in states])
    assert _plain([model.start, states]) == before


@_shared
@given(st.data())
def test_rows_together_equal_rows_alone(
    model: Model, states: list[State], data: st.DataObject
) -> None:
    """Results of rows of mixed levels and states are in order and equal to separate ones."""
    state = st.sampled_from(states)
    tokens = st.lists(st.tuples(state, st.integers(0, model.levels.vocabulary - 1)), min_size=1)
    rows = st.lists(st.tuples(state, st.integers(0, model.levels.count - 1)), min_size=1)
    kinds = (Step, StepActivations, TokenLogProbs)
    request = data.draw(st.one_of(*map(tokens.map, kinds), rows.map(OutputRows)))
    together = run_request(request, model)
    alone = [run_request(type(request)([row]), model)[0] for row in request]
    assert len(together) == len(request)
    if _is_exact(model):
        assert _plain(together) == _plain(alone)
    else:
        _close([together], [alone])


def _close(found: Sequence[Any], expected: Sequence[Any]) -> None:
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(one, other, strict=True):
            if isinstance(a, NetworkState):
                assert np.allclose(a.hidden, b.hidden, atol=1e-4)
                assert np.allclose(a.cells, b.cells, atol=1e-4)
            elif isinstance(a, tuple):
                _close([a], [b])
            else:
                assert np.allclose(a, b, atol=1e-4)


def test_activations_change_no_state(model: Model, states: list[State]) -> None:
    """Steps with activations return the same states as plain steps, bit for bit in any batch."""
    rows = [(state, 3 + number) for number, state in enumerate(states)]
    with_activations = [state for state, _ in model.step_activations(rows)]
    if _is_exact(model):
        assert _plain(with_activations) == _plain(model.step(rows))
    else:
        _close([with_activations], [model.step(rows)])


def test_requests_larger_than_a_batch(model: Model, states: list[State]) -> None:
    """150 rows and 150 log-probabilities of different states are returned in order."""
    many = [states[number % len(states)] for number in range(150)]
    rows = model.output_rows([(state, 1) for state in many])
    targets = model.token_log_probs([(state, 40) for state in many])
    assert len(rows) == len(targets) == 150
    for number in (0, 63, 64, 127, 149):
        assert np.allclose(rows[number], model.output_rows([(many[number], 1)])[0])
        [alone] = model.token_log_probs([(many[number], 40)])
        assert targets[number] == pytest.approx(alone, abs=1e-4)
