"""The page at `/`: a playground for the served models, in one file."""

from importlib.resources import files

from starlette.responses import HTMLResponse, Response

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "connect-src 'self'",
        "img-src data:",
        "script-src 'unsafe-inline'",
        "style-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-security-policy: the page talks to its own server only, and cannot be framed."""

_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


class Playground:
    """Answers requests for the page. Reads it once."""

    def __init__(self) -> None:
        page = files(__package__).joinpath("playground", "index.html").read_bytes()
        self._page = page

    def response(self) -> Response:
        """Return the page with its security headers."""
        return HTMLResponse(self._page, headers=_HEADERS)
