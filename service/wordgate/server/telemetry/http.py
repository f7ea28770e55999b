"""HTTP endpoints `/metrics`, `/livez` and `/readyz`, in the event loop of the gRPC server."""

import asyncio
import os
import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from time import perf_counter
from typing import Any

import uvicorn
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from wordgate.errors import InvalidConfiguration
from wordgate.protocol.address import split_address, unix_path
from wordgate.server.telemetry.http_connections import (
    MAX_CONNECTIONS,
    BriefConnection,
    OpenConnections,
)
from wordgate.server.unix_socket import free_path

_MAX_HEADER_BYTES = 16_384
_BRIEF: dict[str, Any] = {
    "backlog": MAX_CONNECTIONS,
    "h11_max_incomplete_event_size": _MAX_HEADER_BYTES,
    "headers": [("Connection", "close")],
}
_MAX_REST_SECONDS = 0.1
_VERSION = re.compile(r";\s*version=([^;]*)")
_VERSIONS = {"0.0.1", "0.0.4", "1.0.0"}
"""Versions of the exposition formats that are accepted; prometheus_client fails on some others."""


def application(
    collected: Callable[[], Awaitable[Collector]], ready: Callable[[], bool]
) -> Starlette:
    """Return the HTTP application.

    Serves metrics, liveness (200 as long as the event loop runs) and readiness (200 or 503).
    """

    one_page = asyncio.Lock()
    rest = _Rest()

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(_known_formats(request.headers.get("accept", "")))
        async with one_page:
            await asyncio.sleep(rest.left_seconds())
            if await request.is_disconnected():
                return Response()
            with rest.after():
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


class _Rest:
    """Throttles metrics pages to 1/5 of the time: each blocks the event loop for milliseconds.

    A slow page was mostly waiting for other processes, so the pause after a page is capped at
    `_MAX_REST_SECONDS`.
    """

    def __init__(self) -> None:
        self._over_at = 0.0

    def left_seconds(self) -> float:
        """Return the time until the next page may be made."""
        return max(0.0, self._over_at - perf_counter())

    @contextmanager
    def after(self) -> Iterator[None]:
        """Measure the time that a page takes; the pause after it is four times as long."""
        began = perf_counter()
        try:
            yield
        finally:
            ended = perf_counter()
            self._over_at = ended + min(4 * (ended - began), _MAX_REST_SECONDS)


def _known_formats(accept: str) -> str:
    """Remove formats of unknown versions from an Accept header.

    If none remains, the text format is sent.
    """
    formats = accept.split(",")
    return ",".join(f for f in formats if {v.strip() for v in _VERSION.findall(f)} <= _VERSIONS)


Listener = Callable[[socket.socket, Callable[[], asyncio.Protocol]], Any]
"""Accepts the connections of a socket, each with a new protocol, until its `close` is called."""


class HttpServer:
    """Serves an application on one address until it is closed."""

    def __init__(
        self, listen: str, option: str = "metrics_listen", *, shares_port: bool = False
    ) -> None:
        """Bind the address. Raises `InvalidConfiguration`, naming `option`, if that fails.

        `shares_port`: other processes may listen on the same port.
        """
        self._listen = listen
        self._path = unix_path(listen)
        self._socket = _listen(listen, option, shares_port)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Address as HOST:PORT with the actual port, or as unix:PATH."""
        if self._path is not None:
            return self._listen
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def start(
        self, application: ASGIApp, listener: Listener | None = None, **settings: Any
    ) -> None:
        """Start serving.

        `listener` accepts connections in place of asyncio. `settings` are uvicorn's; by default
        each connection serves one request.
        """
        named = {**_BRIEF, "http": partial(BriefConnection, OpenConnections()), **settings}
        configuration = uvicorn.Config(
            application,
            log_config=None,
            log_level="error",  # otherwise uvicorn logs each malformed request
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
            **named,
        )
        self._server = _Server(configuration, listener)
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))

    async def close(self) -> None:
        """Stop serving and remove the socket file."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        self._socket.close()
        if self._path is not None:
            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108  ruff forbids Path.unlink in a coroutine


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signal handling to the gRPC server."""

    def __init__(self, configuration: uvicorn.Config, listener: Listener | None) -> None:
        super().__init__(configuration)
        self._listener = listener

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections."""
        if self._listener is None:
            await super().startup(sockets)
            return
        await self.lifespan.startup()
        self.servers = [self._listener(each, self._connection) for each in sockets or ()]
        self.started = True

    def _connection(self) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        connection: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return connection

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(address: str, option: str, shares_port: bool) -> socket.socket:
    path = unix_path(address)
    try:
        return _listen_on_port(address, shares_port) if path is None else _listen_on_file(path)
    except OSError as error:
        problem = f"cannot listen on {address} ({error.strerror}); choose another address"
        raise InvalidConfiguration(option, problem) from None


def _listen_on_port(address: str, shares_port: bool) -> socket.socket:
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, reuse_port=shares_port)


def _listen_on_file(path: str) -> socket.socket:
    with free_path(path):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(path)
            listener.listen(MAX_CONNECTIONS)
        except OSError:
            listener.close()
            raise
        return listener
