"""`ScoringService`: score candidate texts, and rescore hypotheses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TypeVar

from grpc.aio import ServicerContext

from wordgate.api.v1 import rescoring_pb2, scoring_pb2, scoring_pb2_grpc
from wordgate.engine.job import Priority
from wordgate.engine.loaded_model import ServedModel
from wordgate.lm.context_window import MAX_CONTEXT_TOKENS
from wordgate.lm.requests import MAX_ROWS, YIELD, ModelTask, TimeSlice
from wordgate.protocol.limits import Limits, check_bytes, check_count
from wordgate.protocol.rescoring import check_counts, decode_score_weights, decode_search_bounds
from wordgate.protocol.scoring import counts_eos, decode_priority, encode_scores
from wordgate.server.rpc.inbound import RequestStream
from wordgate.server.security.byte_budget import ByteBudget
from wordgate.server.security.concurrency_limit import ConcurrencyLimit
from wordgate.server.services.context import Deadline, ServingContext
from wordgate.server.services.rescore_stream import RescoreStream, rescored

T = TypeVar("T")

MIN_SIZE = 256
"""Fixed cost of a request, in bytes."""

TURN_BYTES = 4096.0
"""Size of a request with about as many rows as one round of the scheduler."""

_READ_CHARACTERS = 2000
"""Length of a history with about as many words as the model reads."""

BYTES_PER_TOKEN = 4
"""Approximate bytes of a request per token. A history may have as many tokens as bytes."""


class ScoringServicer(scoring_pb2_grpc.ScoringServiceServicer):
    """Validates requests, runs scoring on the engine, and converts the results."""

    def __init__(self, serving: ServingContext) -> None:
        self._serving = serving
        self._stream_bytes = ByteBudget(serving.limits.max_in_flight_stream_bytes)
        self._streams = ConcurrencyLimit(
            serving.limits.max_rescore_streams,
            "overloaded: {most} rescoring streams are open; retry later",
        )

    async def Score(
        self,
        request: scoring_pb2.ScoreRequest,
        context: ServicerContext[scoring_pb2.ScoreRequest, scoring_pb2.ScoreResponse],
    ) -> scoring_pb2.ScoreResponse:
        """Return the log-probability of each candidate."""
        limits = self._serving.limits
        model = self._serving.model(request.model)
        check_bytes("history", request.history, limits.max_history_bytes)
        check_count("candidates", request.candidates, limits.max_candidates)
        task = _scored(model, request, limits)
        return await self._done(model, task, request, context)

    async def Rescore(
        self,
        request: rescoring_pb2.RescoreRequest,
        context: ServicerContext[rescoring_pb2.RescoreRequest, rescoring_pb2.RescoreResponse],
    ) -> rescoring_pb2.RescoreResponse:
        """Return the hypotheses ranked by their total scores."""
        limits = self._serving.limits
        model = self._serving.model(request.model)
        score_weights = decode_score_weights(request.score_weights, limits)
        bounds = decode_search_bounds(request.search, limits)
        check_counts(request, limits)
        task = rescored(model, request, limits, score_weights, counts_eos(request), bounds)
        return await self._done(model, task, request, context)

    def _done(
        self,
        model: ServedModel,
        task: ModelTask[T],
        request: scoring_pb2.ScoreRequest | rescoring_pb2.RescoreRequest,
        call: Deadline,
    ) -> "asyncio.Future[T]":
        """Schedule the work of a request. Its size estimates its cost."""
        priority = decode_priority(request, Priority.NORMAL)
        return self._serving.start(
            model,
            task,
            priority,
            call,
            size=request_size(request),
            parallel_rows=_rows_of(request),
        )

    async def StreamRescore(  # type: ignore[override]  # the interceptor's streams have sizes
        self,
        request_iterator: RequestStream,
        context: ServicerContext[
            rescoring_pb2.StreamRescoreRequest, rescoring_pb2.StreamRescoreResponse
        ],
    ) -> AsyncIterator[rescoring_pb2.StreamRescoreResponse]:
        """Rescore a stream of utterances and answer them in order."""
        with self._streams:
            stream = RescoreStream(self._serving, self._stream_bytes)
            async with aclosing(stream.answers(request_iterator)) as answers:
                async for answer in answers:
                    yield answer


def _scored(
    model: ServedModel, request: scoring_pb2.ScoreRequest, limits: Limits
) -> ModelTask[scoring_pb2.ScoreResponse]:
    """Score the candidates of a request whose number of candidates was checked."""
    candidates = [candidate.text for candidate in request.candidates]
    for index, text in enumerate(candidates):
        check_bytes(f"candidates[{index}].text", text, limits.max_candidate_bytes)
    answer = yield from model.score(
        request.history, candidates, counts_eos(request), request.return_words
    )
    yield YIELD
    return (yield from TimeSlice().run(encode_scores(answer)))


def request_size(request: scoring_pb2.ScoreRequest | rescoring_pb2.RescoreRequest) -> int:
    """Return the cost of a request in bytes, with only the part of the history that is read."""
    return request.ByteSize() - _bytes(request.history) + size_with(request.history)


def size_with(history: str) -> int:
    """Return the cost in bytes of a small request with this history."""
    most = BYTES_PER_TOKEN * MAX_CONTEXT_TOKENS
    return MIN_SIZE + min(_bytes(history[-_READ_CHARACTERS:]), most)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8"))


def _rows_of(request: scoring_pb2.ScoreRequest | rescoring_pb2.RescoreRequest) -> int:
    """Return the number of texts read in parallel; a lattice search fills about one batch."""
    if isinstance(request, scoring_pb2.ScoreRequest):
        return len(request.candidates)
    return len(request.n_best.candidates) if request.HasField("n_best") else MAX_ROWS
