"""Browsers and curl through Envoy with the project's configuration."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.proxy import envoy, proxying, web_at
from tests.running import serving
from tests.server.http.asking import PREDICT, frame

from wordgate.api.v1.prediction_pb2 import PredictRequest, PredictResponse
from wordgate.protocol.address import split_address

REQUEST = frame(PredictRequest(history="the cat").SerializeToString())


@pytest.fixture(scope="module")
def web(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Envoy for browsers, in front of one server."""
    envoy()
    folder = tmp_path_factory.mktemp("envoy")
    with (
        serving(bundle, "--http-listen", "127.0.0.1:0") as server,
        proxying([server.address], folder, web_at(server.http)) as proxy,
    ):
        yield proxy.listener("web")


def post(address: str, body: bytes, kind: str, **headers: str) -> tuple[Any, bytes]:
    """Send a request to Predict and return the response and its body."""
    connection = HTTPConnection(*split_address(address), timeout=60)
    connection.request("POST", PREDICT, body, {"content-type": kind, **headers})
    answer = connection.getresponse()
    return answer, answer.read()


def test_grpc_web_becomes_grpc(web: str) -> None:
    """The binary form arrives as gRPC at the servers."""
    _, body = post(web, REQUEST, "application/grpc-web+proto")
    size = int.from_bytes(body[1:5], "big")
    assert PredictResponse.FromString(body[5 : 5 + size]).suggestions
    assert b"grpc-status:0" in body.replace(b" ", b"")


def test_grpc_web_text_becomes_grpc(web: str) -> None:
    """The text form, which the servers do not speak themselves, is base64."""
    kind = "application/grpc-web-text"
    _, body = post(web, b64encode(REQUEST), kind, accept=kind)
    size = int.from_bytes(b64decode(body[:8])[1:5], "big")
    message = b64decode(body[: (5 + size + 2) // 3 * 4])[5 : 5 + size]
    assert PredictResponse.FromString(message).suggestions


def test_json_and_the_page_reach_the_servers(web: str) -> None:
    """The Connect protocol and the playground are answered by --http-listen."""
    answer, body = post(web, b'{"history": "the cat"}', "application/json")
    assert (answer.status, bool(json.loads(body)["suggestions"])) == (200, True)
    connection = HTTPConnection(*split_address(web), timeout=60)
    connection.request("GET", "/")
    page = connection.getresponse()
    assert (page.status, b"<title>" in page.read()) == (200, True)


def test_other_pages_are_refused(web: str) -> None:
    """No origin is allowed by default."""
    answer, _ = post(web, b"{}", "application/json", origin="https://evil.example")
    assert answer.status == 403
    assert answer.getheader("access-control-allow-origin") is None
