"""Finding the versions of models in folders."""

import shutil
import subprocess
import sys
from pathlib import Path

from wordgate.bundle.versions import find_versions


def test_versions_are_sorted_by_number(bundle: Path, tmp_path: Path) -> None:
    """Versions are found from a model's folder, its parent and the version; 10 follows 9."""
    for place in ("en/10", "en/9", "de/1"):
        shutil.copytree(bundle, tmp_path / place)
    (tmp_path / "en" / "unfinished-x").mkdir()
    assert [p.name for p in find_versions(tmp_path / "en")] == ["9", "10"]
    names = [f"{p.parent.name}/{p.name}" for p in find_versions(tmp_path)]
    assert names == ["de/1", "en/9", "en/10"]
    assert list(find_versions(tmp_path / "en" / "9")) == [tmp_path / "en" / "9"]
    assert list(find_versions(tmp_path / "nowhere")) == []


def test_models_are_found_without_the_engine() -> None:
    """A supervisor does so: neither numpy nor pydantic's models of a bundle are imported."""
    script = "import sys, wordgate.bundle.bundled_model; print('numpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
