"""The page at `/`: a playground for the served models. Its files are package data."""

from importlib.resources import files
from pathlib import PurePath

from starlette.responses import Response

_INDEX = "index.html"
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "connect-src 'self'",
        "img-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-security-policy: the page loads from and talks to its own server only, runs no inline
code, and cannot be framed."""

_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


def playground() -> dict[str, Response]:
    """Read the page and return a response for each path: `/`, and its scripts and style."""
    pages = files(__package__).joinpath("playground").iterdir()
    found = {f"/{page.name}": _response(page.name, page.read_bytes()) for page in pages}
    found["/"] = found.pop(f"/{_INDEX}")
    return found


def _response(name: str, content: bytes) -> Response:
    return Response(content, headers=_HEADERS, media_type=_MEDIA_TYPES[PurePath(name).suffix])
