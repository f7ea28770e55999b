"""Progress on standard error, before and during a command."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.calling import Run

from wordgate.cli.commands import bench
from wordgate.cli.main import wordgate
from wordgate.cli.terminal.progress import counted


@pytest.mark.parametrize("option", ["--text", "--keystroke-savings", "--typo-correction"])
def test_a_measurement_says_at_once_what_it_measures(
    run: Run, bundle: Path, tmp_path: Path, option: str
) -> None:
    """Progress goes to standard error; standard output is for the figures."""
    file = tmp_path / "a.txt"
    file.write_text("the sea\n")
    ended = run("evaluate", option, file, "--model", bundle, "--json")
    assert ended.err.splitlines()[0] == f"evaluating {file}"
    assert ended.document


def test_tuning_says_so_before_a_model_is_loaded(run: Run, tmp_path: Path) -> None:
    """The first line is printed before any error."""
    file = tmp_path / "dev.jsonl"
    file.write_text("[]\n")
    ended = run("tune", "--input", file, "--model", tmp_path / "none")
    assert ended.err.splitlines()[0].startswith(f"tuning on {file}")


def test_every_benchmark_says_something_before_it_begins(tmp_path: Path) -> None:
    """The first line is printed before libraries and models are loaded."""
    for name in bench.bench.commands:
        arguments = ["bench", name, "--model", str(tmp_path / "none")]
        if name == "train":
            continue  # it has no model; its first line is said before torch is imported
        ended = CliRunner().invoke(wordgate, arguments)
        assert ended.stderr.splitlines(), name
        assert "does not exist" not in ended.stderr.splitlines()[0]


class _Model:
    """Answers at once; has an extra attribute."""

    name = "tiny"

    def submit_score(self, *arguments: Any) -> "Future[Any]":
        answered: Future[Any] = Future()
        answered.set_result(arguments)
        return answered


def test_a_counted_model_answers_as_the_model_itself() -> None:
    """Arguments, answers and other attributes pass through."""
    asked: Any = _Model()
    with counted(asked) as model:
        assert model.submit_score("a", ["b"]).result() == ("a", ["b"])
        assert model.name == "tiny"
