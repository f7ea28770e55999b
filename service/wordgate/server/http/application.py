"""The HTTP application: the services, the playground, and a refusal for everything else."""

from collections.abc import Collection, Mapping

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from wordgate.server.http.connect import ConnectServices
from wordgate.server.http.handlers import Handler
from wordgate.server.http.origins import with_cors
from wordgate.server.http.playground import Playground
from wordgate.server.http.refusals import not_found
from wordgate.server.rpc.interceptor import CallInterceptor
from wordgate.server.telemetry.logging import described


class Application:
    """Routes requests. An unexpected error is logged without its message, as for gRPC."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        calls: CallInterceptor,
        allowed_origins: Collection[str] = (),
    ) -> None:
        """`handlers` by the paths of their methods; `calls` handles the calls."""
        self._services = ConnectServices(handlers, calls, allowed_origins)
        self._calls = with_cors(self._services, allowed_origins)
        self._playground = Playground()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._route(scope)(scope, receive, send)
        except Exception as error:  # noqa: BLE001  uvicorn would log the message
            structlog.get_logger().error("internal error", **described(error))

    def _route(self, scope: Scope) -> ASGIApp:
        path = scope["path"]
        if path in self._services.paths:
            return self._calls
        if path == "/" and scope["method"] in {"GET", "HEAD"}:
            return self._playground.response()
        return not_found()
