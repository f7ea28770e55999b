"""What surrounds every call: who asks, refusals, metrics, errors as statuses.

Knows calls and their outcomes; does not know what they ask. This is the one place where an
exception becomes a status, and where calls under way are counted. Messages are read here, not by
grpc, so a caller without a token is refused before his message is looked at, and one who says
nothing is told so.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import aclosing, nullcontext
from functools import partial
from time import perf_counter
from typing import Any, Self

import grpc
from grpc.aio import EOF, AbortError, InternalError, ServerInterceptor, ServicerContext
from grpc_health.v1.health import SERVICE_NAME as HEALTH_NAME

from wordgate.errors import (
    DeadlineExceeded,
    Excess,
    InvalidInput,
    Overloaded,
    Unauthenticated,
    Unavailable,
    WordgateError,
)
from wordgate.server.call_log import CallLog
from wordgate.server.callers import Callers, current_caller
from wordgate.server.calls import Call, call_of, current_call
from wordgate.server.errors import Status, is_expected, status_of
from wordgate.server.limits import Limits
from wordgate.server.metrics import MessageCounts, Method, Metrics
from wordgate.server.serving import DRAINING
from wordgate.server.spans import Tracer, current_span
from wordgate.server.wire import tolerant, well_formed

Context = ServicerContext[Any, Any]

_OWN = "wordgate."
_RETRY_AFTER_SECONDS = 1.0
_HEADER_BYTES = 32
"""What a header counts beside its name and value (RFC 9113, 6.5.2)."""

_KINDS = {
    (False, False): "unary",
    (True, False): "client_stream",
    (False, True): "server_stream",
    (True, True): "bidi_stream",
}
_HANDLERS = {
    False: grpc.stream_unary_rpc_method_handler,
    True: grpc.stream_stream_rpc_method_handler,
}
"""By whether the response is a stream. The request always is: then we read it."""

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

    def __init__(
        self,
        metrics: Metrics,
        draining: asyncio.Event,
        limits: Limits | None = None,
        callers: Callers | None = None,
        call_log: CallLog | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """With `callers`, only they are answered; anybody may ask for the health."""
        self._metrics = metrics
        self._draining = draining
        self._limits = limits or Limits()
        self._callers = callers
        self._wrapped: dict[str, tuple[Method, Any]] = {}
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._call_log = call_log or CallLog()
        self._tracer = tracer

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
            method = method_of(name, handler)
            self._wrapped[name] = method, self._wrap(handler, method)
        method, wrapped = self._wrapped[name]
        metadata = handler_call_details.invocation_metadata
        call = call_of(metadata)
        current_call.set(call)
        size = _size_of(metadata)
        if size > self._limits.max_header_bytes:
            problem = f"has {size} bytes; the limit is {self._limits.max_header_bytes}"
            return self._refusal(method, InvalidInput("metadata", problem))
        if method.service == HEALTH_NAME:
            return wrapped
        if self._callers is not None:
            try:
                current_caller.set(self._callers.of(metadata))
            except Unauthenticated as error:
                return self._refusal(method, error)
        if self._tracer is not None:
            current_span.set(self._tracer.begin(method, metadata, call))
        return wrapped

    async def wait_until_idle(self) -> None:
        """Return when no call of Wordgate's own services is under way."""
        await self._idle.wait()

    def _wrap(self, handler: Any, method: Method) -> Any:
        respond = _stream if handler.response_streaming else _answer
        behaviour = getattr(handler, _BEHAVIOURS[method.kind])
        reading = partial(
            _requests if handler.request_streaming else _request,
            self._metrics.messages(method),
            self._limits.max_silence_seconds,
        )
        return _HANDLERS[handler.response_streaming](
            partial(self._surround, method, partial(respond, behaviour, reading)),
            request_deserializer=tolerant(handler.request_deserializer, method),
            response_serializer=handler.response_serializer,
        )

    def _refusal(self, method: Method, error: WordgateError) -> Any:
        """A handler that refuses a call, whatever its kind, without reading anything."""

        async def refuse(context: Context) -> None:
            raise error

        return grpc.stream_stream_rpc_method_handler(partial(self._surround, method, refuse))

    async def _surround(
        self,
        method: Method,
        respond: Callable[[Context], Awaitable[Any]],
        grpc_requests: Any,
        context: Context,
    ) -> Any:
        own = method.service.startswith(_OWN)
        began = perf_counter()
        self._metrics.started(method)
        self._count(own)
        code = grpc.StatusCode.INTERNAL
        try:
            if own:
                self._check_open()
            response = await respond(context)
            code = grpc.StatusCode.OK
            return response
        except asyncio.CancelledError:
            code = _code_of_cancelled(context)
            raise
        except AbortError:
            code = context.code()
            raise
        except InternalError:  # grpc's word for a caller who went while he was written to
            code = grpc.StatusCode.CANCELLED
            raise asyncio.CancelledError from None
        except Exception as error:  # noqa: BLE001  every error has a status
            status = self._status(method, error)
            code = status.code
            await _abort(context, status)
        finally:
            self._count(own, -1)
            seconds = perf_counter() - began
            self._metrics.handled(method, _CODES[code], seconds)
            self._call_log.finished(method, _CODES[code], seconds)
            if (span := current_span.get()) is not None:
                span.finish(code)

    def _check_open(self) -> None:
        """Raise what keeps any call out now: that the server drains, or has too much to do."""
        if self._draining.is_set():
            raise Unavailable(DRAINING)
        if self._under_way > self._limits.max_calls:
            problem = f"{self._limits.max_calls} calls are under way; try again soon"
            raise Overloaded(problem, _RETRY_AFTER_SECONDS, Excess.CALLS)

    def _status(self, method: Method, error: Exception) -> Status:
        if not is_expected(error):
            self._call_log.failed(method, error)
            if (span := current_span.get()) is not None:
                span.failed(error)
        if isinstance(error, Overloaded) and error.excess:
            self._metrics.refused(error.excess)
        call = current_call.get() or Call()
        return status_of(error, call.request_id)

    def _count(self, own: bool, change: int = 1) -> None:
        if not own:
            return
        self._under_way += change
        if self._under_way:
            self._idle.clear()
        else:
            self._idle.set()


async def _abort(context: Context, status: Status) -> None:
    """End a call with a status; cancelled where the caller has gone, or grpc refused him itself."""
    try:
        await context.abort(status.code, status.details, status.trailing_metadata)
    except InternalError:
        raise asyncio.CancelledError from None


Behaviour = Callable[[Any, Any], Any]
Reading = Callable[[Context], Awaitable[tuple[Any, MessageCounts]]]
"""Answers the request, or the stream of them, and where messages are counted."""


async def _answer(behaviour: Behaviour, reading: Reading, context: Context) -> Any:
    request, counts = await reading(context)
    response = await behaviour(request, context)
    counts.sent()
    return response


async def _stream(behaviour: Behaviour, reading: Reading, context: Context) -> None:
    """Have a behaviour answer: as a generator, or by itself through the context."""
    caller = current_caller.get()
    with caller.usage.stream() if caller else nullcontext():
        request, counts = await reading(context)
        counted: Any = _CountedContext(context, counts)
        answers = behaviour(request, counted)
        if inspect.isawaitable(answers):
            await answers
            return
        async with aclosing(answers):
            async for answer in answers:
                _check_caller()
                await counted.write(answer)


async def _request(
    counts: MessageCounts, silence_seconds: float, context: Context
) -> tuple[Any, MessageCounts]:
    """The only message of a call. Raises `InvalidInput` where it is missing or malformed."""
    request = await _first(context, silence_seconds)
    if request is EOF:
        raise InvalidInput("message", "is missing; this method takes one")
    counts.received()
    return well_formed(request), counts


async def _requests(
    counts: MessageCounts, silence_seconds: float, context: Context
) -> "tuple[_Requests, MessageCounts]":
    return _Requests(context, counts, silence_seconds), counts


async def _first(context: Context, silence_seconds: float) -> Any:
    """The first message of a call. Raises `DeadlineExceeded` when none comes."""
    try:
        async with asyncio.timeout(silence_seconds):
            return await context.read()
    except TimeoutError:
        raise DeadlineExceeded(f"no message came within {silence_seconds:g} seconds") from None


class _Requests:
    """The requests of a stream, counted; raises `InvalidInput` for malformed ones.

    Slim, as is the context: there may be thousands of streams in which nothing happens.
    """

    __slots__ = ("_context", "_counts", "_silence_seconds")

    def __init__(self, context: Context, counts: MessageCounts, silence_seconds: float) -> None:
        self._context = context
        self._counts = counts
        self._silence_seconds: float | None = silence_seconds

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        request = await self._read()
        if request is EOF:
            raise StopAsyncIteration
        self._counts.received()
        _check_caller()
        return well_formed(request)

    async def _read(self) -> Any:
        if self._silence_seconds is None:
            return await self._context.read()
        silence_seconds, self._silence_seconds = self._silence_seconds, None
        return await _first(self._context, silence_seconds)


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


def _size_of(metadata: Any) -> int:
    """As HTTP/2 counts headers. gRPC's own limit holds only when a client has acknowledged it."""
    return sum(len(name) + len(value) + _HEADER_BYTES for name, value in metadata)


def _check_caller() -> None:
    """Raise `Unauthenticated` when the token of the call was revoked meanwhile."""
    caller = current_caller.get()
    if caller is not None:
        caller.check()


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
