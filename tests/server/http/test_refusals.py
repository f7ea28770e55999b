"""Requests that are refused before their body is read."""

from typing import Any

import pytest

from wordgate.server.http.refusals import ambiguity, refusal


def scope(method: str = "POST", version: str = "1.1", **headers: str) -> dict[str, Any]:
    """Return the ASGI scope of a request."""
    named = {"host": "127.0.0.1", "content_type": "application/json"} | headers
    pairs = [(k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in named.items()]
    return {"method": method, "http_version": version, "headers": pairs}


def test_a_call_is_not_refused() -> None:
    """Parameters and letter case of the content-type do not matter."""
    assert ambiguity(scope()) is None
    assert refusal(scope(content_type="Application/JSON; charset=utf-8"), False, ()) is None
    assert refusal(scope(content_type="application/grpc-web+proto"), True, ()) is None


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (scope(origin="https://evil.example"), 403),
        (scope(method="GET"), 405),
        (scope(content_type="text/plain"), 415),
        (scope(content_type="application/connect+json"), 415),
    ],
)
def test_what_is_no_call_is_refused(request_: dict[str, Any], status: int) -> None:
    """The status says why, and the connection stays open."""
    refused = refusal(request_, False, ())
    assert refused is not None
    assert refused.status_code == status
    assert "connection" not in refused.headers


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (scope(content_length="1", transfer_encoding="chunked"), 400),
        (scope(version="1.0", transfer_encoding="chunked"), 400),
        (scope(x="\xff"), 400),
        (scope(version="2.0"), 505),
    ],
)
def test_an_ambiguous_request_ends_its_connection(request_: dict[str, Any], status: int) -> None:
    """Nothing behind it is read."""
    refused = ambiguity(request_)
    assert refused is not None
    assert (refused.status_code, refused.headers["connection"]) == (status, "close")
