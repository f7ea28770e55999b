"""A typing session: a configuration, then the text as it grows.

Knows the order of messages and which text is to be answered; does not know how suggestions are
found. Answers are a pure function of the configuration and the text: nothing else is kept.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from wordgate.api.v1.prediction_pb2 import StreamPredictRequest, StreamPredictResponse
from wordgate.core.asks import Asks
from wordgate.core.prediction import Query, split_typed
from wordgate.engine.answers import PredictionAnswer
from wordgate.engine.scheduler import Urgency
from wordgate.errors import InvalidInput, Overloaded, Unavailable
from wordgate.server import messages
from wordgate.server.limits import check_bytes
from wordgate.server.serving import DRAINING, Serving

_RETRY_AFTER_SECONDS = 5.0


class Sessions:
    """Counts the open sessions and refuses those above the limit."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._open = 0

    @contextmanager
    def opened(self) -> "Iterator[Session]":
        """A session while it lasts. Raises `Overloaded`."""
        if self._open >= self._serving.limits.max_sessions:
            raise Overloaded(
                f"{self._open} sessions are open; try again soon", _RETRY_AFTER_SECONDS
            )
        self._open += 1
        self._serving.metrics.sessions.set(self._open)
        try:
            yield Session(self._serving)
        finally:
            self._open -= 1
            self._serving.metrics.sessions.set(self._open)


@dataclass(frozen=True)
class _Configured:
    """What the first message said."""

    model: str
    query: Query


@dataclass(frozen=True)
class _Text:
    """A text that is to be answered under its number."""

    sequence: int
    text: str


@dataclass(frozen=True)
class _Found:
    """The answer to the text of a number."""

    sequence: int
    answer: PredictionAnswer


class Session:
    """Reads messages and answers the newest text; a newer one supersedes the one before it."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._configured: _Configured | None = None
        self._last_sequence: int | None = None

    async def answers(
        self, requests: AsyncIterator[StreamPredictRequest]
    ) -> AsyncGenerator[StreamPredictResponse, None]:
        """The answers until the client closes its side and its last text is answered.

        Raises `InvalidInput` for messages out of order or outside limits, `Unavailable` when the
        server drains: after the answer that is being computed, if there is one.
        """
        draining = asyncio.ensure_future(self._serving.draining.wait())
        reading: asyncio.Future[_Text | None] | None = self._read(requests)
        finding: asyncio.Future[_Found] | None = None
        try:
            while reading or finding:
                awaited: set[asyncio.Future[Any]] = {task for task in (reading, finding) if task}
                if not finding:
                    awaited.add(draining)
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                if finding and finding.done():
                    yield self._response(finding.result())
                    finding = None
                elif draining.done() and not finding:
                    raise Unavailable(DRAINING)
                elif reading and reading.done():
                    text = reading.result()
                    reading = self._read(requests) if text else None
                    if text:
                        _cancel(finding)
                        finding = self._find(text)
        finally:
            _cancel(draining, reading, finding)

    def _read(
        self, requests: AsyncIterator[StreamPredictRequest]
    ) -> "asyncio.Future[_Text | None]":
        return asyncio.ensure_future(self._next_text(requests))

    async def _next_text(self, requests: AsyncIterator[StreamPredictRequest]) -> _Text | None:
        """The next text; None after the last. The configuration is taken on the way."""
        async for request in requests:
            event = request.WhichOneof("event")
            if event == "configuration":
                self._configure(request)
            elif event == "text":
                return self._text(request)
            else:
                raise InvalidInput("event", "is not set; send a configuration or a text")
        return None

    def _configure(self, request: StreamPredictRequest) -> None:
        if self._configured:
            raise InvalidInput("configuration", "was sent before; open another stream for another")
        asked = request.configuration
        self._serving.model(asked.model)
        try:
            self._configured = _Configured(asked.model, messages.query(asked))
        except InvalidInput as error:
            raise InvalidInput(f"configuration.{error.field}", error.problem) from None

    def _text(self, request: StreamPredictRequest) -> _Text:
        if self._configured is None:
            raise InvalidInput("configuration", "is missing; it is the first message of a stream")
        last = self._last_sequence
        if last is not None and request.sequence <= last:
            raise InvalidInput("sequence", f"is {request.sequence} after {last}; it must rise")
        check_bytes("text.text", request.text.text, self._serving.limits.max_session_text_bytes)
        self._last_sequence = request.sequence
        return _Text(request.sequence, request.text.text)

    def _find(self, text: _Text) -> "asyncio.Future[_Found]":
        """Have a text answered by the model that the configuration names now."""
        if self._configured is None:
            raise InvalidInput("configuration", "is missing; it is the first message of a stream")
        model = self._serving.model(self._configured.model)
        query = self._configured.query

        def asks() -> Asks[_Found]:
            history, prefix = split_typed(text.text, "text.text")
            answer = yield from model.predict(replace(query, history=history, prefix=prefix))
            return _Found(text.sequence, answer)

        return self._serving.start(model, asks(), Urgency.INTERACTIVE, admitted=True)

    def _response(self, found: _Found) -> StreamPredictResponse:
        self._serving.metrics.searched(found.answer.expansions)
        return messages.stream_predict_response(found.sequence, found.answer)


def _cancel(*tasks: "asyncio.Future[Any] | None") -> None:
    for task in tasks:
        if task is not None:
            task.cancel()
