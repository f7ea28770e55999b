"""A typing session of the asyncio client.

Knows the messages of a session and how it ends; does not know connections. `wordgate.client` is
what users import.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Self

import grpc
import grpc.aio

from wordgate.api.v1 import prediction_pb2
from wordgate.engine.results import PredictionResult
from wordgate.errors import Unavailable, WordgateError
from wordgate.protocol.prediction import decode_prediction
from wordgate.text.normalization import require_unicode

_CROSSED = "Internal error from Core"
_STATUS_SECONDS = 0.25
_REFUSAL_SECONDS = 1.0


@dataclass(frozen=True)
class SessionUpdate:
    """Suggestions for the text that was sent under this number; they replace `prefix`."""

    sequence: int
    prefix: str
    prediction: PredictionResult


class TypingSession:
    """A text that is edited, answered with suggestions; an edit supersedes the one before it.

    Iterating gives the answers as they come, until the session ends; one task at a time may read,
    by iterating or by `suggest`. What the server ends the session with is raised by whatever is
    done next: `InvalidInput`, `ModelNotFound`, `Overloaded` for one session too many, or
    `Unavailable`, after which the text can be sent in another session.
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
        """Replace the text, the cursor at its end unless told; the number of the answer to come.

        Raises `InvalidInput` for text that is not Unicode, and what the session has ended with; so
        do all that follow. Positions count code points.
        """
        require_unicode(text, "text.text")
        return await self._send(text=prediction_pb2.SessionText(text=text, cursor=cursor))

    async def insert(self, text: str) -> int:
        """Put a text at the cursor, which then stands behind it."""
        require_unicode(text, "insert.text")
        return await self._send(insert=prediction_pb2.Insert(text=text))

    async def delete(self, before: int = 0, after: int = 0) -> int:
        """Take away so much before the cursor and behind it."""
        return await self._send(delete=prediction_pb2.Delete(before=before, after=after))

    async def replace(self, start: int, end: int, text: str) -> int:
        """Put a text in the place of [start, end); the cursor then stands behind it."""
        require_unicode(text, "replace.text")
        edit = prediction_pb2.TextEdit(start=start, end=end, text=text)
        return await self._send(replace=edit)

    async def move(self, position: int) -> int:
        """Put the cursor elsewhere."""
        return await self._send(move=prediction_pb2.MoveCursor(position=position))

    async def accept(self, answer: SessionUpdate, suggestion: int = 0) -> int:
        """Take a suggestion, from 0, of the latest answer: it and a space replace what was typed.

        Raises `InvalidInput` where the text has changed since that answer.
        """
        taken = prediction_pb2.Accept(answer=answer.sequence, suggestion=suggestion)
        return await self._send(accept=taken)

    async def reset(self) -> int:
        """Empty the text."""
        return await self._send(reset=prediction_pb2.Reset())

    async def suggest(self, text: str) -> SessionUpdate:
        """Send a text and wait for its answer; answers to earlier texts are passed over.

        Raises as `send`; `Unavailable` if the session ends without the answer.
        """
        return await self.wait_for(await self.send(text))

    async def wait_for(self, sequence: int) -> SessionUpdate:
        """Wait for the answer under a number; answers before it are passed over. As `suggest`."""
        async for answer in self:
            if answer.sequence >= sequence:
                return answer
        raise Unavailable(f"{self._address} ended the session without an answer; open another")

    async def finish(self) -> None:
        """Say that no text follows; what is under way is still answered."""
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
        """What the server ended the session with.

        A write that crosses the server's status on its way makes grpc.aio put an error of its own
        in the status's place. As a rule the status follows, which nothing announces; sometimes it
        is lost for good.
        """
        latest = monotonic() + _STATUS_SECONDS
        while await self._call.details() == _CROSSED:
            if monotonic() > latest:
                return await self._why_refused()
            await asyncio.sleep(0.005)
        return await self._error_of(self._call)

    async def _why_refused(self) -> WordgateError:
        """What keeps a session from being opened, learned by another one that writes nothing."""
        call = self._method()
        try:
            async with asyncio.timeout(_REFUSAL_SECONDS):
                if await call.code() is not grpc.StatusCode.OK:
                    return await self._error_of(call)
        except TimeoutError:
            pass  # it is open: the one that was lost ended for a reason of its own
        finally:
            call.cancel()
        return Unavailable(f"{self._address} ended the session; open another")

    async def _error_of(self, call: Any) -> WordgateError:
        code, details = await call.code(), await call.details()
        initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
        return await self._told(grpc.aio.AioRpcError(code, initial, trailing, details))
