"""All methods as an ASGI application, by the Connect protocol and gRPC-Web.

Connect's library parses and writes HTTP; each call is handled by the interceptor of the gRPC server
(`wordgate.server.http.call`).
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.request import RequestContext
from connectrpc.server import ConnectASGIApplication, Endpoint
from starlette.types import Receive, Scope, Send

from wordgate.errors import drop_traceback
from wordgate.server.http.body import Body
from wordgate.server.http.call import HttpCall
from wordgate.server.http.codecs import Received, codecs
from wordgate.server.http.handlers import Handler
from wordgate.server.http.refusals import content_type, refusal
from wordgate.server.http.sending import Sender
from wordgate.server.rpc.interceptor import CallInterceptor, method_of
from wordgate.server.rpc.wire_format import request_type
from wordgate.server.security.authentication import current_principal
from wordgate.server.telemetry.tracing import current_span

_MAX_ENVELOPE_BYTES = 5
_TWO_WAYS = "{} streams both ways, which HTTP/1.1 cannot; call it over gRPC, or use a method that "
_TWO_WAYS += "does not stream its requests"

Context = RequestContext[Any, Any]


class ConnectServices:
    """Answers the calls of all methods. An ASGI application for their paths only."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        calls: CallInterceptor,
        allowed_origins: Collection[str],
    ) -> None:
        """`handlers` by the paths of their methods; `calls` handles the calls."""
        self.paths = handlers.keys()
        self._handlers = handlers
        self._allowed_origins = allowed_origins
        self._calls = calls
        limits = calls.limits
        self._max_bytes = limits.max_message_bytes
        self._application = _Application(
            service=None,
            endpoints=lambda _: {path: self._endpoint(path) for path in handlers},
            interceptors=[self],
            read_max_bytes=self._max_bytes + _MAX_ENVELOPE_BYTES,
            compressions=(),
            codecs=codecs(),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        handler = self._handlers[scope["path"]]
        streams = handler.request_streaming or handler.response_streaming
        refused = refusal(scope, streams, self._allowed_origins)
        if refused is not None:
            await refused(scope, receive, send)
            return
        scope = _with_plain_content_type(scope)
        max_bytes = self._max_bytes + _MAX_ENVELOPE_BYTES
        body = Body(receive, self._calls.request_bytes, max_bytes)
        exchange = _Exchange(scope, body)
        _exchange.set(exchange)
        sender = Sender(send)
        try:
            await self._application(scope, body.receive, sender)
        except ConnectError:
            pass  # the client has disconnected, so it cannot be told
        finally:
            if exchange.call is not None:
                await exchange.call.close(is_sent=sender.is_complete)

    async def on_start(self, ctx: Context) -> None:
        """Begin a call, once its headers are known. Raises `ConnectError`."""
        exchange = _exchange.get()
        current_principal.set(None)  # of the request before, if both came in one packet
        current_span.set(None)
        handler = await self._calls.intercept_service(self._handler_of, _details(exchange.scope))
        problem = None
        if ctx.method.stream_type is StreamType.BIDI_STREAM:
            problem = NotImplementedError(_TWO_WAYS.format(ctx.method.name))
        exchange.call = HttpCall(exchange.body, ctx, problem)
        await exchange.call.begin(handler)

    async def on_end(self, token: None, ctx: Context, error: Exception | None) -> None:
        """Free the memory that an error holds. The call is closed after its response is sent.

        Raises `ConnectError` in place of the library's error for a request that is not framed as
        declared, which has the code of a defect or of an overload.
        """
        if error is None:
            return
        drop_traceback(error)
        call = _exchange.get().call
        if call is None or not call.waits_for_request or not isinstance(error, ConnectError):
            return
        if error.code in {Code.INTERNAL, Code.RESOURCE_EXHAUSTED}:
            raise ConnectError(Code.INVALID_ARGUMENT, error.message)

    async def _handler_of(self, details: grpc.HandlerCallDetails) -> Handler:
        return self._handlers[details.method]

    def _endpoint(self, path: str) -> Any:
        handler = self._handlers[path]
        method = method_of(path, handler)
        expected = request_type(method)
        kind = StreamType[method.kind.upper()]
        info = MethodInfo(
            name=method.name,
            service_name=method.service,
            input=bytes,
            output=bytes,
            idempotency_level=IdempotencyLevel.UNKNOWN,
            stream_type=kind,
        )
        if kind is StreamType.UNARY:
            return Endpoint.unary(info, partial(_answer, expected.full_name))
        if kind is StreamType.SERVER_STREAM:
            return Endpoint.server_stream(info, partial(_answers, expected.full_name))
        return Endpoint.bidi_stream(info, _no_answers)


class _Application(ConnectASGIApplication[None]):
    path = "/"


class _Exchange:
    """An HTTP request and its call."""

    def __init__(self, scope: Scope, body: Body) -> None:
        self.scope = scope
        self.body = body
        self.call: HttpCall | None = None


_exchange: ContextVar[_Exchange] = ContextVar("http_exchange")
"""Exchange of the running task: Connect's library passes on neither scope nor body."""


async def _answer(message_type: str, request: Received, ctx: Context) -> Any:
    call = _current_call()
    call.deliver(partial(request.to_binary, message_type))
    return await call.next()


async def _answers(message_type: str, request: Received, ctx: Context) -> AsyncIterator[Any]:
    call = _current_call()
    call.deliver(partial(request.to_binary, message_type))
    while (answer := await call.next()) is not None:
        yield answer


def _no_answers(requests: AsyncIterator[Any], ctx: Context) -> AsyncIterator[Any]:
    """Stand for a method that streams both ways: `on_start` refuses it."""
    raise ConnectError(Code.UNIMPLEMENTED, _TWO_WAYS.format(ctx.method.name))


def _current_call() -> HttpCall:
    call = _exchange.get().call
    assert call is not None
    return call


def _with_plain_content_type(scope: Scope) -> Scope:
    """Return the request with its content-type in lower case, without parameters and once.

    Connect's library and the limit of JSON would read other spellings differently.
    """
    others = [header for header in scope["headers"] if header[0] != b"content-type"]
    plain = (b"content-type", content_type(scope).encode("latin-1"))
    return {**scope, "headers": [*others, plain]}


class _Details(grpc.HandlerCallDetails):
    def __init__(self, method: str, metadata: tuple[tuple[str, str], ...]) -> None:
        self.method = method
        self.invocation_metadata = metadata


def _details(scope: Scope) -> _Details:
    metadata = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
    )
    return _Details(scope["path"], metadata)
