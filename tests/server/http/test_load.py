"""The load figures at `/load`."""

from typing import Any

import pytest
from tests.running import RunningServer, until
from tests.server.http.asking import JSON, PREDICT, ask, post
from tests.server.http.conftest import SECRET

NAMES = {"process", "seconds", "requests", "keys", "rows", "batches", "durations"}


def sample(server: RunningServer) -> dict[str, Any]:
    """Return the figures."""
    figures: dict[str, Any] = ask(server, "GET", "/load").json
    return figures


def later(server: RunningServer, before: dict[str, Any]) -> dict[str, Any] | None:
    """Return the figures if they are newer: the same ones may be sent for a quarter of a second."""
    figures = sample(server)
    return figures if figures["requests"] > before["requests"] else None


def test_calls_are_counted_over_http(http_server: RunningServer) -> None:
    """A prediction over HTTP is one request, one key and one duration, like one over gRPC."""
    before = sample(http_server)
    post(http_server, PREDICT, {"history": "the clouds are in the"})
    after = until(lambda: later(http_server, before), "a new sample")
    assert after["requests"] - before["requests"] == 1
    assert after["keys"] - before["keys"] == 1
    assert after["batches"] > before["batches"]
    durations = [sum(count for _, count in sample["durations"]) for sample in (before, after)]
    assert durations[1] - durations[0] == 1


def test_there_are_only_sums(http_server: RunningServer) -> None:
    """The document has no label: no method, model, caller or text."""
    answer = ask(http_server, "GET", "/load")
    assert (answer.status, answer.headers["content-type"]) == (200, JSON)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json.keys() == NAMES


def test_other_methods_are_refused(http_server: RunningServer) -> None:
    """POST is for calls."""
    assert ask(http_server, "POST", "/load").status == 404


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}])
def test_without_a_token_there_are_no_figures(
    locked: RunningServer, headers: dict[str, str]
) -> None:
    """If calls need a token, so does this document; the error is the one of a call."""
    refused = ask(locked, "GET", "/load", headers=headers)
    call = ask(locked, "POST", PREDICT, b"{}", {"content-type": JSON, **headers})
    assert (refused.status, refused.code) == (401, "unauthenticated")
    assert refused.json["message"] == call.json["message"]


def test_a_token_opens_the_figures(locked: RunningServer) -> None:
    """The header is that of a call."""
    answer = ask(locked, "GET", "/load", headers={"authorization": f"Bearer {SECRET}"})
    assert answer.status == 200
    assert answer.json.keys() == NAMES
