"""The commands in scripts/, where they cannot do what is asked."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.training.small_run import write_recipe

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


def _gpu_check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "gpu-check"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_machine_without_a_gpu_is_told_so() -> None:
    """The check of a GPU that is not there fails in one line."""
    answer = _gpu_check("--device", "cuda:99")
    assert answer.returncode == 1
    assert "gpu-check: training.device" in answer.stderr
    assert "CUDA device 99 is needed" in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.long
def test_the_parts_of_the_gpu_check_run_on_the_cpu(tmp_path: Path) -> None:
    """On a tiny recipe all four checks have figures, and the CPU agrees with itself."""
    recipe = write_recipe(tmp_path, ("steps = 150", 'steps = 100000\nprecision = "float32"'))
    answer = _gpu_check("--device", "cpu", "--minutes", "0.1", "--recipe", str(recipe))
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert found["agrees"]
    assert found["agreement"]["float32"]["gradient_difference"] == 0
    assert found["speed"]["tokens_per_second"] > 0
    assert found["training"]["steps"] > 0
    assert 0 <= found["training"]["export_largest_difference"] <= 1e-4
    assert "tokens/s" in answer.stderr


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
