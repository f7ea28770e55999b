"""What surrounds every call: refusal while draining, metrics, errors as statuses.

Knows calls and their outcomes; does not know what they ask. This is the one place where an
exception becomes a status, and where calls under way are counted.
"""

import asyncio
import inspect
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from time import perf_counter
from traceback import format_tb
from typing import Any

import grpc
import structlog
from grpc.aio import AbortError, ServerInterceptor, ServicerContext

from wordgate.errors import Unavailable
from wordgate.server.errors import is_expected, status_of
from wordgate.server.metrics import Method, Metrics
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
        behaviour = self._streaming if handler.response_streaming else self._answering
        return _HANDLERS[streams](
            behaviour(handler, method),
            request_deserializer=tolerant(handler.request_deserializer, method),
            response_serializer=handler.response_serializer,
        )

    def _answering(self, handler: Any, method: Method) -> Any:
        behaviour = handler.stream_unary if handler.request_streaming else handler.unary_unary

        async def answer(request: Any, context: Context) -> Any:
            async def respond() -> Any:
                response = await behaviour(self._taken(request, method), context)
                self._metrics.sent(method)
                return response

            return await self._surround(method, context, respond)

        return answer

    def _streaming(self, handler: Any, method: Method) -> Any:
        behaviour = handler.stream_stream if handler.request_streaming else handler.unary_stream

        async def stream(request: Any, context: Context) -> None:
            async def respond() -> None:
                answers = behaviour(self._taken(request, method), context)
                if inspect.isawaitable(answers):
                    await answers
                    return
                async with aclosing(answers):
                    async for answer in answers:
                        await context.write(answer)
                        self._metrics.sent(method)

            await self._surround(method, context, respond)

        return stream

    async def _surround(
        self,
        method: Method,
        context: Context,
        respond: Callable[[], Awaitable[Any]],
    ) -> Any:
        own = method.service.startswith(_OWN)
        began = perf_counter()
        self._metrics.started(method)
        self._count(own)
        code = grpc.StatusCode.INTERNAL
        try:
            if own and self._draining.is_set():
                raise Unavailable(DRAINING)
            response = await respond()
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

    def _taken(self, request: Any, method: Method) -> Any:
        """The request, or the stream of them, counted. Raises `InvalidInput` where malformed."""
        if isinstance(request, AsyncIterable):
            return self._taken_stream(request, method)
        self._metrics.received(method)
        return well_formed(request)

    async def _taken_stream(self, requests: AsyncIterable[Any], method: Method) -> Any:
        async for request in requests:
            self._metrics.received(method)
            yield well_formed(request)

    def _count(self, own: bool, change: int = 1) -> None:
        if not own:
            return
        self._under_way += change
        if self._under_way:
            self._idle.clear()
        else:
            self._idle.set()


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
