"""`ScoringService`: how probable given texts are."""

from grpc.aio import ServicerContext

from wordgate.api.v1 import scoring_pb2, scoring_pb2_grpc
from wordgate.engine.scheduler import Urgency
from wordgate.server.limits import check_bytes, check_count
from wordgate.server.messages import score_response
from wordgate.server.serving import Serving


class ScoringServicer(scoring_pb2_grpc.ScoringServiceServicer):
    """Validates, has the engine score, answers."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def Score(
        self,
        request: scoring_pb2.ScoreRequest,
        context: ServicerContext[scoring_pb2.ScoreRequest, scoring_pb2.ScoreResponse],
    ) -> scoring_pb2.ScoreResponse:
        """The log-probability of each candidate."""
        limits = self._serving.limits
        model = self._serving.model(request.model)
        check_bytes("history", request.history, limits.max_history_bytes)
        check_count("candidates", request.candidates, limits.max_candidates)
        candidates = [candidate.text for candidate in request.candidates]
        for index, text in enumerate(candidates):
            check_bytes(f"candidates[{index}].text", text, limits.max_candidate_bytes)
        count_eos = request.count_eos if request.HasField("count_eos") else True
        asks = model.score(request.history, candidates, count_eos)
        return score_response(await self._serving.start(model, asks, Urgency.BULK, context))
