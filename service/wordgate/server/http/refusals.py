"""Refuse HTTP requests that are not calls, before their body is read."""

from collections.abc import Collection

from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from wordgate.server.http.origins import refused_origin

_UNARY = ("application/json", "application/proto")
_STREAM = ("application/connect+json", "application/connect+proto")
_WEB = ("application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json")


def not_found() -> Response:
    """Return the answer for a path that is neither a page nor a method."""
    return _refusal(404, "unimplemented", "no such method or page; see docs/http.md for the paths")


def unauthenticated(problem: str) -> Response:
    """Return the answer for a request without a valid token."""
    return _refusal(401, "unauthenticated", problem)


def ambiguity(scope: Scope) -> Response | None:
    """Return the answer for a request that another server could read differently, or None.

    The connection is closed, so that nothing behind the request is taken for the next one.
    """
    names = [name for name, _ in scope["headers"]]
    if scope["http_version"] not in {"1.0", "1.1"}:
        return _closing(505, f"HTTP/{scope['http_version']} is not supported; use HTTP/1.1")
    if b"content-length" in names and b"transfer-encoding" in names:
        return _closing(400, "content-length and transfer-encoding are mutually exclusive")
    if scope["http_version"] == "1.0" and b"transfer-encoding" in names:
        return _closing(400, "HTTP/1.0 has no transfer-encoding; use HTTP/1.1")
    if not all(value.isascii() for _, value in scope["headers"]):
        return _closing(400, "a header is not ASCII")
    return None


def refusal(scope: Scope, streams: bool, allowed_origins: Collection[str]) -> Response | None:
    """Return the answer for a request that is not a call, or None.

    `streams`: whether the method has streams. Checks the origin, the method and the content-type.
    """
    origin = refused_origin(scope, allowed_origins)
    if origin is not None:
        problem = f"origin not allowed: {origin}; an operator can allow it: --http-allowed-origins"
        return _refusal(403, "permission_denied", problem)
    if scope["method"] != "POST":
        problem = f"HTTP method {scope['method']} is not supported; use POST"
        return _refusal(405, "unimplemented", problem, {"allow": "POST"})
    known = (*(_STREAM if streams else _UNARY), *_WEB)
    if content_type(scope) not in known:
        problem = f"content-type is not supported; use one of {', '.join(known)}"
        return _refusal(415, "unimplemented", problem, {"accept-post": ", ".join(known)})
    return None


def content_type(scope: Scope) -> str:
    """Return the content-type in lower case and without parameters; empty if there is none."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            return str(value.decode("latin-1").partition(";")[0].strip().lower())
    return ""


def _closing(status: int, message: str) -> Response:
    return _refusal(status, "invalid_argument", message, {"connection": "close"})


def _refusal(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> Response:
    """Return an error in Connect's form: https://connectrpc.com/docs/protocol/#error-end-stream."""
    return JSONResponse({"code": code, "message": message}, status, headers)
