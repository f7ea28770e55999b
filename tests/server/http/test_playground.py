"""The page at `/`."""

from tests.running import RunningServer
from tests.server.http.asking import ask


def test_the_page_may_load_nothing_from_elsewhere(http_server: RunningServer) -> None:
    """Its content-security-policy allows connections to its own server only, and no frames."""
    answer = ask(http_server, "GET", "/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(
        one.split(" ", 1) for one in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert b"<title>" in answer.body


def test_head_has_no_body(http_server: RunningServer) -> None:
    """HEAD answers with the headers of GET."""
    answer = ask(http_server, "HEAD", "/")
    assert (answer.status, answer.body) == (200, b"")
    assert "content-security-policy" in answer.headers
