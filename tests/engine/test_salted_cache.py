"""A cache that is shared only with those of the same salt."""

from pathlib import Path

import pytest

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.engine.loaded_model import ServedModel, open_model
from wordgate.lm.requests import ModelTask, run_to_completion

HISTORY = "the clouds are in the"


@pytest.fixture
def model(bundle: Path) -> ServedModel:
    """A model whose cache is empty."""
    return open_model(bundle)


def test_a_salt_changes_no_bit(model: ServedModel) -> None:
    """All answers are equal, whatever was kept under which salt."""
    plain = _all_answers(model)
    for salt in (b"one", b"two", b"one"):
        assert _all_answers(model.salted(salt)) == plain


def test_nothing_is_found_under_another_salt(model: ServedModel) -> None:
    """What one has read, nobody finds but those of the same salt: not even that it was read."""
    _all_answers(model)
    _all_answers(model.salted(b"one"))
    before = model.cache.hits, model.cache.misses
    _read(model.salted(b"two"))
    assert model.cache.hits == before[0]
    assert model.cache.misses > before[1]

    _read(model.salted(b"one"))
    assert _misses_of(model, model.salted(b"one"), HISTORY + " s") < len(HISTORY.split())


def test_a_text_is_not_known_by_its_digest(model: ServedModel) -> None:
    """The short way from a text to its key is as separate as the states."""
    one, two = model.salted(b"one").store, model.salted(b"two").store
    one.keep_key_of_text(b"digest", b"key")
    assert one.get_key(b"digest") == b"key"
    assert two.get_key(b"digest") is None
    assert model.store.get_key(b"digest") is None


def test_all_salts_share_one_memory(model: ServedModel) -> None:
    """The bound of the cache is one for all."""
    _read(model.salted(b"one"))
    first = model.cache.nbytes
    _read(model.salted(b"two"))
    assert model.cache.nbytes == 2 * first


def _all_answers(model: ServedModel) -> list[object]:
    query = Query(HISTORY, "s", Options(max_suggestions=5))
    asked: list[ModelTask[object]] = [
        model.predict(query),
        model.score(HISTORY, ["sea", "sky"]),
        model.log_prob_of(HISTORY, "sky"),
    ]
    return [run_to_completion(asks, model.network) for asks in asked]


def _read(model: ServedModel) -> None:
    run_to_completion(model.read(HISTORY), model.network)


def _misses_of(model: ServedModel, salted: ServedModel, history: str) -> int:
    before = model.cache.misses
    run_to_completion(salted.read(history), model.network)
    return model.cache.misses - before
