"""Answers that are not asked for again."""

from collections.abc import Sequence

import numpy as np
import pytest

from wordgate.core.asks import PAUSE, Advance, Ask, Asks, LevelRows, TargetLogProbs, drive
from wordgate.core.prediction import Prediction, Query, predict
from wordgate.engine.known_answers import KnownAnswers
from wordgate.engine.local_model import LocalModel
from wordgate.engine.state_cache import StateCache
from wordgate.engine.states import NetworkState, StateBlock

TEXT = "the clouds are in the s"


def _states(count: int) -> list[NetworkState]:
    """States of one call."""
    return StateBlock(np.zeros((count, 4), np.uint8), np.zeros((count, 4), np.float32)).states()


def _answered(known: KnownAnswers, asks: Sequence[Ask], answers: Sequence[object]) -> list[Ask]:
    """What is really asked of a generator's questions when it is answered so."""

    def all_asks() -> Asks[None]:
        for ask in asks:
            assert len((yield ask)) == len(ask)

    asked: list[Ask] = []
    running = known.recalling(all_asks())
    given = iter(answers)
    try:
        asked.append(next(running))
        while True:
            asked.append(running.send(next(given)))
    except StopIteration:
        return asked


def test_what_was_answered_is_not_asked_again() -> None:
    """Of a question of which a part is known, the other part is asked."""
    known, row = KnownAnswers(10_000), np.zeros(3, np.float32)
    first, second, third = _states(3)
    asks = [LevelRows(1, [first, second]), LevelRows(1, [third, first]), LevelRows(0, [first])]
    asked = _answered(known, asks, [[row, row], [row], [row]])
    assert asked == [LevelRows(1, [first, second]), LevelRows(1, [third]), LevelRows(0, [first])]
    assert _answered(known, asks, []) == []


def test_states_are_kept_in_a_search_and_not_on_the_way_to_it() -> None:
    """Pieces of a history are read once; those after a state with known rows may come again."""
    known, row = KnownAnswers(10_000), np.zeros(3, np.float32)
    [start, after] = _states(2)
    step = Advance([(start, 5)])
    asks: list[Ask] = [step, step, LevelRows(0, [start]), step, step]
    asked = _answered(known, asks, [[after], [after], [row], [after]])
    assert asked == [step, step, LevelRows(0, [start]), step]


def test_other_questions_pass() -> None:
    """A pause still gives others their turn, and targets are always asked for."""
    asks: list[Ask] = [PAUSE, TargetLogProbs([(_states(1)[0], 3)])]
    assert _answered(KnownAnswers(10_000), asks, [[], [0.5]]) == asks


def test_memory_is_bounded() -> None:
    """The least recently used answers go first; one that is too large for all is not kept."""
    known, row = KnownAnswers(30), np.zeros(3, np.float32)
    first, second, third = (LevelRows(0, [state]) for state in _states(3))
    assert _answered(known, [first, second, first, third, second], [[row]] * 4) == [
        first,
        second,
        third,
        second,
    ]
    assert known.nbytes == 24
    assert _answered(KnownAnswers(11), [first, first], [[row]] * 2) == [first, first]


def test_closing_closes_what_is_inside() -> None:
    """Dropped work is closed inside, too."""

    def inner() -> Asks[None]:
        yield PAUSE

    asks = inner()
    recalling = KnownAnswers(1).recalling(asks)
    next(recalling)
    recalling.close()
    assert next(asks, "closed") == "closed"


@pytest.mark.parametrize("max_bytes", [0, 20_000, 10_000_000])
def test_predictions_are_the_same_bits(local: LocalModel, max_bytes: int) -> None:
    """Key by key, whatever is known: the suggestions of a model that knows nothing."""
    served, known = local.served, KnownAnswers(max_bytes)
    shared = StateCache(served.network.start, b"seed")

    def here(store: StateCache, typed: str) -> Asks[Prediction]:
        history, prefix = typed[:17], typed[17:]
        return predict(served.bundle.language, store, Query(history, prefix))

    for length in (*range(17, len(TEXT)), *range(len(TEXT), 17, -1)):
        typed = TEXT[:length]
        alone = drive(here(StateCache(served.network.start, b"seed"), typed), served.network)
        assert drive(known.recalling(here(shared, typed)), served.network) == alone
