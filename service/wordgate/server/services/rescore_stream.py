"""Streaming rescoring: a configuration, followed by utterances.

Several utterances of a stream are rescored concurrently and answered in order. The memory of large
utterances is bounded for all streams together, and for each stream until its utterances are
answered.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from wordgate.api.v1.rescoring_pb2 import (
    RescoreConfiguration,
    RescoreRequest,
    RescoreResponse,
    StreamRescoreResponse,
    Utterance,
    UtteranceError,
)
from wordgate.engine.job import Priority
from wordgate.engine.loaded_model import ServedModel
from wordgate.errors import InvalidInput, Unavailable
from wordgate.lm.requests import ModelTask
from wordgate.protocol.limits import Limits
from wordgate.protocol.rescoring import (
    check_counts,
    decode_rescorable,
    decode_score_weights,
    decode_search_bounds,
    encode_ranking,
)
from wordgate.protocol.scoring import counts_eos, decode_priority
from wordgate.protocol.status import DRAINING
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.score_weights import ScoreWeights
from wordgate.server.rpc.inbound import SMALL_BYTES, RequestStream
from wordgate.server.security.byte_budget import ByteBudget
from wordgate.server.services.context import ServingContext

MAX_IN_PROGRESS = 8
"""Maximum number of utterances of one stream that are rescored concurrently."""

_MAX_STARTED_BYTES = 256 * 1024
"""Maximum size of a stream's utterances in progress or with unsent answers, without the latest."""


@dataclass(frozen=True)
class _Configured:
    """The configuration from the first message."""

    asked: RescoreConfiguration
    score_weights: ScoreWeights
    bounds: SearchBounds


@dataclass(frozen=True)
class _Started:
    """An utterance in progress; `size` is the size of its message in bytes."""

    sequence: int
    response: "asyncio.Future[RescoreResponse]"
    size: int


class RescoreStream:
    """Rescores a few utterances concurrently and answers them in order."""

    def __init__(self, serving: ServingContext, budget: ByteBudget) -> None:
        self._serving = serving
        self._budget = budget
        self._configured: _Configured | None = None
        self._started: deque[_Started] = deque()

    async def answers(self, requests: RequestStream) -> AsyncGenerator[StreamRescoreResponse, None]:
        """Yield answers until the client closes its side and its last utterance is answered.

        Raises `InvalidInput` for messages out of order and for a configuration outside its limits.
        When the server drains, raises `Unavailable` after the answers in progress.
        """
        draining = asyncio.ensure_future(self._serving.draining.wait())
        reading: asyncio.Future[bool] | None = self._read(requests)
        try:
            while reading or self._started:
                if draining.done() and not (self._started or (reading and reading.done())):
                    raise Unavailable(DRAINING)
                await self._wait(reading, draining)
                if self._started and self._started[0].response.done():
                    yield _answer(self._started.popleft())
                elif reading and reading.done():
                    more = reading.result()
                    reading = self._read(requests) if more else None
        finally:
            for task in (draining, reading, *(each.response for each in self._started)):
                if task is not None:
                    task.cancel()

    async def _wait(
        self, reading: "asyncio.Future[bool] | None", draining: "asyncio.Future[Any]"
    ) -> None:
        """Wait for the first answer, or for a message if there is room for one."""
        awaited: set[asyncio.Future[Any]] = {self._started[0].response} if self._started else set()
        if not self._started:
            awaited.add(draining)
        if reading and self._has_room() and not draining.done():
            awaited.add(reading)
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)

    def _has_room(self) -> bool:
        """Return whether another utterance may start: unread answers take memory, too."""
        size = sum(each.size for each in self._started)
        return len(self._started) < MAX_IN_PROGRESS and size < _MAX_STARTED_BYTES

    def _read(self, requests: RequestStream) -> "asyncio.Future[bool]":
        return asyncio.ensure_future(self._take(requests))

    async def _take(self, requests: RequestStream) -> bool:
        """Process one message; return False at the end of the stream."""
        async for request in requests:
            event = request.WhichOneof("event")
            if event == "configuration":
                self._configure(request.configuration)
            elif event == "utterance":
                response = await self._begin(request.utterance, requests.size)
                self._started.append(_Started(request.sequence, response, requests.size))
            else:
                raise InvalidInput("event", "is not set; send a configuration or an utterance")
            return True
        return False

    def _configure(self, asked: RescoreConfiguration) -> None:
        if self._configured:
            raise InvalidInput("configuration", "was already sent; open a new stream to change it")
        self._serving.model(asked.model)
        try:
            score_weights = decode_score_weights(asked.score_weights, self._serving.limits)
            bounds = decode_search_bounds(asked.search, self._serving.limits)
            decode_priority(asked, Priority.NORMAL)
        except InvalidInput as error:
            raise InvalidInput(f"configuration.{error.field}", error.problem) from None
        self._configured = _Configured(asked, score_weights, bounds)

    async def _begin(self, utterance: Utterance, size: int) -> "asyncio.Future[RescoreResponse]":
        """Start rescoring an utterance once there is memory for it; free the memory when done."""
        if size <= SMALL_BYTES:
            return self._start(utterance)
        await self._budget.wait_for(size)
        try:
            response = self._start(utterance)
        except BaseException:
            self._budget.free(size)
            raise
        response.add_done_callback(lambda _: self._budget.free(size))
        return response

    def _start(self, utterance: Utterance) -> "asyncio.Future[RescoreResponse]":
        """Start rescoring an utterance. The future raises the utterance's own errors."""
        configured = self._configured
        if configured is None:
            raise InvalidInput(
                "configuration", "is missing; send it as the first message of a stream"
            )
        model = self._serving.model(configured.asked.model)
        limits = self._serving.limits
        task = _counted_and_rescored(
            model,
            utterance,
            limits,
            configured.score_weights,
            counts_eos(configured.asked),
            configured.bounds,
        )
        priority = decode_priority(configured.asked, Priority.NORMAL)
        return self._serving.start(model, task, priority, admitted=True)


def rescored(
    model: ServedModel,
    asked: RescoreRequest | Utterance,
    limits: Limits,
    score_weights: ScoreWeights,
    count_eos: bool,
    bounds: SearchBounds,
) -> ModelTask[RescoreResponse]:
    """Rescore an utterance within its count limits (`check_counts`). Raises `InvalidInput`."""
    query = yield from decode_rescorable(asked, limits)
    answer = yield from model.rescore(
        query.history, query.hypotheses, score_weights, count_eos, bounds
    )
    return (yield from encode_ranking(answer))


def _counted_and_rescored(
    model: ServedModel,
    asked: Utterance,
    limits: Limits,
    score_weights: ScoreWeights,
    count_eos: bool,
    bounds: SearchBounds,
) -> ModelTask[RescoreResponse]:
    check_counts(asked, limits)
    return (yield from rescored(model, asked, limits, score_weights, count_eos, bounds))


def _answer(started: _Started) -> StreamRescoreResponse:
    error = started.response.exception()
    if isinstance(error, InvalidInput):
        problem = UtteranceError(field=error.field, description=error.problem)
        return StreamRescoreResponse(sequence=started.sequence, error=problem)
    return StreamRescoreResponse(sequence=started.sequence, response=started.response.result())
