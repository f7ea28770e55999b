"""A model that runs in this process."""

from pathlib import Path

import pytest
from tests.bundles import rewrite_manifest, write_bundle

import wordgate
from wordgate.bundle.bundled_model import (
    bundled_model_path,
    bundled_model_paths,
    latest_version,
    resolve_bundle,
)
from wordgate.decoding.options import BoostedWord, ContinuousCache, Options
from wordgate.decoding.prediction import Query, predict
from wordgate.engine.local_model import LocalModel
from wordgate.engine.state_cache import StateCache
from wordgate.errors import InvalidBundle, InvalidConfiguration, InvalidInput
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import NullStateStore
from wordgate.scoring.scoring import score_texts
from wordgate.server.models.registry import bundles_to_serve

HISTORY = "The keys to the cabinet are on the table. " * 40


def test_results_have_the_name_of_the_model(local: LocalModel) -> None:
    """Every result has the model's name, version and precision."""
    predicted = local.submit_predict(Query("the", "s")).result()
    scored = local.submit_score("", ["the sea"], count_eos=False).result()
    assert predicted.model == scored.model
    assert (str(scored.model), scored.model.precision) == ("tiny@1", "int8")
    assert not scored.counted_eos


def test_concurrent_results_equal_results_alone(local: LocalModel) -> None:
    """A hundred concurrent requests with shared and long histories have bit-identical results."""
    language, network = local.served.bundle.language, local.served.network
    histories = ["", "the sea", HISTORY, f"{HISTORY} and then", HISTORY[:300]]
    queries = [Query(history, prefix) for history in histories for prefix in ("", "s", "th")]
    scores = [(history, ["the sea", "the sun", ""]) for history in histories]
    predicted = [local.submit_predict(query) for query in queries * 5]
    scored = [local.submit_score(*question) for question in scores * 5]
    alone = [
        run_to_completion(predict(language, NullStateStore(network.start), q), network)
        for q in queries
    ]
    assert [
        (future.result().suggestions, future.result().exact, future.result().expansions)
        for future in predicted
    ] == [(found.suggestions, found.exact, found.expansions) for found in alone] * 5
    expected = [
        run_to_completion(score_texts(language, NullStateStore(network.start), *question), network)
        for question in scores
    ]
    assert [future.result().candidates for future in scored] == expected * 5


def test_an_invalid_request_is_an_error_of_its_future(local: LocalModel) -> None:
    """The error names the field, and the next request succeeds."""
    with pytest.raises(InvalidInput) as refused:
        local.submit_score("", []).result()
    assert refused.value.field == "candidates"
    assert local.submit_score("", ["the"]).result().candidates


def test_float32_differs_by_rounding_only(local: LocalModel, float_bundle: Path) -> None:
    """The same network gives similar results in float32 and int8."""
    other = LocalModel.open(float_bundle)
    texts = ["the sea", "the sun in the morning", "🦆"]
    ours = local.submit_score("", texts).result().candidates
    theirs = other.submit_score("", texts).result()
    other.close()
    assert theirs.model.precision == "float32"
    for one, two in zip(ours, theirs.candidates, strict=True):
        assert one.log_prob == pytest.approx(two.log_prob, rel=0.05)


def test_an_invalid_bundle_is_not_opened(tmp_path: Path) -> None:
    """`open` verifies the bundle."""
    path = write_bundle(tmp_path)
    rewrite_manifest(path, schema_version=99)
    with pytest.raises(InvalidBundle):
        LocalModel.open(path)


def test_the_latest_version_of_a_folder_is_used(tmp_path: Path) -> None:
    """A folder of versions stands for its latest; an empty folder is rejected."""
    for version in (2, 10, 9):
        write_bundle(tmp_path, version=version, layers=1, width=8)
    assert latest_version(tmp_path / "tiny").name == "10"
    assert latest_version(tmp_path / "tiny" / "9").name == "9"
    with pytest.raises(InvalidConfiguration) as refused:
        latest_version(tmp_path / "nowhere")
    assert refused.value.option == "model"


def test_the_bundled_model_is_the_latest_int8_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found in the package or in the checkout; float32 versions are skipped."""
    package = tmp_path / "service" / "wordgate"
    package.mkdir(parents=True)
    monkeypatch.setattr(wordgate, "__file__", str(package / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidConfiguration, match="no model"):
        bundled_model_path()
    models = tmp_path / "models"
    write_bundle(models, name="en", version=1, layers=1, width=8)
    write_bundle(models, name="en", version=2, layers=1, width=8, precision="float32")
    assert bundled_model_path() == models / "en" / "1"
    for name in ("zh", "en", "mine"):
        write_bundle(package / "models", name=name, version=1, layers=1, width=8)
    both = [package / "models" / name / "1" for name in ("en", "zh")]
    assert bundled_model_paths() == both
    assert bundled_model_path() == both[0]
    assert resolve_bundle(Path("zh")) == both[1]
    assert bundles_to_serve(None) == both
    (tmp_path / "zh").mkdir()  # a folder without a model does not hide the name
    assert resolve_bundle(Path("zh")) == both[1]
    with pytest.raises(
        InvalidConfiguration, match=r"fr does not exist; .* of the package \(en, zh\)"
    ):
        resolve_bundle(Path("fr"))


def test_results_do_not_depend_on_the_cache(local: LocalModel) -> None:
    """Requests in any order give bit-identical results with a full cache and a tiny one."""
    served = local.served
    options = Options(
        max_suggestions=3,
        hide_rejected=True,
        boosted_words=[BoostedWord("WordGate", 4.0), BoostedWord("sea", -2.0)],
        max_phrase_words=3,
        min_phrase_probability=0.01,
        max_corrections=3,
        continuous_cache=ContinuousCache(0.3),
    )
    histories = ["", "the sea", HISTORY, f"{HISTORY} and then", HISTORY[:300]]
    queries = [
        Query(history, prefix, options, is_finished)
        for history in histories
        for prefix, is_finished in (("", False), ("teh", False), ("se", False), ("teh", True))
    ]
    alone = [
        run_to_completion(
            predict(served.bundle.language, NullStateStore(served.network.start), query),
            served.network,
        )
        for query in queries
    ]
    forgetful = StateCache(served.network.start, b"forgetful", max_bytes=100_000)
    for store in (StateCache(served.network.start, b"large"), forgetful):
        asked = list(zip(queries, alone, strict=True))
        for query, expected in [*asked, *reversed(asked)]:
            asks = predict(served.bundle.language, store, query)
            assert run_to_completion(asks, served.network) == expected
    assert forgetful.evictions
