"""A typing session: a configuration, then the text as it is edited.

Knows the order of messages and which text is to be answered; does not know how suggestions are
found. Answers are a pure function of the configuration, the text and its cursor: nothing else is
kept, but the latest suggestions while they may be accepted.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from wordgate.api.v1.prediction_pb2 import Accept, StreamPredictRequest, StreamPredictResponse
from wordgate.core.asks import Asks
from wordgate.core.editing import EditedText
from wordgate.core.options import Options
from wordgate.core.prediction import Query, split_typed
from wordgate.engine.answers import PredictionAnswer
from wordgate.engine.scheduler import Urgency
from wordgate.errors import InvalidInput, Overloaded, Unavailable
from wordgate.server import messages
from wordgate.server.limits import check_bytes, check_listed
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
    options: Options


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that is to be answered under its number."""

    sequence: int
    edited: EditedText


@dataclass(frozen=True, slots=True)
class _Found:
    """The answer to the text of a number."""

    text: _Text
    answer: PredictionAnswer


@dataclass(frozen=True, slots=True)
class _Offered:
    """What may be accepted: the words of an answer, for so many code points before the cursor."""

    sequence: int
    typed: int
    words: tuple[str, ...]


class Session:
    """Reads messages and answers the newest text; a newer one supersedes the one before it."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._configured: _Configured | None = None
        self._last_sequence: int | None = None
        self._edited = EditedText()
        self._offered: _Offered | None = None

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
            if event is None:
                raise InvalidInput("event", "is not set; send a configuration, a text or an edit")
            if event != "configuration":
                return self._edit(request, event)
            self._configure(request)
        return None

    def _configure(self, request: StreamPredictRequest) -> None:
        if self._configured:
            raise InvalidInput("configuration", "was sent before; open another stream for another")
        asked = request.configuration
        self._serving.model(asked.model)
        try:
            check_listed(asked.options, self._serving.limits)
            self._configured = _Configured(asked.model, messages.options(asked))
            self._edited = EditedText(unit=messages.position_unit(asked.position_unit))
        except InvalidInput as error:
            raise InvalidInput(f"configuration.{error.field}", error.problem) from None

    def _edit(self, request: StreamPredictRequest, event: str) -> _Text:
        """The text after an event. Raises `InvalidInput` for one out of order or out of limits."""
        if self._configured is None:
            raise InvalidInput("configuration", "is missing; it is the first message of a stream")
        last = self._last_sequence
        if last is not None and request.sequence <= last:
            raise InvalidInput("sequence", f"is {request.sequence} after {last}; it must rise")
        self._last_sequence = request.sequence
        edited = self._accept(request.accept) if event == "accept" else self._changed(request)
        most = self._serving.limits.max_session_text_bytes
        check_bytes("accept" if event == "accept" else f"{event}.text", edited.text, most)
        self._edited, self._offered = edited, None
        return _Text(request.sequence, edited)

    def _changed(self, request: StreamPredictRequest) -> EditedText:
        match request.WhichOneof("event"):
            case "insert":
                return self._edited.insert(request.insert.text)
            case "delete":
                return self._edited.delete(request.delete.before, request.delete.after)
            case "replace":
                edit = request.replace
                return self._edited.replace(edit.start, edit.end, edit.text)
            case "move":
                return self._edited.move(request.move.position)
            case "reset":
                return self._edited.set("")
            case _:
                cursor = request.text.cursor if request.text.HasField("cursor") else None
                return self._edited.set(request.text.text, cursor)

    def _accept(self, accept: Accept) -> EditedText:
        offered = self._offered
        if offered is None or offered.sequence != accept.answer:
            problem = f"is {accept.answer}, which is not the latest, or the text has changed since"
            raise InvalidInput("accept.answer", f"{problem}; send the suggestion's edit instead")
        if accept.suggestion >= len(offered.words):
            problem = f"is {accept.suggestion}; the answer has {len(offered.words)} suggestions"
            raise InvalidInput("accept.suggestion", problem)
        return self._edited.accept(offered.typed, offered.words[accept.suggestion])

    def _find(self, text: _Text) -> "asyncio.Future[_Found]":
        """Have a text answered by the model that the configuration names now."""
        if self._configured is None:
            raise InvalidInput("configuration", "is missing; it is the first message of a stream")
        model = self._serving.model(self._configured.model)
        options = self._configured.options

        def asks() -> Asks[_Found]:
            history, prefix = split_typed(text.edited.before, "text.text")
            answer = yield from model.predict(Query(history, prefix, options))
            return _Found(text, answer)

        return self._serving.start(model, asks(), Urgency.INTERACTIVE, admitted=True)

    def _response(self, found: _Found) -> StreamPredictResponse:
        answer, text = found.answer, found.text
        self._serving.metrics.searched(answer.expansions)
        if text.sequence == self._last_sequence:
            words = tuple(suggestion.text for suggestion in answer.suggestions)
            self._offered = _Offered(text.sequence, len(answer.prefix), words)
        return messages.stream_predict_response(text.sequence, text.edited, answer)


def _cancel(*tasks: "asyncio.Future[Any] | None") -> None:
    for task in tasks:
        if task is not None:
            task.cancel()
