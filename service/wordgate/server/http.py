"""`/metrics`, `/livez` and `/readyz` over HTTP, in the server's own event loop.

Knows starlette and uvicorn; does not know gRPC.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from wordgate.errors import InvalidConfiguration
from wordgate.server.configuration import split_address


def application(
    collected: Callable[[], Awaitable[Collector]], ready: Callable[[], bool]
) -> Starlette:
    """Metrics, liveness (200 as long as the event loop runs) and readiness (200 or 503)."""

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        page = encode(await collected())
        return Response(page, media_type=content_type)

    async def livez(request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(request: Request) -> Response:
        if ready():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready\n", status_code=503)

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/livez", livez), Route("/readyz", readyz)]
    )


class HttpServer:
    """Serves an application on one address until it is closed."""

    def __init__(self, application: Starlette, listen: str) -> None:
        """Raises `InvalidConfiguration` when the address cannot be listened on."""
        self._socket = _listen(listen)
        configuration = uvicorn.Config(
            application,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(configuration)
        self._serving: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """HOST:PORT, the port that was taken where 0 was asked for."""
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def start(self) -> None:
        """Begin to answer."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))

    async def close(self) -> None:
        """Stop answering."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        self._socket.close()


class _Server(uvicorn.Server):
    """Signals belong to the gRPC server's life, not to uvicorn."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(address: str) -> socket.socket:
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        problem = f"cannot listen on {address} ({error.strerror}); choose another address"
        raise InvalidConfiguration("metrics_listen", problem) from None
