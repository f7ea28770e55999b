"""What every model keeps to that answers the algorithms' questions: the fake one and the real."""

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
    """Each kind of model in turn."""
    if request.param == "fake":
        return FakeModel.random(LEVELS, 7)
    place: Path = request.getfixturevalue("bundle" if request.param == "int8" else "float_bundle")
    return network_of(bundles.load(place))


@pytest.fixture(scope="module")
def states(model: Model) -> list[State]:
    """States after different texts, the zero state among them."""
    found = [model.start]
    for piece in range(1, 12):
        found.append(_after(model, found[piece // 2], piece))
    return found


def _after(model: Model, state: State, piece: int) -> State:
    return model.answer([Step([(state, piece)])])[0][0]


def _plain(answer: Any) -> Any:
    """An answer with its arrays as bytes, so that equal means the same bits."""
    if isinstance(answer, list | tuple):
        return [_plain(part) for part in answer]
    if isinstance(answer, NetworkState):
        return answer.hidden.tobytes(), answer.cells.tobytes()
    return answer.tobytes() if isinstance(answer, np.ndarray) else answer


def _is_exact(model: Model) -> bool:
    """Whether answers do not depend on company to the last bit: float32 networks promise 1e-4."""
    return not (isinstance(model, NetworkModel) and model.start.hidden.dtype == np.float32)


def test_every_row_sums_to_one(model: Model, states: list[State]) -> None:
    """The head with its clusters is a distribution, and each cluster is one of its own."""
    for level in range(model.levels.count):
        for row in model.answer([OutputRows(level, states)])[0]:
            assert row.shape == (model.levels.width(level),)
            assert row.dtype == np.float32
            assert np.exp(row.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)
            assert (row <= 0).all()


def test_all_pieces_together_are_certain(model: Model, states: list[State]) -> None:
    """The probabilities of all pieces after a state sum to one."""
    everything = range(model.levels.vocabulary)
    [found] = model.answer([TokenLogProbs([(states[3], piece) for piece in everything])])
    assert math.fsum(map(math.exp, found)) == pytest.approx(1, abs=1e-5)


def test_targets_are_the_entries_of_the_rows(model: Model, states: list[State]) -> None:
    """A piece's log-probability is its head entry, or its cluster's plus its own, bit for bit."""
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


def test_start_is_never_changed(model: Model, states: list[State]) -> None:
    """Whatever was read from it, the zero state stays what it was, and so does any other."""
    before = _plain([model.start, states])
    for _ in range(2):
        model.answer([Step([(state, 5) for state in states]), OutputRows(0, states)])
    assert _plain([model.start, states]) == before


def test_no_questions_have_no_answers(model: Model) -> None:
    """Nothing asked, nothing answered; empty questions have empty answers."""
    assert model.answer([]) == []
    assert model.answer([Step([]), TokenLogProbs([]), OutputRows(0, [])]) == [[], [], []]


@_shared
@given(st.data())
def test_merged_answers_equal_answers_one_by_one(
    model: Model, states: list[State], data: st.DataObject
) -> None:
    """Any mixture of questions is answered in order, as if each had been asked alone."""
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


def test_more_rows_than_a_call_takes_are_answered(model: Model, states: list[State]) -> None:
    """150 rows, and 150 targets of different states, are answered in order."""
    many = [states[number % len(states)] for number in range(150)]
    rows = model.answer([OutputRows(1, many)])[0]
    targets = model.answer([TokenLogProbs([(state, 40) for state in many])])[0]
    assert len(rows) == len(targets) == 150
    for number in (0, 63, 64, 127, 149):
        assert np.allclose(rows[number], model.answer([OutputRows(1, [many[number]])])[0][0])
        [[alone]] = model.answer([TokenLogProbs([(many[number], 40)])])
        assert targets[number] == pytest.approx(alone, abs=1e-4)


def test_parts_of_a_question_are_its_rows(states: list[State]) -> None:
    """A question cut in parts has the rows of the whole, in order."""
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
