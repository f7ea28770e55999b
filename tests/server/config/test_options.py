"""The server's options."""

from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from wordgate.cli.commands.serve import serve
from wordgate.errors import InvalidConfiguration
from wordgate.protocol.limits import Limits
from wordgate.server.config.options import (
    FILE,
    Configuration,
    configure,
    options,
    split_address,
)

NAMES = {option.name for option in options()}


def test_flag_variable_file_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each of these overrides the ones after it."""
    file = tmp_path / "wordgate.toml"
    file.write_text("intra_op_threads = 4\nengine_threads = 5\nworkers = 6\n")
    monkeypatch.setenv("WORDGATE_INTRA_OP_THREADS", "3")
    monkeypatch.setenv("WORDGATE_ENGINE_THREADS", "3")
    found = configure(config=file, intra_op_threads=2)
    assert (found.intra_op_threads, found.engine_threads, found.workers) == (2, 3, 6)
    assert found.listen == "127.0.0.1:50051"
    assert configure().workers == 1


def test_a_variable_names_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A flag overrides the file of the variable; the two files are not merged."""
    for name, line in {
        "a.toml": "intra_op_threads = 4\nengine_threads = 5",
        "b.toml": "intra_op_threads = 6",
    }.items():
        (tmp_path / name).write_text(line)
    monkeypatch.setenv("WORDGATE_CONFIG", str(tmp_path / "a.toml"))
    assert (configure().intra_op_threads, configure().engine_threads) == (4, 5)
    other = configure(config=tmp_path / "b.toml")
    assert (other.intra_op_threads, other.engine_threads) == (6, Configuration().engine_threads)
    monkeypatch.setenv("WORDGATE_CONFIG", "")
    with pytest.raises(InvalidConfiguration, match=r"^WORDGATE_CONFIG: is empty; name a file$"):
        configure()


def test_an_error_names_the_flag_or_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error names the place whose value was used."""
    monkeypatch.setenv("WORDGATE_TLS_KEY", "a.key")
    with pytest.raises(InvalidConfiguration, match=r"^WORDGATE_TLS_KEY: requires the server's"):
        configure()
    monkeypatch.setenv("WORDGATE_MAX_SESSIONS", "many")
    with pytest.raises(InvalidConfiguration, match=r"^WORDGATE_MAX_SESSIONS: .*\(it is 'many'\)$"):
        configure()
    with pytest.raises(InvalidConfiguration, match=r"^--max-sessions: .*\(it is -1\)$"):
        configure(max_sessions=-1)


def test_an_empty_path_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable left empty by mistake must not leave a server unprotected."""
    monkeypatch.setenv("WORDGATE_TOKENS_FILE", "")
    with pytest.raises(InvalidConfiguration, match=r"^WORDGATE_TOKENS_FILE: is empty"):
        configure()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("listen", "nowhere"),
        ("listen", ""),
        ("metrics_listen", "127.0.0.1:99999"),
        ("metrics_listen", "127.0.0.1:٣"),
        ("device", "tpu"),
        ("threads", 0),
        ("max_message_bytes", 2**31),
        ("max_sessions", 2**31),
        ("max_queued_rows", 2**31),
        ("max_rescore_streams", -1),
        ("max_generation_streams", 2**31),
        ("max_concurrent_rpcs", 0),
        ("shutdown_grace_seconds", -1),
        ("shutdown_grace_seconds", float("nan")),
        ("colour", "red"),
    ],
)
def test_bad_values_name_their_option(option: str, value: object) -> None:
    """An invalid value is rejected with the name of its option."""
    with pytest.raises(InvalidConfiguration) as caught:
        configure(**{option: value})
    assert caught.value.option == option


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("tls_certificate", {"tls_certificate": "a.pem"}),
        ("tls_key", {"tls_key": "a.key"}),
        ("tls_client_ca", {"tls_client_ca": "ca.pem"}),
        ("tls_certificate", {"tls_certificate": "a.pem", "tls_client_ca": "ca.pem"}),
    ],
)
def test_incomplete_tls_options_are_rejected(option: str, given: dict[str, str]) -> None:
    """A certificate requires its key, and client certificates require both."""
    with pytest.raises(InvalidConfiguration, match="requires") as caught:
        configure(**given)
    assert caught.value.option == option


def test_it_listens_on_loopback_by_default() -> None:
    """The default addresses for gRPC and HTTP are loopback addresses."""
    declared = configure()
    for address in (declared.listen, declared.metrics_listen):
        assert split_address(address)[0] == "127.0.0.1"


def test_configuration_is_frozen() -> None:
    """A configuration is immutable."""
    with pytest.raises(ValueError, match="frozen"):
        Configuration().intra_op_threads = 2


def test_every_option_is_a_flag_with_its_variable() -> None:
    """`wordgate serve --help` shows every option, its variable and its meaning."""
    shown = " ".join(CliRunner().invoke(serve, ["--help"]).output.split())
    for option in (FILE, *options()):
        assert option.flag in shown
        assert option.variable in shown
        assert option.description


def test_limits_follow_the_options() -> None:
    """Limits with an option have the configured value, the others their declared value."""
    limits = asdict(configure().limits)
    assert limits == asdict(Limits())
    set_ones = {name: 5000 + place for place, name in enumerate(limits.keys() & NAMES)}
    assert asdict(configure(**set_ones).limits) == limits | set_ones
    assert len(set_ones) >= 6


def test_addresses_are_host_and_port() -> None:
    """IPv6 hosts are written in brackets."""
    assert split_address("[::1]:50051") == ("::1", 50051)
    assert split_address("localhost:0") == ("localhost", 0)
