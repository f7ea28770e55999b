"""Which models are served, and under which names."""

from pathlib import Path

import pytest
from tests.bundles import write_bundle

from wordgate.engine.onnx_model import Runtime
from wordgate.errors import InvalidConfiguration, ModelNotFound
from wordgate.server.models.registry import Registry, bundles_to_serve, open_models
from wordgate.server.telemetry.metrics import Metrics


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two models, one of them in three versions."""
    folder = tmp_path_factory.mktemp("names")
    for version in (2, 10, 9):
        write_bundle(folder, name="tiny", version=version, layers=1, width=16)
    write_bundle(folder, name="other", precision="float32", layers=1, width=16)
    return folder


def _open(path: Path) -> Registry:
    return open_models(path, Runtime(), Metrics(), 1 << 20)


def test_the_newest_version_of_each_name_is_served(models: Path) -> None:
    """A folder of models serves each model in its highest version."""
    served = [str(model.name) for model in _open(models)]
    assert served == ["other@1", "tiny@10"]


def test_a_folder_of_versions_serves_the_newest(models: Path) -> None:
    """Versions are compared as numbers: 10 is newer than 9."""
    assert bundles_to_serve(models / "tiny") == [models / "tiny" / "10"]


def test_a_bundle_is_served_itself(models: Path) -> None:
    """An older version is served if the path names its bundle."""
    assert bundles_to_serve(models / "tiny" / "2") == [models / "tiny" / "2"]


def test_a_folder_without_bundles_is_rejected(tmp_path: Path) -> None:
    """A folder without models is an error of the option `model`."""
    with pytest.raises(InvalidConfiguration, match="model"):
        bundles_to_serve(tmp_path)


def test_models_are_found_by_name_and_version(models: Path) -> None:
    """A name finds its served version, and no name the first model; others are not found."""
    registry = _open(models)
    assert str(registry.get("tiny").name) == "tiny@10"
    assert registry.get("tiny@10") is registry.get("tiny")
    assert registry.get("") is registry.get("other")
    for name in ("tiny@9", "tin", "tiny@", "@10", "tiny@10 "):
        with pytest.raises(ModelNotFound):
            registry.get(name)
