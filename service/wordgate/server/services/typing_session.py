"""Typing sessions: a configuration, followed by the edits of a text.

Each answer is a pure function of the configuration, the text and its cursor. Nothing else is
stored, except the latest suggestions while they may still be accepted.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from time import time_ns
from typing import Any

from wordgate.api.v1.prediction_pb2 import Accept, StreamPredictRequest, StreamPredictResponse
from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query, splitting_typed
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.engine.job import Priority
from wordgate.engine.loaded_model import ServedModel
from wordgate.errors import InvalidInput, Unavailable, WordgateError
from wordgate.lm.context_window import ANCHOR_WORDS
from wordgate.lm.model_version import ModelVersion
from wordgate.lm.requests import ModelTask, TimeSlice
from wordgate.protocol import prediction
from wordgate.protocol.limits import check_bytes, check_listed
from wordgate.server.security.byte_budget import Reservation
from wordgate.server.services.context import ServingContext
from wordgate.server.services.typed_words import AcceptanceTracker, FinishedWord
from wordgate.server.telemetry.tracing import message_span
from wordgate.text.edit_buffer import PackedText, TextBuffer
from wordgate.text.rest_of_word import rest_of_word

_NO_ANCHOR_BELOW = 3 * ANCHOR_WORDS // 2
"""Shorter texts, in characters, have too few words and bytes to be near an anchor."""

_FREE_BYTES = 8 * 1024
"""Memory that each session may use without being counted."""

_LISTED_COST = 12
"""Bytes of memory per byte of a listed word: its normalised form and Python's string overhead."""

Write = Callable[[StreamPredictResponse], Awaitable[None]]
"""Sends an answer; returns once flow control allows another."""


@dataclass(frozen=True, slots=True)
class _Configured:
    """The configuration from the first message."""

    model: str
    options: Options

    @property
    def has_listed_words(self) -> bool:
        """Whether words are blocked or boosted."""
        return bool(self.options.blocked_words or self.options.boosted_words)


@dataclass(frozen=True, slots=True)
class _Text:
    """A text to be answered, with its sequence number."""

    sequence: int
    edited: TextBuffer
    received_ns: int = field(default_factory=time_ns)


@dataclass(frozen=True, slots=True)
class _Offered:
    """Suggestions that the client may accept.

    A suggestion replaces `typed` code points before the cursor and `rest` code points after it.
    """

    sequence: int
    typed: int
    rest: int
    words: tuple[str, ...]
    model: ModelVersion


class Session:
    """Reads messages and answers the latest text, which supersedes earlier ones.

    The task of the call reads messages. Each text is answered by a task of its own, so that the
    thousands of idle sessions have no second task.
    """

    __slots__ = (
        "_answering",
        "_configured",
        "_ended_by",
        "_ending",
        "_is_written",
        "_last_sequence",
        "_listed_bytes",
        "_memory",
        "_offered",
        "_preparing",
        "_reading",
        "_resting",
        "_serving",
        "_typed",
    )

    def __init__(self, serving: ServingContext, memory: Reservation) -> None:
        self._serving = serving
        self._memory = memory
        self._listed_bytes = 0
        self._configured: _Configured | None = None
        self._last_sequence: int | None = None
        self._resting = PackedText()
        self._offered: _Offered | None = None
        self._reading: asyncio.Task[Any] | None = None
        self._answering: asyncio.Task[None] | None = None
        self._is_written = False
        self._ending = ""
        self._ended_by: Exception | None = None
        self._preparing: asyncio.Future[None] | None = None
        self._typed = AcceptanceTracker()

    async def run(self, requests: AsyncIterator[StreamPredictRequest], write: Write) -> None:
        """Answer until the client closes its side and its last text is answered.

        Raises `InvalidInput` for messages out of order or outside limits. When the server drains,
        raises `Unavailable` after the answer in progress, if there is one.
        """
        try:
            await self._read(requests, write)
            if self._answering is not None:
                await self._answering
            if self._ended_by is not None:
                raise self._ended_by
        finally:
            for work in (self._answering, self._preparing):
                if work is not None:
                    work.cancel()

    def end_soon(self, why: str) -> None:
        """End the session with `Unavailable`, after the answer in progress."""
        self._ending = why
        if self._answering is None:
            self._end(Unavailable(why))

    async def warm_up(self) -> None:
        """Let the model that is served now read the text, with normal priority."""
        before = self._resting.unpacked().before
        if self._configured is None or not before:
            return
        try:
            model = self._serving.model(self._configured.model)
            await self._serving.start(model, _read_typed(model, before), Priority.NORMAL)
        except WordgateError:
            return  # the text will be read with the next edit

    def close_if_pinned_to(self, name: str) -> None:
        """End the session if it requested this version."""
        if self._configured is not None and self._configured.model == name:
            self._end(Unavailable(f"model version replaced: {name}; open a new session"))

    async def _read(self, requests: AsyncIterator[StreamPredictRequest], write: Write) -> None:
        """Process messages until the client closes its side or the session ends."""
        self._reading = asyncio.current_task()
        try:
            async for request in requests:
                text = self._taken(request)
                del request
                if text is None:
                    await self._prepare_options()
                else:
                    await self._supersede()
                    self._answering = asyncio.create_task(self._answer(text, write))
                del text  # an idle session keeps only its packed text
        except Exception:
            await self._supersede()  # grpc loses a status that is sent before an answer
            raise
        except asyncio.CancelledError:
            if self._ended_by is None or (self._reading and self._reading.uncancel()):
                raise
        finally:
            self._reading = None

    def _end(self, error: Exception) -> None:
        """End the session with an error, which the reading task raises."""
        self._ended_by = self._ended_by or error
        if self._reading is not None:
            self._reading.cancel()

    async def _supersede(self) -> None:
        """Cancel the answer in progress; if it is already being written, wait for it instead."""
        if self._answering is None:
            return
        if self._is_written:
            await self._answering
        else:
            self._answering.cancel()

    async def _answer(self, text: _Text, write: Write) -> None:
        """Compute the answer to a text and write it."""
        try:
            with message_span("StreamPredict answer", text.received_ns, text.sequence):
                model = self._model()
                answer = await self._find(model, text)
                self._is_written = True
                await write(self._response(model, text, answer))
        except Exception as error:  # noqa: BLE001  any error ends the session
            self._end(error)
        finally:
            if self._answering is asyncio.current_task():
                self._answering, self._is_written = None, False
            self._note_garbage()
        if self._ending and self._answering is None:
            self._end(Unavailable(self._ending))

    def _taken(self, request: StreamPredictRequest) -> _Text | None:
        """Process a message; return the new text, or None for a configuration."""
        event = request.WhichOneof("event")
        if event is None:
            raise InvalidInput("event", "is not set; send a configuration, a text or an edit")
        if event != "configuration":
            return self._edit(request, event)
        self._configure(request)
        return None

    def _configure(self, request: StreamPredictRequest) -> None:
        if self._configured:
            raise InvalidInput("configuration", "was already sent; open a new stream to change it")
        configuration = request.configuration
        self._serving.model(configuration.model)
        try:
            check_listed(configuration.options, self._serving.limits)
            self._listed_bytes = _LISTED_COST * configuration.options.ByteSize()
            self._hold(0)
            self._configured = _Configured(
                configuration.model, prediction.decode_options(configuration.options)
            )
            self._resting = PackedText(
                unit=prediction.decode_position_unit(configuration.position_unit)
            )
        except InvalidInput as error:
            raise InvalidInput(f"configuration.{error.field}", error.problem) from None

    def _hold(self, text_bytes: int) -> None:
        """Reserve memory for the session's text above `_FREE_BYTES`. Raises `Overloaded`."""
        self._memory.resize(max(0, self._listed_bytes + text_bytes - _FREE_BYTES))

    async def _prepare_options(self) -> None:
        """Prepare the listed words on the engine. Raises `InvalidInput` for an invalid word."""
        if self._configured is None or not self._configured.has_listed_words:
            return
        steps = self._configured.options.prepare()
        asks = prediction.naming_options(TimeSlice().run(steps))
        try:
            await self._serving.start(self._model(), asks, Priority.INTERACTIVE, admitted=True)
        except InvalidInput as error:
            raise InvalidInput(f"configuration.{error.field}", error.problem) from None

    def _edit(self, request: StreamPredictRequest, event: str) -> _Text:
        """Apply an event to the text. Raises `InvalidInput` if it is out of order or limits."""
        if self._configured is None:
            raise InvalidInput(
                "configuration", "is missing; send it as the first message of a stream"
            )
        last = self._last_sequence
        if last is not None and request.sequence <= last:
            raise InvalidInput("sequence", f"is {request.sequence} after {last}; it must increase")
        self._last_sequence = request.sequence
        before = self._resting.unpacked()
        if event == "accept":
            edited = self._accept(before, request.accept)
        else:
            edited = _changed(before, request)
        most = self._serving.limits.max_session_text_bytes
        check_bytes("accept" if event == "accept" else f"{event}.text", edited.text, most)
        self._typed.edited(before.before, edited.before)
        self._resting, self._offered = edited.packed(), None
        self._hold(len(self._resting.encoded))
        return _Text(request.sequence, edited)

    def _accept(self, before: TextBuffer, accept: Accept) -> TextBuffer:
        offered = self._offered
        if offered is None or offered.sequence != accept.answer:
            problem = f"is {accept.answer}, not the latest answer, or the text has changed since"
            raise InvalidInput("accept.answer", f"{problem}; send the suggestion's edit instead")
        if accept.suggestion >= len(offered.words):
            problem = f"is {accept.suggestion}; the answer has {len(offered.words)} suggestions"
            raise InvalidInput("accept.suggestion", problem)
        self._serving.metrics.accepted(offered.model, accept.suggestion + 1)
        return before.accept(offered.typed, offered.words[accept.suggestion], offered.rest)

    def _model(self) -> ServedModel:
        """Return the model that the configuration currently selects."""
        if self._configured is None:
            raise InvalidInput(
                "configuration", "is missing; send it as the first message of a stream"
            )
        return self._serving.model(self._configured.model)

    def _find(self, model: ServedModel, text: _Text) -> "asyncio.Future[PredictionResult]":
        """Schedule the search for a text's suggestions."""
        options = self._configured.options if self._configured else Options()

        def asks() -> ModelTask[PredictionResult]:
            steps = splitting_typed(text.edited.before, "text.text")
            history, prefix = yield from TimeSlice().run(steps)
            return (yield from model.predict(Query(history, prefix, options)))

        return self._serving.start(
            model,
            asks(),
            Priority.INTERACTIVE,
            admitted=True,
            expansions_of=attrgetter("expansions"),
        )

    def _finished(self, model: ServedModel, word: FinishedWord) -> None:
        """Count a completed word, and compute its log-probability if it was not suggested."""
        metrics = self._serving.metrics
        metrics.typed_word(model.name, word.rank)
        if word.log_prob is not None:
            metrics.typed_surprisal(model.name, -word.log_prob)
            return

        def found(future: "asyncio.Future[float]") -> None:
            if not future.cancelled() and future.exception() is None:
                metrics.typed_surprisal(model.name, -future.result())

        asks = model.log_prob_of(word.history, word.word)
        self._serving.start(model, asks, Priority.NORMAL).add_done_callback(found)

    def _prepare(self, model: ServedModel, text: _Text, answer: PredictionResult) -> None:
        """Between words, read the context of the next anchor ahead, with normal priority."""
        if answer.prefix or len(text.edited.before) < _NO_ANCHOR_BELOW:
            return
        if self._preparing is not None and not self._preparing.done():
            return
        asks = model.read_ahead(text.edited.before)
        self._preparing = self._serving.start(model, asks, Priority.NORMAL)
        self._preparing.add_done_callback(_forget)
        self._preparing.add_done_callback(self._note_garbage)

    def _note_garbage(self, _: object = None) -> None:
        """Note that work on the text has ended, which leaves free gaps in the heap."""
        self._memory.note_garbage(len(self._resting.encoded))

    def _response(
        self, model: ServedModel, text: _Text, answer: PredictionResult
    ) -> StreamPredictResponse:
        self._typed.answered(text.edited.before, answer, partial(self._finished, model))
        self._prepare(model, text, answer)
        if text.sequence == self._last_sequence:
            words = tuple(suggestion.text for suggestion in answer.suggestions)
            typed = len(answer.prefix)
            rest = rest_of_word(text.edited, typed)
            self._offered = _Offered(text.sequence, typed, rest, words, answer.model)
        return prediction.encode_session_prediction(text.sequence, text.edited, answer)


def _read_typed(model: ServedModel, text: str) -> ModelTask[None]:
    """Read the complete words of a text into the state cache."""
    history, _ = yield from TimeSlice().run(splitting_typed(text, "text.text"))
    yield from model.read(history)


def _changed(before: TextBuffer, request: StreamPredictRequest) -> TextBuffer:
    """Return the text after an edit."""
    match request.WhichOneof("event"):
        case "insert":
            return before.insert(request.insert.text)
        case "delete":
            return before.delete(request.delete.before, request.delete.after)
        case "replace":
            edit = request.replace
            return before.replace(edit.start, edit.end, edit.text)
        case "move":
            return before.move(request.move.position)
        case "reset":
            return before.set("")
        case _:
            cursor = request.text.cursor if request.text.HasField("cursor") else None
            return before.set(request.text.text, cursor)


def _forget(future: "asyncio.Future[None]") -> None:
    """Retrieve the outcome of background work, so that asyncio does not log its error."""
    if not future.cancelled():
        future.exception()
