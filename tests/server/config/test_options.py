"""The server's options."""

from dataclasses import asdict
from typing import Any

import pytest
from pydantic import ValidationError

from wordgate.errors import InvalidConfiguration
from wordgate.protocol.address import split_address
from wordgate.protocol.limits import Limits
from wordgate.server.config.options import Configuration


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
def test_bad_values_name_their_option(option: str, value: Any) -> None:
    """An invalid value is rejected with the name of its option."""
    with pytest.raises(ValidationError) as caught:
        Configuration(**{option: value})
    assert caught.value.errors()[0]["loc"] == (option,)


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("tls_certificate", {"tls_certificate": "a.pem"}),
        ("tls_key", {"tls_key": "a.key"}),
        ("tls_client_ca", {"tls_client_ca": "ca.pem"}),
        ("tls_certificate", {"tls_certificate": "a.pem", "tls_client_ca": "ca.pem"}),
    ],
)
def test_incomplete_tls_options_are_rejected(option: str, given: dict[str, Any]) -> None:
    """A certificate requires its key, and client certificates require both."""
    with pytest.raises(InvalidConfiguration, match="requires") as caught:
        Configuration(**given)
    assert caught.value.option == option


def test_it_listens_on_loopback_by_default() -> None:
    """The default addresses for gRPC and HTTP are loopback addresses."""
    declared = Configuration()
    for address in (declared.listen, declared.metrics_listen):
        assert split_address(address)[0] == "127.0.0.1"


def test_configuration_is_frozen() -> None:
    """A configuration is immutable."""
    with pytest.raises(ValueError, match="frozen"):
        Configuration().intra_op_threads = 2


def test_limits_follow_the_options() -> None:
    """Limits with an option have the configured value, the others their declared value."""
    limits = asdict(Configuration().limits)
    assert limits == asdict(Limits())
    names = limits.keys() & Configuration.model_fields.keys()
    set_ones: dict[str, Any] = {name: 5000 + place for place, name in enumerate(names)}
    assert asdict(Configuration(**set_ones).limits) == limits | set_ones
    assert len(set_ones) >= 6
