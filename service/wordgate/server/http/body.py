"""Read the body of an HTTP request with bounded memory."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Message, Receive

from wordgate.errors import InvalidInput
from wordgate.server.rpc.inbound import SMALL_BYTES
from wordgate.server.security.byte_budget import ByteBudget, Reservation


class Body:
    """The body of one request. While it arrives, it counts towards the budget of messages."""

    def __init__(self, receive: Receive, budget: ByteBudget, max_bytes: int) -> None:
        self._receive = receive
        self._reservation = Reservation(budget)
        self._max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self._size = 0
        self._is_read = False
        self._is_passed_on = False

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Return the bytes to the budget at the end of the context."""
        try:
            yield
        finally:
            self._reservation.resize(0)
            self._chunks.clear()

    async def read(self) -> None:
        """Read the whole body.

        Raises `InvalidInput` if it is too large, `Overloaded` if there is no memory for it, and
        `CancelledError` if the client disconnects.
        """
        while not self._is_read:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise asyncio.CancelledError
            self._add(message.get("body", b""))
            self._is_read = not message.get("more_body", False)

    async def receive(self) -> Message:
        """Return the body as one ASGI event; later events come from the connection."""
        if self._is_read and not self._is_passed_on:
            self._is_passed_on = True
            return {"type": "http.request", "body": b"".join(self._chunks), "more_body": False}
        return await self._receive()

    def _add(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._max_bytes:
            raise InvalidInput("message", f"has more than {self._max_bytes} bytes; send less")
        if self._size > SMALL_BYTES:
            self._reservation.resize(self._size)
        self._chunks.append(chunk)
