"""What surrounds every call: refusal while draining, metrics, errors as statuses.

Knows calls and their outcomes; does not know what they ask. This is the one place where an
exception becomes a status, and where calls under way are counted.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from time import perf_counter
from traceback import format_tb
from typing import Any, Self

import grpc
import structlog
from grpc.aio import EOF, AbortError, ServerInterceptor, ServicerContext

from wordgate.errors import Unavailable
from wordgate.server.errors import is_expected, status_of
from wordgate.server.metrics import MessageCounts, Method, Metrics
from wordgate.server.serving import DRAINING
from wordgate.server.wire import tolerant, well_formed

Context = ServicerContext[Any, Any]

_OWN = "wordgate."
_KINDS = {
    (False, False): "unary",
    (True, False): "client_stream",
    (False, True): "server_stream",
    (True, True): "bidi_stream",
}
_HANDLERS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
_BEHAVIOURS = {
    "unary": "unary_unary",
    "client_stream": "stream_unary",
    "server_stream": "unary_stream",
    "bidi_stream": "stream_stream",
}
"""How grpc calls a handler's function, by the kind of its method."""

_CODES = {code: code.name.title().replace("_", "") for code in grpc.StatusCode} | {
    grpc.StatusCode.OK: "OK",
    grpc.StatusCode.CANCELLED: "Canceled",
}
"""The conventional spelling in metrics."""


class CallInterceptor(ServerInterceptor):
    """Wraps the handler of every method that the server knows."""

    def __init__(self, metrics: Metrics, draining: asyncio.Event) -> None:
        self._metrics = metrics
        self._draining = draining
        self._wrapped: dict[str, Any] = {}
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._log = structlog.get_logger()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of a method with everything around it; kept for the next call."""
        name = handler_call_details.method
        if name not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            self._wrapped[name] = self._wrap(handler, method_of(name, handler))
        return self._wrapped[name]

    async def wait_until_idle(self) -> None:
        """Return when no call of Wordgate's own services is under way."""
        await self._idle.wait()

    def _wrap(self, handler: Any, method: Method) -> Any:
        streams = handler.request_streaming, handler.response_streaming
        kind = _KINDS[streams]
        respond = _stream if handler.response_streaming else _answer
        behaviour = getattr(handler, _BEHAVIOURS[kind])
        counts = self._metrics.messages(method)
        return _HANDLERS[streams](
            partial(self._surround, method, partial(respond, behaviour, counts)),
            request_deserializer=tolerant(handler.request_deserializer, method),
            response_serializer=handler.response_serializer,
        )

    async def _surround(
        self,
        method: Method,
        respond: Callable[[Any, Context], Awaitable[Any]],
        request: Any,
        context: Context,
    ) -> Any:
        own = method.service.startswith(_OWN)
        began = perf_counter()
        self._metrics.started(method)
        self._count(own)
        code = grpc.StatusCode.INTERNAL
        try:
            if own and self._draining.is_set():
                raise Unavailable(DRAINING)
            response = await respond(request, context)
            code = grpc.StatusCode.OK
            return response
        except asyncio.CancelledError:
            code = _code_of_cancelled(context)
            raise
        except AbortError:
            code = context.code()
            raise
        except Exception as error:  # noqa: BLE001  every error has a status
            status = self._status(method, error)
            code = status.code
            await context.abort(status.code, status.details, status.trailing_metadata)
        finally:
            self._count(own, -1)
            self._metrics.handled(method, _CODES[code], perf_counter() - began)

    def _status(self, method: Method, error: Exception) -> grpc.Status:
        if not is_expected(error):
            # Its own words are left out: they may repeat a user's text.
            trace = "".join(format_tb(error.__traceback__))
            self._log.error(
                "internal error", method=method.name, error=type(error).__name__, trace=trace
            )
        return status_of(error)

    def _count(self, own: bool, change: int = 1) -> None:
        if not own:
            return
        self._under_way += change
        if self._under_way:
            self._idle.clear()
        else:
            self._idle.set()


Behaviour = Callable[[Any, Context], Any]


async def _answer(
    behaviour: Behaviour, counts: MessageCounts, request: Any, context: Context
) -> Any:
    response = await behaviour(_taken(request, counts, context), context)
    counts.sent()
    return response


async def _stream(
    behaviour: Behaviour, counts: MessageCounts, request: Any, context: Context
) -> None:
    """Have a behaviour answer: as a generator, or by itself through the context."""
    counted: Any = _CountedContext(context, counts)
    answers = behaviour(_taken(request, counts, context), counted)
    if inspect.isawaitable(answers):
        await answers
        return
    async with aclosing(answers):
        async for answer in answers:
            await counted.write(answer)


def _taken(request: Any, counts: MessageCounts, context: Context) -> Any:
    """The request, or the stream of them, counted. Raises `InvalidInput` where malformed."""
    if hasattr(request, "__aiter__"):
        return _Requests(context, counts)
    counts.received()
    return well_formed(request)


class _Requests:
    """The requests of a stream, counted; raises `InvalidInput` for malformed ones.

    Slim, as is the context: there may be thousands of streams in which nothing happens.
    """

    __slots__ = ("_context", "_counts")

    def __init__(self, context: Context, counts: MessageCounts) -> None:
        self._context = context
        self._counts = counts

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        request = await self._context.read()
        if request is EOF:
            raise StopAsyncIteration
        self._counts.received()
        return well_formed(request)


class _CountedContext:
    """A call's context that counts what is written."""

    __slots__ = ("_context", "_counts")

    def __init__(self, context: Context, counts: MessageCounts) -> None:
        self._context = context
        self._counts = counts

    async def write(self, message: Any) -> None:
        """Send a message of a stream."""
        await self._context.write(message)
        self._counts.sent()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def method_of(path: str, handler: Any) -> Method:
    """The method of a path `/package.Service/Method`."""
    service, _, name = path.removeprefix("/").rpartition("/")
    return Method(service, name, kind_of(handler.request_streaming, handler.response_streaming))


def kind_of(request_streaming: bool, response_streaming: bool) -> str:
    """The conventional label of a method's kind."""
    return _KINDS[request_streaming, response_streaming]


def _code_of_cancelled(context: Context) -> grpc.StatusCode:
    """Whether the caller gave up or its deadline passed: grpc cancels the call for both."""
    if context.time_remaining() == 0:
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return grpc.StatusCode.CANCELLED
