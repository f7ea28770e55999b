"""Flags, environment variables and the file of `wordgate serve`, and their order."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.cli.calling import Run

from wordgate.cli.commands.serve import configure, serve
from wordgate.cli.options.configuration import FILE, configuration_options
from wordgate.errors import InvalidConfiguration
from wordgate.server.config.options import Configuration


def test_flag_variable_file_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each of these overrides the ones after it."""
    file = tmp_path / "wordgate.toml"
    file.write_text("intra_op_threads = 4\nengine_threads = 5\nworkers = 6\n")
    monkeypatch.setenv("WORDGATE_INTRA_OP_THREADS", "3")
    monkeypatch.setenv("WORDGATE_ENGINE_THREADS", "3")
    found = configure(["--config", str(file), "--intra-op-threads", "2"])
    assert (found.intra_op_threads, found.engine_threads, found.workers) == (2, 3, 6)
    assert found.listen == "127.0.0.1:50051"
    assert configure().workers == 1


def test_a_switch_is_turned_off_in_all_three_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A switch is a pair of flags, a variable and a key that is true or false."""
    file = tmp_path / "wordgate.toml"
    file.write_text("reflection = false")
    assert configure().reflection
    assert not configure(["--no-reflection"]).reflection
    assert not configure(["--config", str(file)]).reflection
    assert configure(["--config", str(file), "--reflection"]).reflection
    monkeypatch.setenv("WORDGATE_REFLECTION", "off")
    assert not configure().reflection


def test_a_variable_names_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A flag overrides the file of the variable; the two files are not merged."""
    for name, line in {
        "a.toml": "intra_op_threads = 4\nengine_threads = 5",
        "b.toml": "intra_op_threads = 6",
    }.items():
        (tmp_path / name).write_text(line)
    monkeypatch.setenv("WORDGATE_CONFIG", str(tmp_path / "a.toml"))
    assert (configure().intra_op_threads, configure().engine_threads) == (4, 5)
    other = configure(["--config", str(tmp_path / "b.toml")])
    assert (other.intra_op_threads, other.engine_threads) == (6, Configuration().engine_threads)


def test_an_empty_variable_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable is a value: it turns HTTP off."""
    monkeypatch.setenv("WORDGATE_METRICS_LISTEN", "")
    assert configure().metrics_listen == ""


def test_an_error_names_the_flag_or_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error names the place whose value was used."""
    monkeypatch.setenv("WORDGATE_TLS_KEY", "a.key")
    with pytest.raises(InvalidConfiguration, match=r"^WORDGATE_TLS_KEY: requires the server's"):
        configure()
    monkeypatch.setenv("WORDGATE_MAX_SESSIONS", "many")
    with pytest.raises(InvalidConfiguration, match=r"^WORDGATE_MAX_SESSIONS: .*\(it is 'many'\)$"):
        configure()
    with pytest.raises(InvalidConfiguration, match=r"^--max-sessions: .*\(it is '-1'\)$"):
        configure(["--max-sessions", "-1"])


def test_a_wrong_choice_names_where_it_was_made(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Errors that click finds while it parses name the place as well."""
    file = tmp_path / "wordgate.toml"
    file.write_text("device = 'tpu'")
    said = run("serve", "--config", file).err
    assert said.startswith(f"wordgate: {file}: device: 'tpu' is not one of 'cpu', 'cuda'\n")
    monkeypatch.setenv("WORDGATE_DEVICE", "gpu")
    assert run("serve").err.startswith("wordgate: WORDGATE_DEVICE: 'gpu' is not one of")
    assert run("serve", "--device", "x").err.startswith("wordgate: --device: 'x' is not one of")
    monkeypatch.setenv("WORDGATE_CONFIG", "")
    ended = run("serve", "--device", "cpu")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("wordgate: WORDGATE_CONFIG: is empty; name a file\n")
    monkeypatch.delenv("WORDGATE_CONFIG")
    monkeypatch.setenv("WORDGATE_REFLECTION", "")
    assert "WORDGATE_REFLECTION: is empty; set true or false" in run("serve").err


def test_an_empty_path_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable left empty by mistake must not leave a server unprotected."""
    monkeypatch.setenv("WORDGATE_TOKENS_FILE", "")
    with pytest.raises(InvalidConfiguration, match=r"^WORDGATE_TOKENS_FILE: is empty"):
        configure()


def test_every_option_is_a_flag_with_its_variable() -> None:
    """`wordgate serve --help` shows every option, its variable and its meaning."""
    shown = " ".join(CliRunner().invoke(serve, ["--help"]).output.split())
    for option in (FILE, *configuration_options()):
        assert option.opts[0] in shown
        assert str(option.envvar) in shown
        assert option.help
