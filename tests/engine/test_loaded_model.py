"""Isolation of a served model's state-cache entries by namespace."""

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
    """Results are equal for any namespace and any cache contents."""
    plain = _all_answers(model)
    for namespace in (b"one", b"two", b"one"):
        assert _all_answers(model.namespaced(namespace)) == plain


def test_there_are_no_hits_across_salts(model: ServedModel) -> None:
    """Entries of one namespace cause hits only under the same namespace."""
    _all_answers(model)
    _all_answers(model.namespaced(b"one"))
    before = model.cache.hits, model.cache.misses
    _read(model.namespaced(b"two"))
    assert model.cache.hits == before[0]
    assert model.cache.misses > before[1]

    _read(model.namespaced(b"one"))
    assert _misses_of(model, model.namespaced(b"one"), HISTORY + " s") < len(HISTORY.split())


def test_text_keys_are_isolated_by_salt(model: ServedModel) -> None:
    """Keys of texts are as isolated as states."""
    one, two = model.namespaced(b"one").cache, model.namespaced(b"two").cache
    one.put_key_of_text(b"digest", b"key")
    assert one.get_key(b"digest") == b"key"
    assert two.get_key(b"digest") is None
    assert model.cache.get_key(b"digest") is None


def test_all_salts_share_the_cache_budget(model: ServedModel) -> None:
    """Entries of all namespaces count towards one cache size."""
    _read(model.namespaced(b"one"))
    first = model.cache.nbytes
    _read(model.namespaced(b"two"))
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


def _misses_of(model: ServedModel, view: ServedModel, history: str) -> int:
    before = model.cache.misses
    run_to_completion(view.read(history), model.network)
    return model.cache.misses - before


def test_the_first_prefix_is_prepared(bundle: Path) -> None:
    """The indices of prefixes are built when a model is opened, not by the first request."""
    spelling = open_model(bundle).bundle.language.tokenizer._spelling
    assert {"_by_bytes", "leading"} <= vars(spelling).keys()
