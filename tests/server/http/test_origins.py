"""Which web pages may call the server."""

import pytest
from tests.running import RunningServer
from tests.server.http.asking import PREDICT, ask, post
from tests.server.http.conftest import ALLOWED

FINE = {"history": "the cat"}
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,authorization,connect-protocol-version",
}


def test_an_allowed_page_is_answered(http_server: RunningServer) -> None:
    """Its browser may ask first, send the usual headers and read the answer and its status."""
    first = ask(http_server, "OPTIONS", PREDICT, headers={"origin": ALLOWED, **PREFLIGHT})
    assert first.status == 200
    assert first.headers["access-control-allow-origin"] == ALLOWED
    assert "authorization" in first.headers["access-control-allow-headers"].lower()
    answer = post(http_server, PREDICT, FINE, origin=ALLOWED)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == ALLOWED
    assert "grpc-status" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://app.example",
        "https://app.example:444",
        "null",
        "",
        "https://app.example.evil.example",
        "https://APP.example",
        "https://app.example/",
        "[::1",
    ],
)
def test_another_page_is_refused(http_server: RunningServer, origin: str) -> None:
    """Nothing is computed for it, and its browser may not read the answer."""
    first = ask(http_server, "OPTIONS", PREDICT, headers={"origin": origin, **PREFLIGHT})
    assert "access-control-allow-origin" not in first.headers
    answer = post(http_server, PREDICT, FINE, origin=origin)
    assert (answer.status, answer.code) == (403, "permission_denied")
    assert "access-control-allow-origin" not in answer.headers


def test_the_own_page_is_answered(http_server: RunningServer) -> None:
    """The playground calls the server that it comes from."""
    assert post(http_server, PREDICT, FINE, origin=f"http://{http_server.http}").status == 200


def test_a_domain_name_is_not_the_own_page(http_server: RunningServer) -> None:
    """A foreign name that points to this server (DNS rebinding) is refused."""
    port = http_server.http.rpartition(":")[2]
    host = f"rebound.example:{port}"
    assert post(http_server, PREDICT, FINE, origin=f"http://{host}", host=host).status == 403
    host = f"localhost:{port}"
    assert post(http_server, PREDICT, FINE, origin=f"http://{host}", host=host).status == 200


def test_a_client_without_origin_is_answered(http_server: RunningServer) -> None:
    """curl and programs send no origin."""
    assert post(http_server, PREDICT, FINE).status == 200
