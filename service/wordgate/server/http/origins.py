"""Restrict which web pages may call the server (CORS).

A browser names the page's origin in the header `origin`; other clients send none. A page's own
server counts as its origin only if the address is an IP address or localhost: any site can let its
own domain name point to another host (DNS rebinding).
"""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Scope

from wordgate.protocol.status import DETAILS_KEY, REQUEST_ID_HEADER

_SENT = (
    "authorization",
    "connect-protocol-version",
    "connect-timeout-ms",
    "content-type",
    "grpc-timeout",
    "traceparent",
    "x-grpc-web",
    "x-user-agent",
    REQUEST_ID_HEADER,
)
_READ = ("grpc-status", "grpc-message", DETAILS_KEY, REQUEST_ID_HEADER)
_PREFLIGHT_SECONDS = 7200


def with_cors(application: ASGIApp, allowed: Collection[str]) -> ASGIApp:
    """Return the application with CORS for these origins."""
    if not allowed:
        return application
    return CORSMiddleware(
        application,
        allow_origins=list(allowed),
        allow_methods=["POST"],
        allow_headers=_SENT,
        expose_headers=_READ,
        max_age=_PREFLIGHT_SECONDS,
    )


def refused_origin(scope: Scope, allowed: Collection[str]) -> str | None:
    """Return the origin of a request that may not call the server, or None if it may."""
    origins = _values(scope, b"origin")
    if not origins or (len(origins) == 1 and origins[0] in allowed):
        return None
    if len(origins) == 1 and _is_own(origins[0], _values(scope, b"host")):
        return None
    return ", ".join(origins)


def _is_own(origin: str, hosts: list[str]) -> bool:
    try:
        page = urlsplit(origin)
        name = page.hostname or ""
    except ValueError:
        return False
    return [page.netloc] == hosts and (name == "localhost" or _is_ip(name))


def _is_ip(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _values(scope: Scope, header: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == header]
