"""Read request messages with bounded waiting time, memory and parsing time.

grpc delivers raw bytes. Messages of up to `SMALL_BYTES` are parsed at once. Larger ones count
towards a memory budget while they are in use (`byte_budget`), and are checked before they are
parsed (`wire_format`).
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
"""First-message timeout while more than `max_silent_calls` calls have sent no message."""

Context = ServicerContext[Any, Any]


class Inbound:
    """State shared by all calls of a server for reading messages. For the event loop only."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests = ByteBudget(limits.max_in_flight_bytes)
        self._silent_calls = 0

    @contextmanager
    def silent(self) -> Iterator[float]:
        """Count a call without a first message; yield its first-message timeout in seconds."""
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
        """`max_bytes`: message size limit, if it is below the limit for all methods."""
        self._inbound = inbound
        self._parse = parse
        self._expected = expected
        self._max_bytes = max_bytes
        self.limits = inbound.limits
        self.counts = counts

    async def first(self, context: Context) -> Any:
        """Return the bytes of a call's first message, or EOF.

        Raises `DeadlineExceeded` if no message arrives in time.
        """
        with self._inbound.silent() as seconds:
            try:
                async with asyncio.timeout(seconds):
                    return await context.read()
            except TimeoutError:
                raise DeadlineExceeded(f"no message received within {seconds:g} s") from None

    @asynccontextmanager
    async def only(self, data: Any) -> AsyncIterator[Any]:
        """Parse the only message of a call. It counts as in use until its answer is computed.

        Raises `InvalidInput` if the message is missing or malformed, and `Overloaded` if there is
        no memory for it.
        """
        if data is EOF:
            raise InvalidInput("message", "is missing; send one")
        size = len(data) if len(data) > SMALL_BYTES else 0
        self._inbound.requests.take(size)
        try:
            yield await self.message(data)
        finally:
            self._inbound.requests.free(size)

    async def first_of_stream(self, data: Any) -> Any:
        """Parse the only message of a call with a streaming response, without unknown fields.

        A stream may last for days, so its message does not count towards the memory budget. Raises
        the errors of `only`.
        """
        async with self.only(data) as request:
            request.DiscardUnknownFields()
            return request

    async def message(self, data: bytes) -> Any:
        """Parse a message. Raises `InvalidInput`."""
        self.counts.received()
        if self._max_bytes is not None and len(data) > self._max_bytes:
            raise InvalidInput("message", f"has {len(data)} bytes; the limit is {self._max_bytes}")
        if len(data) > SMALL_BYTES:
            await in_slices(check_density(data, self._inbound.limits.max_message_bytes))
        return parsed(data, self._parse, self._expected)

    def stream(self, context: Context, first: Any, check: Callable[[], None]) -> "RequestStream":
        """Return the messages of a call; `first` has the bytes of the first one.

        `check` is called for each message and raises an error to end the stream.
        """
        return RequestStream(self, context, first, check)


class RequestStream:
    """Request messages of a stream. Raises `InvalidInput` for malformed ones.

    `size` is the size of the latest message in bytes. The object is kept small because there may be
    thousands of idle streams.
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
