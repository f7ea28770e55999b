"""A stream of utterances to rank: a configuration, then one utterance after the other.

Knows the order of messages and how many utterances are under way; does not know how they are
ranked.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from wordgate.api.v1.rescoring_pb2 import (
    RescoreConfiguration,
    StreamRescoreRequest,
    StreamRescoreResponse,
    Utterance,
    UtteranceError,
)
from wordgate.core.lattice_search import SearchBounds
from wordgate.core.weighting import Weighting
from wordgate.engine.answers import RescoringAnswer
from wordgate.engine.scheduler import Urgency
from wordgate.errors import Excess, InvalidInput, Overloaded, Unavailable
from wordgate.server.messages import counts_eos, urgency
from wordgate.server.rescoring import (
    rescorable,
    rescore_response,
    search_bounds_of,
    weighting_of,
)
from wordgate.server.serving import DRAINING, Serving

MAX_UNDER_WAY = 8
"""Utterances of one stream that are ranked at the same time."""

_RETRY_AFTER_SECONDS = 5.0


class RescoreStreams:
    """Counts the open streams and refuses those above the limit."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._open = 0

    @contextmanager
    def opened(self) -> "Iterator[RescoreStream]":
        """A stream while it lasts. Raises `Overloaded`."""
        if self._open >= self._serving.limits.max_rescore_streams:
            problem = f"{self._open} rescoring streams are open; try again soon"
            raise Overloaded(problem, _RETRY_AFTER_SECONDS, Excess.STREAMS)
        self._open += 1
        try:
            yield RescoreStream(self._serving)
        finally:
            self._open -= 1


class RescoreStream:
    """Ranks a few utterances at a time and answers them in their order."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._configured: tuple[RescoreConfiguration, Weighting, SearchBounds] | None = None
        self._under_way: deque[tuple[int, asyncio.Future[RescoringAnswer]]] = deque()

    async def answers(
        self, requests: AsyncIterator[StreamRescoreRequest]
    ) -> AsyncGenerator[StreamRescoreResponse, None]:
        """The answers until the client closes its side and its last utterance is answered.

        Raises `InvalidInput` for messages out of order and a configuration outside its limits,
        `Unavailable` when the server drains: after the answers that are under way.
        """
        draining = asyncio.ensure_future(self._serving.draining.wait())
        reading: asyncio.Future[bool] | None = self._read(requests)
        try:
            while reading or self._under_way:
                if draining.done() and not (self._under_way or (reading and reading.done())):
                    raise Unavailable(DRAINING)
                await self._wait(reading, draining)
                if self._under_way and self._under_way[0][1].done():
                    yield _answer(*self._under_way.popleft())
                elif reading and reading.done():
                    more = reading.result()
                    reading = self._read(requests) if more else None
        finally:
            for task in (draining, reading, *(future for _, future in self._under_way)):
                if task is not None:
                    task.cancel()

    async def _wait(
        self, reading: "asyncio.Future[bool] | None", draining: "asyncio.Future[Any]"
    ) -> None:
        """Until the first answer is there, or a message that there is room for."""
        awaited: set[asyncio.Future[Any]] = {self._under_way[0][1]} if self._under_way else set()
        if not self._under_way:
            awaited.add(draining)
        if reading and len(self._under_way) < MAX_UNDER_WAY and not draining.done():
            awaited.add(reading)
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)

    def _read(self, requests: AsyncIterator[StreamRescoreRequest]) -> "asyncio.Future[bool]":
        return asyncio.ensure_future(self._take(requests))

    async def _take(self, requests: AsyncIterator[StreamRescoreRequest]) -> bool:
        """Take one message; whether there was one."""
        async for request in requests:
            event = request.WhichOneof("event")
            if event == "configuration":
                self._configure(request.configuration)
            elif event == "utterance":
                self._under_way.append((request.sequence, self._start(request.utterance)))
            else:
                raise InvalidInput("event", "is not set; send a configuration or an utterance")
            return True
        return False

    def _configure(self, asked: RescoreConfiguration) -> None:
        if self._configured:
            raise InvalidInput("configuration", "was sent before; open another stream for another")
        self._serving.model(asked.model)
        try:
            weighting = weighting_of(asked.weighting, self._serving.limits)
            bounds = search_bounds_of(asked.search, self._serving.limits)
            urgency(asked, Urgency.BULK)
        except InvalidInput as error:
            raise InvalidInput(f"configuration.{error.field}", error.problem) from None
        self._configured = asked, weighting, bounds

    def _start(self, utterance: Utterance) -> "asyncio.Future[RescoringAnswer]":
        """Have an utterance ranked; what is wrong with it comes as the future's error."""
        if self._configured is None:
            raise InvalidInput("configuration", "is missing; it is the first message of a stream")
        asked, weighting, bounds = self._configured
        model = self._serving.model(asked.model)
        count_eos = counts_eos(asked)
        try:
            found = rescorable(utterance, self._serving.limits)
        except InvalidInput as error:
            refused: asyncio.Future[RescoringAnswer] = asyncio.Future()
            refused.set_exception(error)
            return refused
        asks = model.rescore(found.history, found.hypotheses, weighting, count_eos, bounds)
        who_waits = urgency(asked, Urgency.BULK)
        return self._serving.start(model, asks, who_waits, admitted=True)


def _answer(sequence: int, future: "asyncio.Future[RescoringAnswer]") -> StreamRescoreResponse:
    try:
        answer = future.result()
    except InvalidInput as error:
        problem = UtteranceError(field=error.field, description=error.problem)
        return StreamRescoreResponse(sequence=sequence, error=problem)
    return StreamRescoreResponse(sequence=sequence, response=rescore_response(answer))
