"""Typing sessions of the asyncio client.

Users import `wordgate.client` and call `AsyncClient.typing_session`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Self

import grpc
import grpc.aio

from wordgate.api.v1 import prediction_pb2
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.errors import Unavailable, WordgateError
from wordgate.protocol.prediction import decode_prediction
from wordgate.text.normalization import require_unicode

_CROSSED = "Internal error from Core"
_STATUS_SECONDS = 0.25
_REFUSAL_SECONDS = 1.0


@dataclass(frozen=True)
class SessionUpdate:
    """Suggestions for the edit with this sequence number; a suggestion replaces `prefix`."""

    sequence: int
    prefix: str
    prediction: PredictionResult


class TypingSession:
    """A text that the client edits and the server answers with suggestions.

    Each edit supersedes the previous one. Iterating yields updates as they arrive, until the
    session ends; only one task at a time may read, by iterating or by `suggest`. If the server ends
    the session with an error, the next operation raises it: `InvalidInput`, `ModelNotFound`,
    `Overloaded` if too many sessions are open, or `Unavailable`. After `Unavailable`, open another
    session and send the text there.
    """

    def __init__(
        self,
        method: Any,
        configuration: prediction_pb2.SessionConfiguration,
        address: str,
        error_of: Callable[[Any], Awaitable[WordgateError]],
    ) -> None:
        self._method = method
        self._configuration = configuration
        self._address = address
        self._told = error_of
        self._sequence = 0

    async def send(self, text: str, cursor: int | None = None) -> int:
        """Replace the whole text; return the sequence number of the edit.

        `cursor` is a position in code points; the default is the end of the text. This and every
        other edit raises `InvalidInput` for text that is not valid Unicode, and the session's error
        if it has ended.
        """
        require_unicode(text, "text.text")
        return await self._send(text=prediction_pb2.SessionText(text=text, cursor=cursor))

    async def insert(self, text: str) -> int:
        """Insert a text at the cursor, and move the cursor behind it."""
        require_unicode(text, "insert.text")
        return await self._send(insert=prediction_pb2.Insert(text=text))

    async def delete(self, before: int = 0, after: int = 0) -> int:
        """Delete `before` code points before the cursor and `after` behind it."""
        return await self._send(delete=prediction_pb2.Delete(before=before, after=after))

    async def replace(self, start: int, end: int, text: str) -> int:
        """Replace the code points [start, end) with a text, and move the cursor behind it."""
        require_unicode(text, "replace.text")
        edit = prediction_pb2.TextEdit(start=start, end=end, text=text)
        return await self._send(replace=edit)

    async def move(self, position: int) -> int:
        """Move the cursor to a position in code points."""
        return await self._send(move=prediction_pb2.MoveCursor(position=position))

    async def accept(self, answer: SessionUpdate, suggestion: int = 0) -> int:
        """Accept a suggestion of the latest update, by index from 0.

        The suggestion, with a space where one belongs, replaces the update's `prefix`. The server
        ends the session with `InvalidInput` if the text has changed since that update.
        """
        taken = prediction_pb2.Accept(answer=answer.sequence, suggestion=suggestion)
        return await self._send(accept=taken)

    async def reset(self) -> int:
        """Clear the text."""
        return await self._send(reset=prediction_pb2.Reset())

    async def suggest(self, text: str) -> SessionUpdate:
        """Send a text and wait for its suggestions; skip those for earlier edits.

        Raises the errors of `send`, and `Unavailable` if the session ends without an answer.
        """
        return await self.wait_for(await self.send(text))

    async def wait_for(self, sequence: int) -> SessionUpdate:
        """Wait for the suggestions for a sequence number; skip earlier ones.

        Raises the errors of `suggest`.
        """
        async for answer in self:
            if answer.sequence >= sequence:
                return answer
        raise Unavailable(f"{self._address}: session ended without an answer; open another")

    async def done_writing(self) -> None:
        """Close the sending side; edits already sent are still answered."""
        await self._call.done_writing()

    async def __aiter__(self) -> AsyncIterator[SessionUpdate]:
        try:
            while (answer := await self._call.read()) is not grpc.aio.EOF:
                yield SessionUpdate(answer.sequence, answer.prefix, decode_prediction(answer))
        except grpc.RpcError:
            raise await self._why_ended() from None

    async def __aenter__(self) -> Self:
        self._call = self._method()
        await self._write(prediction_pb2.StreamPredictRequest(configuration=self._configuration))
        return self

    async def __aexit__(self, *error: object) -> None:
        self._call.cancel()

    async def _send(self, **event: Any) -> int:
        self._sequence += 1
        request = prediction_pb2.StreamPredictRequest(sequence=self._sequence, **event)
        await self._write(request)
        return self._sequence

    async def _write(self, request: prediction_pb2.StreamPredictRequest) -> None:
        try:
            await self._call.write(request)
        except (grpc.RpcError, asyncio.InvalidStateError):
            raise await self._why_ended() from None

    async def _why_ended(self) -> WordgateError:
        """Return the error with which the server ended the session.

        If a write races with the server's status, grpc.aio replaces the status with an error of its
        own. The status usually follows, without any notification; sometimes it is lost.
        """
        latest = monotonic() + _STATUS_SECONDS
        while await self._call.details() == _CROSSED:
            if monotonic() > latest:
                return await self._why_refused()
            await asyncio.sleep(0.005)
        return await self._error_of(self._call)

    async def _why_refused(self) -> WordgateError:
        """Open a second session without writing, to learn why the server rejects sessions."""
        call = self._method()
        try:
            async with asyncio.timeout(_REFUSAL_SECONDS):
                if await call.code() is not grpc.StatusCode.OK:
                    return await self._error_of(call)
        except TimeoutError:
            pass  # the second session is open: the lost status was specific to the first
        finally:
            call.cancel()
        return Unavailable(f"{self._address}: session ended; open another")

    async def _error_of(self, call: Any) -> WordgateError:
        code, details = await call.code(), await call.details()
        initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
        return await self._told(grpc.aio.AioRpcError(code, initial, trailing, details))
