"""The gRPC retry policy for clients of all languages."""

import json
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from tests.protocol_methods import methods

from wordgate.client.retry_policy import SERVICE_CONFIG
from wordgate.errors import Unavailable, WordgateError
from wordgate.protocol.status import decode_error

[REPEATED] = json.loads(SERVICE_CONFIG)["methodConfig"]


def test_every_service_is_retried() -> None:
    """The policy names every service of the protocol and no other."""
    named = {f"/{name['service']}" for name in REPEATED["name"]}
    assert named == {path.rpartition("/")[0] for path, _ in methods()}


def test_codes_are_those_of_grpc() -> None:
    """All status codes are valid; gRPC ignores the whole policy otherwise."""
    codes = set(REPEATED["retryPolicy"]["retryableStatusCodes"])
    assert codes == {"UNAVAILABLE", "CANCELLED"}
    assert codes <= {code.name for code in grpc.StatusCode}


@dataclass(frozen=True)
class Ended:
    """Status of a finished call."""

    message: str

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.INTERNAL

    def details(self) -> str:
        return self.message

    def trailing_metadata(self) -> tuple[Any, ...]:
        return ()


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Stream removed (RST_STREAM (Received RST_STREAM with error code 2))", Unavailable),
        ("internal error; the server's log says more", WordgateError),
    ],
)
def test_a_broken_stream_is_no_defect_of_the_server(
    message: str, kind: type[WordgateError]
) -> None:
    """A stream broken off by a proxy (INTERNAL in gRPC) is reported as `Unavailable`."""
    assert type(decode_error(Ended(message), "here:1")) is kind
