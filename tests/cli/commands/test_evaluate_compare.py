"""`wordgate evaluate --compare`."""

from pathlib import Path

import pytest
from tests.bundles import write_bundle
from tests.cli.calling import Run

TEXT = "the sun is in the sea\nI don't know the train\n" * 20


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another network of the same sizes."""
    return write_bundle(tmp_path, name="other", seed=5)


def test_two_models_are_compared_on_a_text(
    run: Run, bundle: Path, other: Path, tmp_path: Path
) -> None:
    """Both columns are what `--text` measures of each model alone; swapped, the verdict turns."""
    file = tmp_path / "mails.txt"
    file.write_text(TEXT)
    ask = ("evaluate", "--text", file, "--json")
    found = run(*ask, "--compare", bundle, other).document
    assert (found["old"]["name"], found["new"]["name"], found["texts"]) == ("tiny", "other", 40)
    for name, change in found["figures"].items():
        for column, model in (("old", bundle), ("new", other)):
            alone = run(*ask, "--no-top", "--model", model).document
            assert change[column] == pytest.approx(alone[name])
    turned = run(*ask, "--compare", other, bundle).document
    assert {found["verdict"], turned["verdict"]} == {"better", "worse"}
    assert found["share_better"] == turned["share_worse"]
    table = run("evaluate", "--text", file, "--compare", bundle, other).out
    for said in ("OLD tiny@1", "NEW other@1", "95 % interval", found["verdict"], "tokenizers"):
        assert said in table


def test_two_models_are_compared_by_keystrokes(
    run: Run, bundle: Path, other: Path, tmp_path: Path
) -> None:
    """The columns are what `--keystroke-savings` measures of each model, with its options."""
    file = tmp_path / "chats.txt"
    file.write_text("the sun is in the sea\n\nI don't know\n")
    ask = ("evaluate", "--keystroke-savings", file, "--max-suggestions", "5")
    found = run(*ask, "--compare", bundle, other, "--json").document
    for column, model in (("old", bundle), ("new", other)):
        alone = run(*ask, "--model", model, "--json").document
        for name, change in found["figures"].items():
            assert change[column] == pytest.approx(alone[name])
    assert (found["messages"], found["verdict"]) == (2, "too few to tell")
    assert "too few messages to tell" in run(*ask, "--compare", bundle, other).out


def test_models_may_be_named(
    run: Run, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name means the newest version in `models`; NAME@VERSION means that version."""
    write_bundle(tmp_path / "models", name="mine", seed=1)
    write_bundle(tmp_path / "models", name="mine", version=2, seed=2)
    monkeypatch.chdir(tmp_path)
    Path("mails.txt").write_text(TEXT)
    found = run("evaluate", "--text", "mails.txt", "--compare", "mine@1", "mine", "--json").document
    assert (found["old"]["version"], found["new"]["version"]) == ("1", "2")


def test_what_cannot_be_compared_is_refused(
    run: Run, bundle: Path, other: Path, tmp_path: Path
) -> None:
    """Unknown models, and options that do not belong to a comparison, are named."""
    file = tmp_path / "mails.txt"
    file.write_text(TEXT)
    both = ("--compare", bundle, other)
    for arguments, problem in (
        (("--text", file, "--compare", bundle, "nothing"), "--compare: nothing does not exist"),
        (("--text", file, "--compare", bundle, tmp_path / "mails.txt"), "--compare: "),
        (("--text", file, "--compare", bundle, ""), "--compare: '' does not exist"),
        (("--text", file, "--compare", bundle), "--compare"),
        (("--cloze", "builtin", *both), "--compare: requires --text or --keystroke-savings"),
        (both, "exactly one of these is required"),
        (("--text", file, *both, "--model", bundle), "remove --model and --server"),
        (("--text", file, *both, "--server", "127.0.0.1:1"), "remove --model and --server"),
        (("--text", file, *both, "--no-top"), "--no-top: remove it"),
    ):
        ended = run("evaluate", *arguments)
        assert (ended.code, problem in ended.err) == (2, True), ended.err
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    ended = run("evaluate", "--text", empty, *both)
    assert (ended.code, "no word" in ended.err) == (3, True)
