"""The continuous cache."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fake_model import FakeModel
from tests.remembering import Remembering
from tests.tiny_models import TOKENIZER
from tests.vocabularies import trained

from wordgate.decoding.continuous_cache import shares
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import HashedState
from wordgate.lm.context_window import latest_start, read_context, read_each
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import NullStateStore

MODEL = FakeModel.random(AdaptiveSoftmaxLayout((TOKENIZER.size,)), 1)
TRAINED = trained()
READER = FakeModel.random(AdaptiveSoftmaxLayout((TRAINED.size,)), 1)


def _shares(
    states: list[int], words: list[str], weight: float, sharpness: float
) -> dict[str, float]:
    read = [HashedState(b"", state) for state in states]
    return run_to_completion(shares(read, words, weight, sharpness), MODEL)


texts = st.lists(st.tuples(st.integers(-1, 8), st.sampled_from("abc")), min_size=1, max_size=9)


@given(texts, st.integers(-1, 8), st.floats(0.01, 0.9), st.floats(0, 10))
def test_shares_are_those_of_the_formula(
    text: list[tuple[int, str]], now: int, weight: float, sharpness: float
) -> None:
    """Probabilities are weight times the softmax of sharpness * h.h_i, summed per word."""
    found = _shares([*(state for state, _ in text), now], [w for _, w in text], weight, sharpness)
    here = MODEL.vector(now).astype(float)
    votes = [math.exp(sharpness * float(MODEL.vector(state) @ here)) for state, _ in text]
    expected = {
        word: weight
        * sum(v for v, (_, w) in zip(votes, text, strict=True) if w == word)
        / sum(votes)
        for _, word in text
    }
    assert found == pytest.approx(expected, rel=1e-5)
    assert sum(found.values()) == pytest.approx(weight)


def test_without_sharpness_words_count_by_their_number() -> None:
    """With sharpness 0, two of three occurrences have two thirds of the weight."""
    assert _shares([1, 2, 3, 4], ["a", "b", "a"], 0.3, 0.0) == pytest.approx({"a": 0.2, "b": 0.1})


def test_the_most_alike_place_wins_by_far() -> None:
    """The most similar context dominates, and large values do not overflow."""
    found = run_to_completion(
        shares([HashedState(b"", s) for s in (1, 4, 1)], ["a", "b"], 0.9, 10.0), _Long()
    )
    assert found == pytest.approx({"a": 0.9, "b": 0.0})
    assert all(math.isfinite(share) for share in found.values())


class _Long(FakeModel):
    """Hidden values of a network of width 512, as large as they can be."""

    def __init__(self) -> None:
        super().__init__(MODEL.levels, MODEL.probabilities)

    def vector(self, state: int) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
        return np.full(512, 1.0 if state == 1 else -1.0, np.float32)


def test_a_text_without_words_votes_for_nothing() -> None:
    """A text without words gives no probabilities and makes no model request."""
    asks = shares([HashedState(b"", 1)], [], 0.5, 0.3)
    with pytest.raises(StopIteration) as stopped:
        next(asks)
    assert stopped.value.value == {}


@pytest.mark.parametrize("count", [0, 1, 127, 128, 255, 256, 300])
def test_the_places_are_those_of_the_history_rule(count: int) -> None:
    """Contexts are those of the words that the history rule reads, plus the current one.

    With or without a store, keys and states are the same.
    """
    history = " ".join(["the", "sea", "and", "london"][n % 4] for n in range(count))
    store = Remembering(-1)
    plain = run_to_completion(read_context(TRAINED, history, NullStateStore(-1)), READER)
    for _ in range(2):
        contexts, found = run_to_completion(read_each(TRAINED, history, store), READER)
        assert len(contexts) == len(found) + 1
        assert found == history.split()[latest_start(count) :]
        assert contexts[-1] == plain
    asked = READER.calls["Step"]
    run_to_completion(read_each(TRAINED, history, store), READER)
    run_to_completion(read_context(TRAINED, history, store), READER)
    assert READER.calls["Step"] == asked
