"""`PredictionService`: next-word prediction, typing sessions and text generation."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from operator import attrgetter

from grpc.aio import ServicerContext

from wordgate.api.v1 import prediction_pb2, prediction_pb2_grpc
from wordgate.engine.job import Priority
from wordgate.protocol.prediction import (
    decode_predict_request,
    encode_prediction,
    naming_options,
)
from wordgate.protocol.scoring import decode_priority
from wordgate.server.security.concurrency_limit import ConcurrencyLimit
from wordgate.server.services.context import ServingContext
from wordgate.server.services.generation import generated
from wordgate.server.services.open_sessions import OpenSessions
from wordgate.server.services.scoring import size_with

_ROWS = 2
"""Typical number of output rows per model request of a search."""


class PredictionServicer(prediction_pb2_grpc.PredictionServiceServicer):
    """Validates requests, runs searches on the engine, and converts the results."""

    def __init__(self, serving: ServingContext) -> None:
        self._serving = serving
        self._sessions = OpenSessions(serving)
        self._generations = ConcurrencyLimit(
            serving.limits.max_generation_streams,
            "overloaded: {most} generation streams are open; retry later",
        )

    async def Predict(
        self,
        request: prediction_pb2.PredictRequest,
        context: ServicerContext[prediction_pb2.PredictRequest, prediction_pb2.PredictResponse],
    ) -> prediction_pb2.PredictResponse:
        """Return the most probable next words."""
        model = self._serving.model(request.model)
        query = decode_predict_request(request, self._serving.limits)
        answer = await self._serving.start(
            model,
            naming_options(model.predict(query)),
            decode_priority(request, Priority.INTERACTIVE),
            context,
            size=size_with(request.history),
            parallel_rows=_ROWS,
            expansions_of=attrgetter("expansions"),
        )
        return encode_prediction(answer)

    async def StreamPredict(  # type: ignore[override]  # grpc also accepts methods that write
        self,
        request_iterator: AsyncIterator[prediction_pb2.StreamPredictRequest],
        context: ServicerContext[
            prediction_pb2.StreamPredictRequest, prediction_pb2.StreamPredictResponse
        ],
    ) -> None:
        """Run a typing session."""
        with self._sessions.opened() as session:
            await session.run(request_iterator, context.write)

    async def StreamGenerate(
        self,
        request: prediction_pb2.StreamGenerateRequest,
        context: ServicerContext[
            prediction_pb2.StreamGenerateRequest, prediction_pb2.StreamGenerateResponse
        ],
    ) -> AsyncIterator[prediction_pb2.StreamGenerateResponse]:
        """Generate a text word by word."""
        with self._generations:
            async with aclosing(generated(self._serving, request, context)) as answers:
                async for answer in answers:
                    yield answer
