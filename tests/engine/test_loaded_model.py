"""Isolation of a served model's state-cache entries by salt."""

from pathlib import Path

import pytest

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.engine.loaded_model import ServedModel, open_model
from wordgate.lm.requests import ModelTask, run_to_completion

HISTORY = "the clouds are in the"


@pytest.fixture
def model(bundle: Path) -> ServedModel:
    """A model with an empty cache."""
    return open_model(bundle)


def test_results_do_not_depend_on_the_salt(model: ServedModel) -> None:
    """Results are equal for any salt and any cache contents."""
    plain = _all_answers(model)
    for salt in (b"one", b"two", b"one"):
        assert _all_answers(model.salted(salt)) == plain


def test_there_are_no_hits_across_salts(model: ServedModel) -> None:
    """Entries of one salt cause hits only under the same salt."""
    _all_answers(model)
    _all_answers(model.salted(b"one"))
    before = model.cache.hits, model.cache.misses
    _read(model.salted(b"two"))
    assert model.cache.hits == before[0]
    assert model.cache.misses > before[1]

    _read(model.salted(b"one"))
    assert _misses_of(model, model.salted(b"one"), HISTORY + " s") < len(HISTORY.split())


def test_text_keys_are_isolated_by_salt(model: ServedModel) -> None:
    """Keys of texts are as isolated as states."""
    one, two = model.salted(b"one").cache, model.salted(b"two").cache
    one.keep_key_of_text(b"digest", b"key")
    assert one.get_key(b"digest") == b"key"
    assert two.get_key(b"digest") is None
    assert model.cache.get_key(b"digest") is None


def test_all_salts_share_the_cache_budget(model: ServedModel) -> None:
    """Entries of all salts count towards one cache size."""
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
