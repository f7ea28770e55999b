"""The commands in scripts/, where they cannot do what is asked."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["run", "test", "check"])
def test_an_old_python_is_refused_by_name(name: str, tmp_path: Path) -> None:
    """The message names the required version, and no environment is created."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for file in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / file, tmp_path)
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    answer = subprocess.run(
        [tmp_path / "scripts" / name],
        env={**os.environ, "PYTHON": str(old)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert f"{name}: needs Python 3.11 or later" in answer.stderr
    assert not list(tmp_path.glob(".venv*"))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [([], "NAME: name one or more of"), (["sky"], "NAME: name"), (["tuning"], "--dev-set FILE")],
)
def test_a_picture_that_cannot_be_made_is_refused(arguments: list[str], problem: str) -> None:
    """An unknown name, none at all, and tuning without its data are refused in one line."""
    command = [sys.executable, str(ROOT / "scripts" / "pictures"), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert problem in answer.stderr
