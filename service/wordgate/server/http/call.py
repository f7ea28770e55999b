"""One call over HTTP, in the role that grpc's servicer context has for a call over gRPC.

The interceptor of the gRPC server handles the call in a task of its own, so authentication, limits,
accounting, errors and metrics are the same. Connect's library drives the other side: it reads the
HTTP request, and asks for one response after the other.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.method import StreamType
from connectrpc.request import RequestContext
from grpc.aio import EOF, AbortError

from wordgate.errors import InvalidInput
from wordgate.protocol.status import Status
from wordgate.server.http.body import Body
from wordgate.server.http.connect_error import connect_error
from wordgate.server.http.handlers import Handler

_END = object()

_MAX_JSON_BYTES = 192 * 1024
"""Maximum size of a response's binary form that is written as JSON, which blocks the event loop for
about 20 ms."""

ToBinary = Callable[[], bytes]
"""Returns a request in the binary format of protobuf. Raises `InvalidInput`."""


class HttpCall:
    """A call with one request message; grpc's context for its handler."""

    def __init__(
        self, body: Body, http: RequestContext[Any, Any], refusal: Exception | None = None
    ) -> None:
        """`http`: its headers and deadline. `refusal`: raised instead of reading the request."""
        self._body = body
        self._http = http
        timeout_ms = http.timeout_ms
        self._ends_at = None if timeout_ms is None else monotonic() + timeout_ms / 1000
        self._refusal = refusal
        self._is_json = "json" in http.request_headers.get("content-type", "")
        loop = asyncio.get_running_loop()
        self._request: asyncio.Future[ToBinary] = loop.create_future()
        self._is_read = False
        self._is_answered = False
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        self._taken: asyncio.Future[None] | None = None
        self._status: Status | None = None
        self._task: asyncio.Task[Any] | None = None
        self._body_read = asyncio.Event()

    # For Connect's library.

    async def begin(self, handler: Handler) -> None:
        """Start the call, and return once its body has arrived.

        Raises `ConnectError` if the call ends before that.
        """
        handle: Any = handler.stream_stream or handler.stream_unary
        self._task = asyncio.create_task(handle(None, self))
        self._task.add_done_callback(self._ended)
        await self._body_read.wait()
        if self._task.done():
            raise self._error() or ConnectError(Code.INTERNAL, "call ended without its request")

    @property
    def waits_for_request(self) -> bool:
        """Whether the call is in progress and its request is not delivered."""
        return self._task is not None and not self._task.done() and not self._request.done()

    def deliver(self, request: ToBinary) -> None:
        """Pass the request to the handler of the call."""
        if not self._request.done():
            self._request.set_result(request)

    async def next(self) -> Any:
        """Return the next response, or None after the last one. Raises `ConnectError`.

        Also tells the handler that the previous response is sent.
        """
        self._acknowledge()
        answer = await self._answers.get()
        if answer is not _END:
            self._is_answered = True
            return answer
        error = self._error()
        if error is not None:
            raise error
        assert self._task is not None
        return self._task.result()

    async def close(self, *, is_sent: bool) -> None:
        """End the call. `is_sent`: a whole response is sent, though perhaps not the call's own."""
        if self._task is None:
            return
        has_time = self.time_remaining() != 0
        if is_sent and self._is_answered and self._http.method.stream_type is StreamType.UNARY:
            self._acknowledge()
        elif is_sent and has_time and not self._request.done():
            malformed = InvalidInput("message", "is not framed as its content-type demands")
            self._request.set_exception(malformed)
        else:
            self._task.cancel()
        await asyncio.wait({self._task})
        if self._request.done() and not self._request.cancelled():
            self._request.exception()  # asyncio would log an error that no handler has read

    # For the handler: the part of grpc's context that handlers use.

    async def read(self) -> Any:
        """Return the bytes of the request, then EOF.

        Raises `InvalidInput` for a body that is too large or malformed, and `CancelledError` if the
        client disconnects.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._is_read:
            return EOF
        self._is_read = True
        with self._body.reserved():
            await self._body.read()
            self._body_read.set()
            to_binary = await self._request
            return to_binary()

    async def write(self, message: Any) -> None:
        """Send a response, and return when the next one can be sent.

        Raises `InvalidInput` for a response that is too large to be written as JSON.
        """
        if self._is_json and message.ByteSize() > _MAX_JSON_BYTES:
            problem = f"asks for a response of {message.ByteSize()} bytes, but JSON is limited to "
            problem += f"{_MAX_JSON_BYTES}; ask for less, or send application/proto"
            raise InvalidInput("message", problem)
        self._taken = asyncio.get_running_loop().create_future()
        self._answers.put_nowait(message)
        await self._taken

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: tuple[tuple[str, str | bytes], ...] = (),
    ) -> None:
        """End the call with a status. Raises `AbortError`."""
        self._status = Status(code, details, trailing_metadata)
        raise AbortError("aborted")

    def code(self) -> grpc.StatusCode:
        """Return the status code of an aborted call."""
        return self._status.code if self._status else grpc.StatusCode.OK

    def time_remaining(self) -> float | None:
        """Return the seconds until the deadline; None if there is none."""
        return None if self._ends_at is None else max(0.0, self._ends_at - monotonic())

    def _acknowledge(self) -> None:
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._body_read.set()
        self._answers.put_nowait(_END)

    def _error(self) -> ConnectError | None:
        assert self._task is not None
        if self._status is not None:
            return connect_error(self._status, self._http)
        if self._task.cancelled():
            return ConnectError(Code.CANCELED, "call cancelled")
        if self._task.exception() is not None:
            return ConnectError(Code.INTERNAL, "internal error")
        return None
