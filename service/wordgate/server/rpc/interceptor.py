"""Interceptor for all calls: authentication, limits, metrics, and errors as gRPC statuses.

This is the only place where exceptions become statuses and where calls in progress are counted.
Messages are read here, not by grpc, so unauthenticated calls are rejected before their message is
read, and silent calls time out.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter
from typing import Any

import grpc
from grpc.aio import AbortError, InternalError, ServerInterceptor
from grpc_health.v1.health import SERVICE_NAME as HEALTH_NAME

from wordgate.errors import (
    InvalidInput,
    Overloaded,
    OverloadReason,
    Unauthenticated,
    Unavailable,
    WordgateError,
    drop_traceback,
)
from wordgate.protocol.limits import Limits
from wordgate.protocol.status import DRAINING, Status, encode_error, is_expected
from wordgate.server.rpc.access_log import CallLog
from wordgate.server.rpc.inbound import Context, Inbound, MessageReader
from wordgate.server.rpc.invocation import invocation, is_written
from wordgate.server.rpc.wire_format import request_type
from wordgate.server.security.authentication import Authenticator, current_principal
from wordgate.server.security.byte_budget import ByteBudget
from wordgate.server.security.concurrency_limit import CALL_RETRY_SECONDS, ConcurrencyLimit
from wordgate.server.telemetry.metrics import Method, Metrics
from wordgate.server.telemetry.request_id import RequestId, current_call, request_id_of
from wordgate.server.telemetry.tracing import Tracer, current_span

_OWN = "wordgate."
_MAX_WATCH_BYTES = 4096
"""Message size limit for health checking and reflection, whose messages contain only names."""

_DEADLINE_SLACK_SECONDS = 0.05
_WATCHING = {"server_stream", "bidi_stream"}
_HEADER_BYTES = 32
"""Overhead counted per header in addition to its name and value (RFC 9113, 6.5.2)."""

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
"""Handler types by whether the response is a stream. Requests are always streams to grpc, so that
this package reads them."""

_CODES = {code: code.name.title().replace("_", "") for code in grpc.StatusCode} | {
    grpc.StatusCode.OK: "OK",
    grpc.StatusCode.CANCELLED: "Canceled",
}
"""Conventional spelling of status codes in metrics."""


class CallInterceptor(ServerInterceptor):
    """Wraps the handler of every registered method."""

    def __init__(
        self,
        metrics: Metrics,
        draining: asyncio.Event,
        limits: Limits | None = None,
        callers: Authenticator | None = None,
        call_log: CallLog | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """With `callers`, all calls except health checks must be authenticated."""
        self._metrics = metrics
        self._draining = draining
        self._limits = limits or Limits()
        self._callers = callers
        self._wrapped: dict[str, tuple[Method, Any]] = {}
        self._inbound = Inbound(self._limits)
        self._open = 0
        self._in_progress = ConcurrencyLimit(
            self._limits.max_concurrent_rpcs,
            "overloaded: {most} calls in progress; retry after {retry:g} s",
            OverloadReason.CALLS,
            CALL_RETRY_SECONDS,
        )
        self._watches = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._call_log = call_log or CallLog()
        self._tracer = tracer

    @property
    def limits(self) -> Limits:
        """Limits of calls."""
        return self._limits

    @property
    def request_bytes(self) -> ByteBudget:
        """Memory budget of requests in progress."""
        return self._inbound.requests

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the wrapped handler of a method, which is cached for the next call."""
        name = handler_call_details.method
        if name not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            method = method_of(name, handler)
            self._wrapped[name] = method, self._wrap(handler, method)
        method, wrapped = self._wrapped[name]
        metadata = handler_call_details.invocation_metadata
        call = request_id_of(metadata)
        current_call.set(call)
        size = _size_of(metadata)
        if size > self._limits.max_header_bytes:
            problem = f"has {size} bytes; the limit is {self._limits.max_header_bytes}"
            return self._reject(method, InvalidInput("metadata", problem))
        if method.service == HEALTH_NAME:
            return wrapped
        if self._callers is not None:
            try:
                current_principal.set(self._callers.of(metadata))
            except Unauthenticated as error:
                return self._reject(method, error)
        if self._tracer is not None:
            caller = current_principal.get()
            token = None if caller is None else caller.token.name
            current_span.set(self._tracer.begin(method, metadata, call, token))
        return wrapped

    async def wait_until_idle(self) -> None:
        """Return when no call of Wordgate's own services is open."""
        await self._idle.wait()

    def _wrap(self, handler: Any, method: Method) -> Any:
        reader = MessageReader(
            self._inbound,
            handler.request_deserializer,
            request_type(method),
            self._metrics.messages(method),
            None if _is_own(method) else _MAX_WATCH_BYTES,
        )
        invoke = invocation(handler, method, reader)
        return _HANDLERS[is_written(handler, method)](
            partial(self._handle, method, partial(self._respond, method, reader, invoke)),
            request_deserializer=None,
            response_serializer=handler.response_serializer,
        )

    def _reject(self, method: Method, error: WordgateError) -> Any:
        """Return a handler that rejects a call of any kind without reading its messages."""

        async def refuse(context: Context) -> None:
            raise error

        return grpc.stream_stream_rpc_method_handler(partial(self._handle, method, refuse))

    async def _handle(
        self,
        method: Method,
        respond: Callable[[Context], Awaitable[Any]],
        grpc_requests: Any,
        context: Context,
    ) -> Any:
        own = _is_own(method)
        began = perf_counter()
        self._metrics.started(method)
        self._count_open(own, 1)
        code = grpc.StatusCode.INTERNAL
        try:
            response = await respond(context)
            code = grpc.StatusCode.OK
            return response
        except asyncio.CancelledError as error:
            code = _code_of_cancelled(context)
            drop_traceback(error)
            raise
        except AbortError:
            code = context.code()
        except InternalError as error:  # grpc raises it if the client disconnects during a write
            code = grpc.StatusCode.CANCELLED
            drop_traceback(error)
            raise asyncio.CancelledError from None
        except Exception as error:  # noqa: BLE001  every error has a status
            status = self._status(method, error)
            code = status.code
            drop_traceback(error)
            await _abort(context, status)
        finally:
            self._count_open(own, -1)
            seconds = perf_counter() - began
            self._metrics.handled(method, _CODES[code], seconds)
            self._call_log.finished(method, _CODES[code], seconds)
            if (span := current_span.get()) is not None:
                span.finish(code)

    async def _respond(
        self,
        method: Method,
        reader: MessageReader,
        respond: Callable[[Any, Context], Awaitable[Any]],
        context: Context,
    ) -> Any:
        """Answer a call after its first message. Raises `Unavailable` and `Overloaded`."""
        if not _is_own(method):
            async with self._watch(method):
                return await respond(await reader.first(context), context)
        if self._draining.is_set():
            raise Unavailable(DRAINING)
        first = await reader.first(context)
        with self._in_progress:
            return await respond(first, context)

    @asynccontextmanager
    async def _watch(self, method: Method) -> AsyncIterator[None]:
        """Count a stream of health checking or reflection, and limit its lifetime.

        Raises `Unavailable` after the maximum lifetime of a session. Raises `NotImplementedError`
        above the limit of streams: it becomes UNIMPLEMENTED, upon which gRPC clients use the server
        without watching its health.
        """
        if method.kind not in _WATCHING:
            yield
            return
        if self._watches >= self._limits.max_watch_streams:
            raise NotImplementedError(f"overloaded: {self._watches} streams open; retry later")
        self._watches += 1
        try:
            async with asyncio.timeout(self._limits.max_session_seconds):
                yield
        except TimeoutError:
            lifetime = self._limits.max_session_seconds
            problem = f"stream lifetime of {lifetime} s exceeded; open a new stream"
            raise Unavailable(problem) from None
        finally:
            self._watches -= 1

    def _status(self, method: Method, error: Exception) -> Status:
        if not is_expected(error):
            self._call_log.failed(method, error)
            if (span := current_span.get()) is not None:
                span.failed(error)
        if isinstance(error, Overloaded) and error.excess:
            self._metrics.rejected(error.excess)
        call = current_call.get() or RequestId()
        return encode_error(error, call.request_id)

    def _count_open(self, own: bool, change: int) -> None:
        if not own:
            return
        self._open += change
        if self._open:
            self._idle.clear()
        else:
            self._idle.set()


def _is_own(method: Method) -> bool:
    return method.service.startswith(_OWN)


async def _abort(context: Context, status: Status) -> None:
    """End a call with a status. Raises `CancelledError` if the call has already ended in grpc.

    grpc raises its `AbortError` again after the handler has returned. If the handler did not catch
    it, its traceback would keep the frames in memory until the next garbage collection.
    """
    try:
        await context.abort(status.code, status.details, status.trailing_metadata)
    except AbortError as error:
        drop_traceback(error)
    except InternalError:
        raise asyncio.CancelledError from None


def _size_of(metadata: Any) -> int:
    """Return the size of headers as HTTP/2 counts it.

    gRPC enforces its own limit only after the client has acknowledged it.
    """
    return sum(len(name) + len(value) + _HEADER_BYTES for name, value in metadata)


def method_of(path: str, handler: Any) -> Method:
    """Return the method of a path `/package.Service/Method`."""
    service, _, name = path.removeprefix("/").rpartition("/")
    return Method(service, name, kind_of(handler.request_streaming, handler.response_streaming))


def kind_of(request_streaming: bool, response_streaming: bool) -> str:
    """Return the conventional label of a method's kind."""
    return _KINDS[request_streaming, response_streaming]


def _code_of_cancelled(context: Context) -> grpc.StatusCode:
    """Return CANCELLED or DEADLINE_EXCEEDED: grpc cancels the call in both cases.

    A client's deadline passes a little before the server's, which starts when the call arrives.
    """
    remaining: float | None = context.time_remaining()
    if remaining is not None and remaining < _DEADLINE_SLACK_SECONDS:
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return grpc.StatusCode.CANCELLED
