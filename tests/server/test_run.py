"""What is settled before a server or its workers start."""

import shutil
from pathlib import Path

import pytest
from tests.bundles import write_bundle

from wordgate.errors import InvalidConfiguration
from wordgate.server.config.options import Configuration
from wordgate.server.run import _with_model_folder


def test_a_model_is_found_once_for_all_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restarted worker gets the absolute folder, not a name that may mean another model."""
    write_bundle(tmp_path / "models", name="en", version=7, layers=1, width=16)
    monkeypatch.chdir(tmp_path)
    for named in ("models/en", "en", "en@7"):
        found = _with_model_folder(Configuration(model=Path(named))).model
        assert found == tmp_path / "models/en" / ("7" if "@" in named else "")
    assert _with_model_folder(Configuration()).model is None
    shutil.rmtree("models")
    with pytest.raises(InvalidConfiguration, match="nothing does not exist"):
        _with_model_folder(Configuration(model=Path("nothing")))
