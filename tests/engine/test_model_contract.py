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
from wordgate.lm.requests import Model, ModelRequest, OutputRows, State, Step, TokenLogProbs

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
    for piece in range(1, 12):
        found.append(_after(model, found[piece // 2], piece))
    return found


def _after(model: Model, state: State, piece: int) -> State:
    return model.answer([Step([(state, piece)])])[0][0]


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
        for row in model.answer([OutputRows(level, states)])[0]:
            assert row.shape == (model.levels.width(level),)
            assert row.dtype == np.float32
            assert np.exp(row.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)
            assert (row <= 0).all()


def test_token_probabilities_sum_to_one(model: Model, states: list[State]) -> None:
    """The probabilities of all tokens after a state sum to 1."""
    everything = range(model.levels.vocabulary)
    [found] = model.answer([TokenLogProbs([(states[3], piece) for piece in everything])])
    assert math.fsum(map(math.exp, found)) == pytest.approx(1, abs=1e-5)


def test_token_log_probs_match_output_rows(model: Model, states: list[State]) -> None:
    """A token's log-probability is its head entry, or cluster plus own entry, bit for bit."""
    levels = model.levels
    for state in states[:4]:
        rows = [model.answer([OutputRows(level, [state])])[0][0] for level in range(levels.count)]
        pieces = [*range(0, levels.vocabulary, 7), levels.vocabulary - 1]
        [found] = model.answer([TokenLogProbs([(state, piece) for piece in pieces])])
        for piece, value in zip(pieces, found, strict=True):
            level = levels.of(piece)
            expected = float(rows[level][piece - levels.first(level)])
            if level:
                expected = float(rows[0][levels.head + level - 1]) + expected
            assert value == expected


def test_states_are_immutable(model: Model, states: list[State]) -> None:
    """Requests do not change the states that they start from."""
    before = _plain([model.start, states])
    for _ in range(2):
        model.answer([Step([(state, 5) for state in states]), OutputRows(0, states)])
    assert _plain([model.start, states]) == before


def test_empty_requests_have_empty_results(model: Model) -> None:
    """No request has no result; requests without rows have empty results."""
    assert model.answer([]) == []
    assert model.answer([Step([]), TokenLogProbs([]), OutputRows(0, [])]) == [[], [], []]


@_shared
@given(st.data())
def test_merged_requests_equal_separate_requests(
    model: Model, states: list[State], data: st.DataObject
) -> None:
    """Results of mixed requests are in order and equal to separate ones."""
    state = st.sampled_from(states)
    asked = st.tuples(state, st.integers(0, model.levels.vocabulary - 1))
    level = st.integers(0, model.levels.count - 1)
    ask = st.one_of(
        st.lists(asked, max_size=5).map(Step),
        st.lists(asked, max_size=5).map(TokenLogProbs),
        st.builds(OutputRows, level, st.lists(state, max_size=4)),
    )
    asks: list[ModelRequest] = data.draw(st.lists(ask, max_size=8))
    together = model.answer(asks)
    alone = [model.answer([one])[0] for one in asks]
    assert [len(answer) for answer in together] == [len(one) for one in asks]
    if _is_exact(model):
        assert _plain(together) == _plain(alone)
    else:
        _close(together, alone)


def _close(found: Sequence[Any], expected: Sequence[Any]) -> None:
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(one, other, strict=True):
            if isinstance(a, NetworkState):
                assert np.allclose(a.hidden, b.hidden, atol=1e-4)
                assert np.allclose(a.cells, b.cells, atol=1e-4)
            else:
                assert np.allclose(a, b, atol=1e-4)


def test_requests_larger_than_a_batch(model: Model, states: list[State]) -> None:
    """150 rows and 150 log-probabilities of different states are returned in order."""
    many = [states[number % len(states)] for number in range(150)]
    rows = model.answer([OutputRows(1, many)])[0]
    targets = model.answer([TokenLogProbs([(state, 40) for state in many])])[0]
    assert len(rows) == len(targets) == 150
    for number in (0, 63, 64, 127, 149):
        assert np.allclose(rows[number], model.answer([OutputRows(1, [many[number]])])[0][0])
        [[alone]] = model.answer([TokenLogProbs([(many[number], 40)])])
        assert targets[number] == pytest.approx(alone, abs=1e-4)


def test_parts_of_a_request_have_its_rows(states: list[State]) -> None:
    """`part` selects rows of a request, in order."""
    for ask in (
        Step([(state, 1) for state in states]),
        TokenLogProbs([(state, 1) for state in states]),
        OutputRows(2, states),
    ):
        assert len(ask) == len(states)
        assert len(ask.part(2, 5)) == 3
        assert type(ask.part(0, 2)) is type(ask)
    assert OutputRows(2, states).part(2, 5).states == states[2:5]
    assert OutputRows(2, states).part(2, 5).level == 2
