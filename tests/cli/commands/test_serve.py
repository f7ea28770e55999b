"""`wordgate serve`: configuration errors and `--check`."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.calling import Run


def test_a_file_that_cannot_be_opened_is_named(run: Run, tmp_path: Path) -> None:
    """An unreadable file is one line and exit code 3."""
    for file, problem in ((tmp_path / "none.toml", "does not exist"), (tmp_path, "is a folder")):
        ended = run("serve", "--config", file)
        assert ended.code == 3
        assert ended.err.startswith(f"wordgate: {file}: {problem}")
        assert len(ended.err.splitlines()) == 1


def test_a_check_says_that_a_server_would_start(run: Run, tmp_path: Path) -> None:
    """`--check` validates options, certificate and tokens without loading a model."""
    file = tmp_path / "wordgate.toml"
    (tmp_path / "tokens").write_text("# nobody\n")
    file.write_text("tokens_file = 'tokens'\nmodel = 'none'\n")
    ended = run("serve", "--config", file, "--check")
    assert (ended.code, ended.out) == (0, "options, certificate and tokens are valid\n")


def test_a_check_says_what_would_keep_a_server_from_starting(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--check` reports errors with the server's exit code and message."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    file = tmp_path / "wordgate.toml"
    for line, code, problem in (
        (
            "engine_threads = 0",
            2,
            f"{file}: engine_threads: input should be greater than or equal to 1 (it is 0)",
        ),
        ("tokens_file = 'tokens'", 3, f"{tmp_path / 'tokens'}: "),
        ("tracing = 'otlp'", 2, f"{file}: tracing: OTEL_EXPORTER_OTLP_PROTOCOL is http/protobuf"),
    ):
        file.write_text(line)
        ended = run("serve", "--config", file, "--check")
        assert (ended.code, ended.out) == (code, "")
        assert ended.err.startswith(f"wordgate: {problem}")
        assert len(ended.err.splitlines()) == 1


def test_a_check_looks_at_what_traces_need(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--check` validates OpenTelemetry's variables."""
    assert run("serve", "--tracing", "otlp", "--check").code == 0
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    ended = run("serve", "--tracing", "otlp", "--check")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("wordgate: --tracing: ")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_is_found_after_the_start_names_where_it_was_said(
    tmp_path: Path, workers: str
) -> None:
    """Errors name the variable, the file and key, or the flag (also for defaults)."""
    file = tmp_path / "wordgate.toml"
    free = ("--listen", "127.0.0.1:0", "--workers", workers)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        file.write_text(f"metrics_listen = '{address}'\n")
        listening = ("--listen", address, "--metrics-listen", "")
        said = _refused(*listening, "--workers", workers)
        assert said.startswith(f"wordgate: --listen: cannot listen on {address}")
        said = _refused("--config", str(file), *free)
        assert said.startswith(f"wordgate: {file}: metrics_listen: cannot listen on {address}")
        file.write_text("model = 'missing'\n")
        said = _refused("--config", str(file), *free)
        assert said.startswith(f"wordgate: {file}: model: {tmp_path}/missing does not exist")
        said = _refused(*free, "--metrics-listen", "", WORDGATE_MODEL="missing")
        assert said.startswith("wordgate: WORDGATE_MODEL: missing does not exist; name a bundle's")


def _refused(*options: str, **variables: str) -> str:
    """Run a server that cannot start, in a subprocess because it handles signals."""
    command = [sys.executable, "-m", "wordgate.cli.main", "serve", *options]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    return ended.stderr
