"""`PredictionService`: the next word, once or while somebody types."""

from collections.abc import AsyncIterator

from grpc.aio import ServicerContext

from wordgate.api.v1 import prediction_pb2, prediction_pb2_grpc
from wordgate.engine.scheduler import Urgency
from wordgate.server.limits import check_bytes
from wordgate.server.messages import predict_response, query
from wordgate.server.serving import Serving
from wordgate.server.session import Sessions


class PredictionServicer(prediction_pb2_grpc.PredictionServiceServicer):
    """Validates, has the engine search, answers."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._sessions = Sessions(serving)

    async def Predict(
        self,
        request: prediction_pb2.PredictRequest,
        context: ServicerContext[prediction_pb2.PredictRequest, prediction_pb2.PredictResponse],
    ) -> prediction_pb2.PredictResponse:
        """The likeliest next words."""
        limits = self._serving.limits
        model = self._serving.model(request.model)
        check_bytes("history", request.history, limits.max_history_bytes)
        check_bytes("prefix", request.prefix, limits.max_prefix_bytes)
        asks = model.predict(query(request, request.history, request.prefix))
        searching = self._serving.metrics.searching(asks)
        answer = await self._serving.start(model, searching, Urgency.INTERACTIVE, context)
        return predict_response(answer)

    async def StreamPredict(  # type: ignore[override]  # grpc takes who writes by himself, too
        self,
        request_iterator: AsyncIterator[prediction_pb2.StreamPredictRequest],
        context: ServicerContext[
            prediction_pb2.StreamPredictRequest, prediction_pb2.StreamPredictResponse
        ],
    ) -> None:
        """A typing session."""
        with self._sessions.opened() as session:
            await session.run(request_iterator, context.write)
