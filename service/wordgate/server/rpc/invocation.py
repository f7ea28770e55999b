"""Invoke the handler of a method: read its requests, run its behaviour, send its responses."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import (
    AbstractAsyncContextManager,
    aclosing,
    asynccontextmanager,
    nullcontext,
)
from functools import partial
from typing import Any

from wordgate.server.rpc.inbound import Context, MessageReader
from wordgate.server.security.authentication import current_principal
from wordgate.server.telemetry.metrics import MessageCounts, Method

_UNREAD_SECONDS = 10.0
"""Timeout for a client to read a unary response."""

_LARGE_ANSWERS = {"wordgate.v1.ModelService", "wordgate.v1.ScoringService"}

_BEHAVIOURS = {
    "unary": "unary_unary",
    "client_stream": "stream_unary",
    "server_stream": "unary_stream",
    "bidi_stream": "stream_stream",
}
"""Attribute of a grpc handler with its function, by the kind of the method."""

Behaviour = Callable[[Any, Any], Any]
Reading = Callable[[MessageReader, Any, Context], AbstractAsyncContextManager[Any]]
"""Provides a behaviour's request argument: the only message of a call, or its message stream."""


def is_written(handler: Any, method: Method) -> bool:
    """Return whether responses are written to the context; a small response is returned."""
    return bool(handler.response_streaming) or method.service in _LARGE_ANSWERS


def invocation(
    handler: Any, method: Method, reader: MessageReader
) -> Callable[[Any, Context], Awaitable[Any]]:
    """Return a function that answers a call of a method, given its first message."""
    respond = _answer
    if handler.response_streaming:
        respond = _stream
    elif is_written(handler, method):
        respond = _written
    behaviour = getattr(handler, _BEHAVIOURS[method.kind])
    return partial(respond, behaviour, _READINGS[method.kind], reader)


async def _answer(
    behaviour: Behaviour, reading: Reading, reader: MessageReader, first: Any, context: Context
) -> Any:
    async with reading(reader, first, context) as request:
        response = await behaviour(request, context)
        reader.counts.sent()
        return response


async def _written(
    behaviour: Behaviour, reading: Reading, reader: MessageReader, first: Any, context: Context
) -> None:
    """Same as `_answer`, but the call lasts until its answer, which may be large, is sent."""
    async with reading(reader, first, context) as request:
        response = await behaviour(request, context)
        await _write(context, response, _UNREAD_SECONDS)
        reader.counts.sent()


async def _write(context: Context, message: Any, seconds: float) -> None:
    """Send a message. Raises `CancelledError` if the client does not read it in time.

    grpc then resets the call, because a status could not be sent either.
    """
    try:
        async with asyncio.timeout(seconds):
            await context.write(message)
    except TimeoutError:
        raise asyncio.CancelledError from None


async def _stream(
    behaviour: Behaviour, reading: Reading, reader: MessageReader, first: Any, context: Context
) -> None:
    """Run a behaviour that yields its answers, or that writes them to the context itself."""
    caller = current_principal.get()
    counted: Any = _CountedContext(context, reader.counts, reader.limits.max_unread_seconds)
    with caller.usage.streams if caller else nullcontext():
        async with reading(reader, first, context) as request:
            answers = behaviour(request, counted)
            del request
            if inspect.isawaitable(answers):
                await answers
                return
            async with aclosing(answers):
                async for answer in answers:
                    _check_caller()
                    await counted.write(answer)


def _only(reader: MessageReader, first: Any, context: Context) -> Any:
    return reader.only(first)


@asynccontextmanager
async def _first_of_stream(
    reader: MessageReader, first: Any, context: Context
) -> AsyncIterator[Any]:
    yield await reader.first_of_stream(first)


@asynccontextmanager
async def _stream_of(reader: MessageReader, first: Any, context: Context) -> AsyncIterator[Any]:
    yield reader.stream(context, first, _check_caller)


_READINGS: dict[str, Reading] = {
    "unary": _only,
    "client_stream": _stream_of,
    "server_stream": _first_of_stream,
    "bidi_stream": _stream_of,
}


class _CountedContext:
    """A call's context that counts written messages and ends calls whose client does not read."""

    __slots__ = ("_context", "_counts", "_seconds")

    def __init__(self, context: Context, counts: MessageCounts, seconds: float) -> None:
        self._context = context
        self._counts = counts
        self._seconds = seconds

    async def write(self, message: Any) -> None:
        """Send and count a message of a stream."""
        await _write(self._context, message, self._seconds)
        self._counts.sent()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _check_caller() -> None:
    """Raise `Unauthenticated` if the token of the call has been revoked since the call began."""
    caller = current_principal.get()
    if caller is not None:
        caller.check()
