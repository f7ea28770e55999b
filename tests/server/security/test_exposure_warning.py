"""The warning about an address that others can reach."""

from typing import Any

import pytest
from tests.server.conftest import Lines

from wordgate.server.config.options import Configuration
from wordgate.server.security.exposure_warning import warn_if_exposed


@pytest.mark.parametrize(
    ("options", "warnings"),
    [
        ({}, 0),
        ({"http_listen": "127.0.0.1:8080"}, 0),
        ({"http_listen": "unix:/tmp/http.sock"}, 0),
        ({"http_listen": "0.0.0.0:8080"}, 1),
        ({"listen": "0.0.0.0:50051"}, 1),
        ({"listen": "0.0.0.0:50051", "http_listen": "0.0.0.0:8080"}, 1),
    ],
)
def test_an_open_address_is_named_once(
    lines: Lines, options: dict[str, Any], warnings: int
) -> None:
    """gRPC and HTTP beyond this machine without TLS and tokens are worth a warning."""
    warn_if_exposed(Configuration(**options))
    assert [line["event"] for line in lines()] == ["exposed beyond this host"] * warnings
