"""`wordgate serve`, as far as it serves nothing."""

from pathlib import Path

import pytest
from tests.cli.calling import Run


def test_a_file_that_cannot_be_opened_is_named(run: Run, tmp_path: Path) -> None:
    """One line and the exit code of files."""
    for file, problem in ((tmp_path / "none.toml", "does not exist"), (tmp_path, "is a folder")):
        ended = run("serve", "--config", file)
        assert ended.code == 3
        assert ended.err.startswith(f"wordgate: {file}: {problem}")
        assert len(ended.err.splitlines()) == 1


def test_a_check_says_that_a_server_would_start(run: Run, tmp_path: Path) -> None:
    """As far as options, certificate and tokens go; no model is loaded, no port is taken."""
    file = tmp_path / "wordgate.toml"
    (tmp_path / "tokens").write_text("# nobody\n")
    file.write_text("tokens_file = 'tokens'\nmodel = 'none'\n")
    ended = run("serve", "--config", file, "--check")
    assert (ended.code, ended.out) == (0, "options, certificate and tokens can be used\n")


def test_a_check_says_what_would_keep_a_server_from_starting(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the exit code and the line of the server itself."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    file = tmp_path / "wordgate.toml"
    for line, code, problem in (
        ("calls = 0", 2, f"{file}: calls: input should be greater than or equal to 1 (it is 0)"),
        ("tokens_file = 'tokens'", 3, f"{tmp_path / 'tokens'}: "),
        ("traces = 'otlp'", 2, "--traces: OTEL_EXPORTER_OTLP_PROTOCOL is http/protobuf"),
    ):
        file.write_text(line)
        ended = run("serve", "--config", file, "--check")
        assert (ended.code, ended.out) == (code, "")
        assert ended.err.startswith(f"wordgate: {problem}")
        assert len(ended.err.splitlines()) == 1


def test_a_check_looks_at_what_traces_need(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What OpenTelemetry's variables say is refused as at the start; what is right is let by."""
    assert run("serve", "--traces", "otlp", "--check").code == 0
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    ended = run("serve", "--traces", "otlp", "--check")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("wordgate: --traces: ")
