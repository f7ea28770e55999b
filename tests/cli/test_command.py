"""Behaviour shared by all commands: names of options and files in errors, help texts."""

import re
from pathlib import Path

import click
import pytest
from tests.cli.calling import Run
from tests.cli.command_lines import command_lines, unknown_words

from wordgate.cli.command import Command, Group
from wordgate.cli.main import COMMANDS, wordgate
from wordgate.cli.options.configuration import configuration_options

READERS = [
    ["score", "--input"],
    ["rescore", "--input"],
    ["rescore", "--format", "srilm", "--input"],
    ["tune", "--input"],
    ["evaluate", "--text"],
    ["evaluate", "--keystroke-savings"],
    ["evaluate", "--typo-correction"],
    ["evaluate", "--suite", "pairs", "--data"],
    ["evaluate", "--cloze"],
    ["bench", "score", "--input"],
    ["bench", "type", "--input"],
    ["train", "--name", "x", "--text"],
]
_ONE_FILE = [each for each in READERS if not {"srilm", "train"} & set(each)]


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_a_missing_file_is_reported_alike_by_every_command(
    run: Run, tmp_path: Path, command: list[str]
) -> None:
    """Every command reports a missing file alike, before it loads a model."""
    ended = run(*command, tmp_path / "nowhere")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == f"wordgate: {tmp_path / 'nowhere'}: does not exist\n"


@pytest.mark.parametrize(
    "option",
    [["rescore", "--weights-file"], ["rescore", "--references"], ["predict", "--token-file"]],
)
def test_a_missing_file_of_another_option_is_reported(
    run: Run, tmp_path: Path, option: list[str]
) -> None:
    """Missing files of weights, references and tokens are reported alike."""
    ended = run(*option, tmp_path / "nowhere")
    assert (ended.code, ended.err) == (3, f"wordgate: {tmp_path / 'nowhere'}: does not exist\n")


def test_a_folder_to_write_to_is_missed_by_its_name(run: Run, tmp_path: Path) -> None:
    """A missing output folder is reported by name, not an internal file in it."""
    texts = tmp_path / "a.txt"
    texts.write_text("the sea\n")
    ended = run("score", "--input", texts, "--output", tmp_path / "none" / "out.jsonl")
    assert ended.err.startswith(f"wordgate: {tmp_path / 'none'}: does not exist")


@pytest.mark.parametrize(
    "command",
    [each for each in READERS if "srilm" not in each and each[0] != "train"],
    ids=" ".join,
)
def test_an_empty_file_is_an_error_with_a_message(
    run: Run, bundle: Path, tmp_path: Path, command: list[str]
) -> None:
    """Every command rejects an empty file with the same exit code."""
    file = tmp_path / "empty.txt"
    file.write_bytes(b"")
    ended = run(*command, file, "--model", bundle)
    assert (ended.code, ended.out) == (3, "")
    assert f"wordgate: {file}: is empty" in ended.err


def test_text_to_train_on_is_not_empty(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No recipe is written for an empty text file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_bytes(b"")
    ended = run("train", "--text", "empty.txt", "--name", "mine")
    assert (ended.code, "empty.txt: is empty: no text in it" in ended.err) == (3, True)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["predict", "--max-suggestions", "x"], "--max-suggestions: 'x' is not a valid integer"),
        (["predict", "--letter-case", "x"], "--letter-case: 'x' is not one of"),
        (["predict", "--histroy", "x"], "--histroy: no such option; did you mean --history"),
        (["predict", "--history"], "--history: requires an argument"),
        (["predicd"], "predicd: no such command; did you mean predict?"),
        (["bench", "scores"], "scores: no such command; did you mean score"),
        (["tune"], "--input: is missing"),
        (["token"], "NAME: is missing"),
        (["token", "a b"], "NAME: is 'a b'; use 1 to 64 letters"),
        (
            ["serve", "--tls-key", "x"],
            "--tls-key: requires the server's certificate, --tls-certificate",
        ),
        (["rescore", "--input", "FILE", "--boost", "x"], "as in --boost 'Port Ellen=3'"),
        (["rescore", "--input", "FILE", "--weight", "x"], "as in --weight am=0.5"),
        (["rescore", "--input", "FILE", "--weight", "am=inf"], "--weight 'am': is inf"),
        (["rescore", "--input", "FILE", "--lm-weight", "-1"], "--lm-weight: is -1"),
        (["predict", "--server", "nowhere"], "wordgate: --server: is not HOST:PORT"),
        (["predict", "--block", "sea", "--block", ""], "--block '': has no word"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_name_the_flag(run: Run, tmp_path: Path, arguments: list[str], problem: str) -> None:
    """Errors have the form *option: problem*, whether from click, the command or the model."""
    file = tmp_path / "n.jsonl"
    file.write_text('{"candidates": [{"text": "the sea", "am": -1}]}\n')
    ended = run(*(str(file) if each == "FILE" else each for each in arguments))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("wordgate: ")
    assert problem in ended.err.splitlines()[0]


def _commands() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    context = click.Context(wordgate)
    for name in COMMANDS:
        command = wordgate.get_command(context, name)
        assert isinstance(command, Command | Group)
        found.append((name, command))
        if isinstance(command, Group):
            found += [(f"{name} {inner}", each) for inner, each in command.commands.items()]
    return found


def test_no_help_text_is_cut(run: Run) -> None:
    """No help text is truncated."""
    for name in ("", "bench", "models"):
        assert "..." not in run(*name.split(), "--help").out.replace("[ARGS]...", "")
    for name, _ in _commands():
        _, _, described = run(*name.split(), "--help").out.partition("\n\n")
        assert not [line for line in described.splitlines() if line.endswith("...")], name


def test_examples_in_help_texts_name_options_that_exist() -> None:
    """The examples in a help text use only commands and options that exist."""
    examples = [line for _, command in _commands() for line in command_lines(command.help or "")]
    assert len(examples) > 20
    assert [line for line in examples if unknown_words(line)] == []


def test_unknown_commands_and_options_are_found() -> None:
    """A command line with a misspelt command or option is not accepted as an example."""
    assert unknown_words("wordgate predikt --history x") == ["predikt"]
    assert unknown_words("wordgate predict --histroy x --json") == ["--histroy"]
    assert unknown_words('wordgate score --json -- "--no-such-option"  # a candidate') == []


def test_options_of_the_server_stand_in_sections(run: Run) -> None:
    """Server options are listed under their section headings."""
    shown = run("serve", "--help").out
    headings = re.findall(r"^(\w[\w ]*):$", shown, re.MULTILINE)
    sections = dict.fromkeys(option.section for option in configuration_options())
    assert headings == ["Options", *sections]
    for option in configuration_options():
        place = shown.index(f"  {option.opts[0]} ")
        heading = shown.rindex(f"\n{option.section}:", 0, place)
        assert "\n\n" not in shown[heading:place].lstrip("\n")


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_names_what_matters_in_a_report(run: Run, option: str) -> None:
    """--version prints this package, Python and onnxruntime."""
    assert re.fullmatch(
        r"wordgate \S+ \(Python \d+\.\d+\.\S+, onnxruntime \S+\)\n", run(option).out
    )
