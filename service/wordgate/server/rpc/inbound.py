"""Read request messages: silence, memory and parsing time are bounded before a message is parsed.

grpc hands over bytes. Messages of up to `SMALL_BYTES` are parsed at once. Larger ones are counted
as long as they are in use (`byte_budget`), and looked through before they are parsed (`wire`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

from google.protobuf.descriptor import Descriptor
from grpc.aio import EOF, ServicerContext

from wordgate.errors import DeadlineExceeded, InvalidInput
from wordgate.protocol.limits import Limits
from wordgate.server.rpc.time_slices import in_slices
from wordgate.server.rpc.wire_format import check_density, parsed
from wordgate.server.security.byte_budget import ByteBudget
from wordgate.server.telemetry.metrics import MessageCounts

SMALL_BYTES = 16 * 1024

_CROWDED_SILENCE_SECONDS = 2.0
"""How long a call may say nothing while `max_silent_calls` others say nothing."""

Context = ServicerContext[Any, Any]


class Inbound:
    """What all calls of a server share while their messages are read. Belongs to the event loop."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests = ByteBudget(limits.max_in_flight_bytes)
        self._silent_calls = 0

    @contextmanager
    def silent(self) -> Iterator[float]:
        """A call that has not sent a message, and for how many seconds it may go on so."""
        is_crowded = self._silent_calls >= self.limits.max_silent_calls
        most = self.limits.max_silence_seconds
        self._silent_calls += 1
        try:
            yield min(most, _CROWDED_SILENCE_SECONDS) if is_crowded else most
        finally:
            self._silent_calls -= 1


class MessageReader:
    """Reads the messages of one method."""

    def __init__(
        self,
        inbound: Inbound,
        parse: Callable[[bytes], Any],
        expected: Descriptor,
        counts: MessageCounts,
        max_bytes: int | None = None,
    ) -> None:
        """`max_bytes`: longest message, where it is less than the limit of all methods."""
        self._inbound = inbound
        self._parse = parse
        self._expected = expected
        self._max_bytes = max_bytes
        self.limits = inbound.limits
        self.counts = counts

    async def first(self, context: Context) -> Any:
        """The bytes of a call's first message, or EOF. Raises `DeadlineExceeded` if none comes."""
        with self._inbound.silent() as seconds:
            try:
                async with asyncio.timeout(seconds):
                    return await context.read()
            except TimeoutError:
                raise DeadlineExceeded(f"no message came within {seconds:g} seconds") from None

    @asynccontextmanager
    async def only(self, data: Any) -> AsyncIterator[Any]:
        """The only message of a call, in use until its answer is there, from its bytes.

        Raises `InvalidInput` where it is missing or malformed, `Overloaded` where there is no
        memory for it.
        """
        if data is EOF:
            raise InvalidInput("message", "is missing; this method takes one")
        size = len(data) if len(data) > SMALL_BYTES else 0
        self._inbound.requests.take(size)
        try:
            yield await self.message(data)
        finally:
            self._inbound.requests.free(size)

    async def first_of_stream(self, data: Any) -> Any:
        """The only message of a call that is answered by a stream, without what we do not know.

        A stream may last for days, so it holds no part of the budget. Raises as `only`.
        """
        async with self.only(data) as request:
            request.DiscardUnknownFields()
            return request

    async def message(self, data: bytes) -> Any:
        """The message of these bytes. Raises `InvalidInput`."""
        self.counts.received()
        if self._max_bytes is not None and len(data) > self._max_bytes:
            raise InvalidInput("message", f"has {len(data)} bytes; the limit is {self._max_bytes}")
        if len(data) > SMALL_BYTES:
            await in_slices(check_density(data, self._inbound.limits.max_message_bytes))
        return parsed(data, self._parse, self._expected)

    def stream(self, context: Context, first: Any, check: Callable[[], None]) -> "RequestStream":
        """The messages of a call whose first message has these bytes.

        `check` is called for each, and raises where no more are wanted.
        """
        return RequestStream(self, context, first, check)


class RequestStream:
    """The messages of a stream; raises `InvalidInput` for malformed ones.

    `size` has the bytes of the latest one. Slim, as is the context: there may be thousands of
    streams in which nothing happens.
    """

    __slots__ = ("_check", "_context", "_first", "_reader", "size")

    def __init__(
        self, reader: MessageReader, context: Context, first: Any, check: Callable[[], None]
    ) -> None:
        self.size = 0
        self._reader = reader
        self._check = check
        self._context = context
        self._first = first

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        data, self._first = self._first, None
        if data is None:
            data = await self._context.read()
        if data is EOF:
            raise StopAsyncIteration
        self._check()
        self.size = len(data)
        return await self._reader.message(data)
