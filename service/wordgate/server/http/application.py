"""The HTTP application: services, playground, load figures, and a refusal for everything else."""

import asyncio
from collections.abc import Collection, Mapping

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from wordgate.server.http.connect import ConnectServices
from wordgate.server.http.handlers import Handler
from wordgate.server.http.load import PATH as LOAD_PATH
from wordgate.server.http.load import LoadPage
from wordgate.server.http.origins import with_cors
from wordgate.server.http.playground import playground
from wordgate.server.http.refusals import ambiguity, not_found
from wordgate.server.rpc.interceptor import CallInterceptor
from wordgate.server.telemetry.logging import described


class Application:
    """Routes requests. An unexpected error is logged without its message, as for gRPC."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        calls: CallInterceptor,
        load: LoadPage,
        allowed_origins: Collection[str] = (),
    ) -> None:
        """`handlers` by the paths of their methods; `calls` handles the calls."""
        self._services = ConnectServices(handlers, calls, allowed_origins)
        self._calls = with_cors(self._services, allowed_origins)
        self._load = load
        self._pages = playground()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._route(scope)(scope, receive, send)
        except asyncio.CancelledError:
            pass  # the shutdown grace period is over; uvicorn would log each call as a defect
        except Exception as error:  # noqa: BLE001  uvicorn would log the message
            structlog.get_logger().error("internal error", **described(error))

    def _route(self, scope: Scope) -> ASGIApp:
        unclear = ambiguity(scope)
        if unclear is not None:
            return unclear
        # raw: an escaped path such as %50redict could bypass a proxy's rules
        path = scope["raw_path"].decode("latin-1")
        if path in self._services.paths:
            return self._calls
        if scope["method"] not in {"GET", "HEAD"}:
            return not_found()
        return self._load.response(scope) if path == LOAD_PATH else self._page(path)

    def _page(self, path: str) -> Response:
        return self._pages.get(path) or not_found()
