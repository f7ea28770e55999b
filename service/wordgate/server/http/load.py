"""The JSON document at `/load`: load figures for the live view of the playground."""

from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from wordgate.errors import Unauthenticated
from wordgate.server.http.refusals import unauthenticated
from wordgate.server.security.authentication import Authenticator
from wordgate.server.telemetry.load import LoadFigures

PATH = "/load"
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class LoadPage:
    """Answers requests for the load figures. Requires a token if calls do."""

    def __init__(self, figures: LoadFigures, callers: Authenticator | None) -> None:
        """`callers` is None if calls need no token."""
        self._figures = figures
        self._callers = callers

    def response(self, scope: Scope) -> Response:
        """Return the figures, or an error in Connect's form."""
        if self._callers is not None:
            headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
            try:
                self._callers.of(headers)
            except Unauthenticated as error:
                return unauthenticated(str(error))
        return JSONResponse(self._figures.read(), headers=_HEADERS)
