"""The server's options."""

from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from wordgate.cli.serve import serve
from wordgate.errors import InvalidConfiguration
from wordgate.server.configuration import Configuration, configure, options, split_address
from wordgate.server.limits import Limits

NAMES = {option.name for option in options()}


def test_what_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag beats a variable, a variable beats the default."""
    monkeypatch.setenv("WORDGATE_THREADS", "3")
    monkeypatch.setenv("WORDGATE_MODEL", "models/mine")
    assert configure().threads == 3
    assert configure().model == Path("models/mine")
    assert configure(threads=2).threads == 2
    assert configure().listen == "127.0.0.1:50051"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("listen", "nowhere"),
        ("listen", ""),
        ("metrics_listen", "127.0.0.1:99999"),
        ("device", "tpu"),
        ("threads", 0),
        ("max_message_bytes", 2**31),
        ("max_sessions", 2**31),
        ("max_waiting_rows", 2**31),
        ("max_rescore_streams", -1),
        ("max_generation_streams", 2**31),
        ("max_calls", 0),
        ("grace_seconds", -1),
        ("grace_seconds", float("nan")),
        ("colour", "red"),
    ],
)
def test_bad_values_name_their_option(option: str, value: object) -> None:
    """An option that cannot be is refused by name."""
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
def test_half_of_tls_is_refused(option: str, given: dict[str, str]) -> None:
    """A certificate needs its key, and both come before clients are asked for theirs."""
    with pytest.raises(InvalidConfiguration, match="needs") as caught:
        configure(**given)
    assert caught.value.option == option


def test_it_listens_on_this_machine_alone() -> None:
    """Unless it is told otherwise, for gRPC as for HTTP."""
    declared = configure()
    for address in (declared.listen, declared.metrics_listen):
        assert split_address(address)[0] == "127.0.0.1"


def test_it_does_not_change() -> None:
    """A configuration is frozen."""
    with pytest.raises(ValueError, match="frozen"):
        Configuration().threads = 2


def test_every_option_is_a_flag_with_its_variable() -> None:
    """`wordgate serve --help` shows every option, its variable and its meaning."""
    shown = " ".join(CliRunner().invoke(serve, ["--help"]).output.split())
    for option in options():
        assert option.flag in shown
        assert option.variable in shown
        assert option.description


def test_limits_follow_the_options() -> None:
    """The limits that can be set are the configured ones, the others are as declared."""
    limits = asdict(configure().limits)
    assert limits == asdict(Limits())
    set_ones = {name: 5000 + place for place, name in enumerate(limits.keys() & NAMES)}
    assert asdict(configure(**set_ones).limits) == limits | set_ones
    assert len(set_ones) >= 6


def test_addresses_are_host_and_port() -> None:
    """IPv6 hosts stand in brackets."""
    assert split_address("[::1]:50051") == ("::1", 50051)
    assert split_address("localhost:0") == ("localhost", 0)
