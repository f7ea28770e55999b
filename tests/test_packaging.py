"""The wheel has the right files, and an installation of it works."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.running import serving

ROOT = Path(__file__).parents[1]
NEEDED_TO_BUILD = ["pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "NOTICE"]


def publish(models: Path, model: str, version: str, precision: str) -> None:
    """Write the files of a bundle that packaging reads."""
    folder = models / model / version
    folder.mkdir(parents=True)
    (folder / "bundle.json").write_text(json.dumps({"precision": precision}))
    for name in ("step.onnx", "tokenizer.json", "weights.safetensors"):
        (folder / name).write_text(f"{name} of {version}")


def build_wheel(source: Path, target: Path) -> zipfile.ZipFile:
    """Build a wheel from a source folder with pip."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    subprocess.run([*command, str(target), str(source)], check=True)
    [wheel] = target.glob("wordgate-*.whl")
    return zipfile.ZipFile(wheel)


@pytest.mark.long
def test_the_wheel_holds_the_models_but_not_their_weights(tmp_path: Path) -> None:
    """The wheel has the newest bundled models without training weights, and the generated code."""
    source = tmp_path / "source"
    source.mkdir()
    for name in NEEDED_TO_BUILD:
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "service", source / "service")
    for version in (("en", "1"), ("en", "2"), ("zh", "1"), ("mine", "1")):
        publish(source / "models", *version, "int8")
    names = set(build_wheel(source, tmp_path / "wheels").namelist())
    models = {name for name in names if name.startswith("wordgate/models/")}
    shipped = ("bundle.json", "step.onnx", "tokenizer.json")
    expected = {f"wordgate/models/{model}/{name}" for model in ("en/2", "zh/1") for name in shipped}
    assert models == expected
    needed = {"py.typed", "client/service_config.json", "server/http/playground/index.html"}
    assert {f"wordgate/{name}" for name in needed} <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"wordgate"}


@pytest.mark.long
def test_an_installation_without_extras_serves_and_evaluates(tmp_path: Path) -> None:
    """The wheel includes a model and works without any extra."""
    python = install_wheel(tmp_path)
    for absent in ("torch", "onnx", "matplotlib", "opentelemetry.sdk"):
        find = f"import importlib.util as u; raise SystemExit(u.find_spec('{absent}') is not None)"
        subprocess.run([python, "-c", find], check=True)
    answers = ask(python, tmp_path, "evaluate", "--cloze", "builtin")
    assert answers["questions"] == 50
    assert answers["right"] > 25
    predict = ("predict", "--history", "the clouds are in the")
    here = ask(python, tmp_path, *predict)
    assert len(here["suggestions"]) == 5
    with serving(None, python=python) as server:
        assert ask(python, tmp_path, *predict, "--server", server.address) == here


def install_wheel(folder: Path) -> str:
    """Install the wheel and its dependencies in a new environment; return its Python."""
    build_wheel(ROOT, folder)
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = str(folder / "venv" / "bin" / "python")
    install = ["-m", "pip", "install", "--quiet", "--no-compile"]
    tested = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([python, *install, *tested, str(wheel)], check=True)
    return python


def ask(python: str, folder: Path, *arguments: str) -> Any:
    """Run the installed command outside the repository and return its JSON output."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [str(Path(python).with_name("wordgate")), *arguments, "--json"]
    found = subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment)
    return json.loads(found.stdout)
