"""`wordgate token`, and bearer tokens and TLS in the client commands."""

from pathlib import Path

import pytest
from tests.cli.calling import Run
from tests.running import serving
from tests.server.certificates import authority, signed

from wordgate.server.security.tokens import digest_of, read_tokens


def test_a_token_and_its_line(run: Run, tmp_path: Path) -> None:
    """The line goes to standard output, the token only to standard error."""
    quota = ("--rows-per-second", "1000000", "--streams", "20")
    ended = run("token", "ocr", *quota, "--isolate-cache")
    made = ended.err.strip()
    assert made not in ended.out
    path = tmp_path / "tokens"
    path.write_text(ended.out)
    [token] = read_tokens(path)
    assert (token.name, token.digest) == ("ocr", digest_of(made))
    assert (token.quota.rows_per_second, token.quota.streams) == (1_000_000, 20)
    assert token.cache_namespace


def test_a_name_is_fit_for_a_log(run: Run) -> None:
    """An invalid name is a usage error."""
    ended = run("token", "my phone")
    assert ended.code == 2
    assert "letters" in ended.err


def test_commands_show_a_token_over_tls(
    run: Run, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token comes from a file or the environment; without one the exit code is 7."""
    ca = authority(tmp_path, "ca")
    pair = signed(tmp_path, "pair", ca)
    made = run("token", "me")
    (tmp_path / "tokens").write_text(made.out)
    secret = tmp_path / "secret"
    secret.write_text(made.err)
    options = {
        "--listen": "localhost:0",
        "--tls-certificate": pair.certificate,
        "--tls-key": pair.key,
        "--tokens-file": tmp_path / "tokens",
    }
    flat = [str(word) for option in options.items() for word in option]
    with serving(bundle, *flat) as server:
        asked = ["--server", server.address, "--tls-ca", str(ca.certificate)]
        predict = ["predict", "--history", "the", "--json", *asked]
        refused = run(*predict)
        assert (refused.code, "token" in refused.err) == (7, True)
        answered = run(*predict, "--token-file", secret)
        assert answered.code == 0, answered.err
        monkeypatch.setenv("WORDGATE_TOKEN", made.err.strip())
        assert run(*predict).out == answered.out
        assert "tiny" in run("models", "list", "--json", *asked).out
        assert "tiny" in run("models", "inspect", "--json", *asked).out
        secret.write_text("")
        empty = run("predict", *asked, "--token-file", secret)
        assert (empty.code, empty.err) == (3, f"wordgate: {secret}: does not contain a token\n")


def test_companions_of_a_server_need_one(run: Run, tmp_path: Path) -> None:
    """TLS options without --server, and missing files, are errors."""
    (tmp_path / "ca.pem").write_text("")
    ended = run("predict", "--tls-ca", tmp_path / "ca.pem")
    assert ended.code == 2
    assert "--tls-ca" in ended.err
    for option in ("--tls-ca", "--token-file"):
        ended = run("predict", "--server", "localhost:1", option, tmp_path / "nowhere")
        assert ended.code == 3
        assert "nowhere" in ended.err
