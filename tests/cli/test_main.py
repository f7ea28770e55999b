"""Exit codes and error output of the command line."""

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from tests.training.small_run import write_recipe

from wordgate.cli import main as command_line
from wordgate.cli.main import main


def _run(*arguments: str | Path) -> int:
    """Run a command and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("option", ["--run-directory", "--cache-directory"])
def test_a_folder_that_cannot_be_made_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """A failure to create a folder is one line with the path, without a stack trace."""
    (tmp_path / "file").write_text("no folder")
    place = tmp_path / "file" / "inside"
    other = "--cache-directory" if option == "--run-directory" else "--run-directory"
    given: list[str | Path] = [option, place, other, tmp_path / "there", "--max-minutes", "0"]
    assert _run("train", write_recipe(tmp_path), *given) == 3
    said = capsys.readouterr().err
    assert f"wordgate: {place}" in said.splitlines()[-1]
    assert said.endswith(f": {os.strerror(20)}\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "runs/en"), "runs/en: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_operating_system_errors_are_reported(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: OSError,
    said: str,
) -> None:
    """Operating-system errors print the file and the reason, if known."""

    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(command_line, "wordgate", broken)
    assert _run() == 3
    assert capsys.readouterr().err == f"wordgate: {said}\n"


@pytest.mark.parametrize("option", ["--batch", "--length", "--threads", "--repetitions"])
def test_a_measurement_needs_something_to_measure(
    capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """Counts of 0 are rejected before torch is loaded."""
    assert _run("bench", "train", option, "0") == 2
    assert option in capsys.readouterr().err


@pytest.mark.parametrize("name", ["bad name", "../evil", "My.Model", "-x", "", "a\n"])
def test_a_bad_name_leaves_nothing_behind(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    """An invalid model name is rejected before a recipe is written."""
    text = tmp_path / "mails.txt"
    text.write_text("Some words.\n")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    assert _run("train", f"--text={text}", f"--name={name}") == 2
    assert "lower-case letters" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mails.txt", "work"]


_PRINTING = {
    "help": ["score", "--help"],
    "version": ["--version"],
    "table": ["score", "--", "the sea", "a sea"],
    "document": ["score", "--json", "--", "the sea", "a sea"],
    "lines": ["score", "--input", "INPUT"],
    "ranked": ["rescore", "--input", "INPUT"],
    "predict": ["predict", "--history", "the"],
    "generate": ["generate", "--max-words", "3", "--history", "the"],
    "models": ["models", "list", "FOLDER"],
    "evaluate": ["evaluate", "--text", "INPUT"],
}


@pytest.mark.parametrize("arguments", _PRINTING.values(), ids=_PRINTING)
def test_a_reader_that_has_gone_is_no_error(
    tmp_path: Path, bundle: Path, arguments: list[str]
) -> None:
    """A closed output pipe, as with `head`, exits with 0 and no message."""
    reading, writing = os.pipe()
    os.close(reading)
    ended = _ended(tmp_path, bundle, arguments, writing)
    os.close(writing)
    assert ended.returncode == 0
    assert [line for line in ended.stderr.splitlines() if not line.startswith("evaluating ")] == []


@pytest.mark.parametrize("name", ["help", "table", "lines", "generate"])
@pytest.mark.parametrize("is_closed", [True, False])
def test_output_that_cannot_be_written_is_an_error(
    tmp_path: Path, bundle: Path, name: str, is_closed: bool
) -> None:
    """A full disk or closed standard output is one line and exit code 3."""
    with Path("/dev/full").open("w") as full:
        shell = ["sh", "-c", 'exec "$@" >&-', "sh"] if is_closed else []
        ended = _ended(tmp_path, bundle, _PRINTING[name], full.fileno(), shell)
    problem = os.strerror(errno.EBADF if is_closed else errno.ENOSPC)
    assert (ended.returncode, ended.stderr) == (3, f"wordgate: {problem}\n")


def test_an_error_that_nobody_reads_has_its_exit_code() -> None:
    """The exit code is correct even if standard error has no reader."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "wordgate.cli.main", "score"]
    ended = subprocess.run(command, stdout=writing, stderr=writing, check=False)
    os.close(writing)
    assert ended.returncode == 2


def _ended(
    folder: Path, bundle: Path, arguments: list[str], output: int, shell: Sequence[str] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a subprocess and return its exit code and output."""
    written = folder / "input.jsonl"
    written.write_text('{"history": "the", "candidates": ["sea", "sky"]}\n' * 300)
    named = {"INPUT": str(written), "FOLDER": str(bundle.parent)}
    asks = [] if {"--help", "--version", "list"} & set(arguments) else [f"--model={bundle}"]
    given = [named.get(argument, argument) for argument in arguments]
    given[1:1] = asks
    command = [*shell, sys.executable, "-m", "wordgate.cli.main", *given]
    return subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, check=False)
