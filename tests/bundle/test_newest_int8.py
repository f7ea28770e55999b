"""The choice of the bundled model."""

import json
from pathlib import Path

from wordgate.bundle.newest_int8 import newest_int8


def _publish(model: Path, version: str, manifest: str) -> None:
    (model / version).mkdir(parents=True)
    (model / version / "bundle.json").write_text(manifest)


def test_the_newest_int8_version_is_found(tmp_path: Path) -> None:
    """Versions are compared as numbers; float, unfinished and broken versions do not count."""
    for version, precision in [("9", "int8"), ("10", "int8"), ("11", "float32"), ("next", "int8")]:
        _publish(tmp_path, version, json.dumps({"precision": precision}))
    (tmp_path / "12").mkdir()
    for version, manifest in [("13", "{"), ("14", "{}"), ("15", "[]")]:
        _publish(tmp_path, version, manifest)
    assert newest_int8(tmp_path) == tmp_path / "10"


def test_an_empty_folder_has_none(tmp_path: Path) -> None:
    """A repository without a published version still builds a wheel."""
    assert newest_int8(tmp_path / "en") is None
