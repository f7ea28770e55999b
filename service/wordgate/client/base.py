"""Connection settings and calls shared by both clients."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from wordgate.api.v1 import (
    models_pb2,
    models_pb2_grpc,
    prediction_pb2_grpc,
    priority_pb2,
    scoring_pb2_grpc,
)
from wordgate.client.diagnosis import Diagnosis
from wordgate.client.priority import Priority
from wordgate.client.tls import DEFAULT_TIMEOUT_SECONDS, Tls, check_server, metadata_of
from wordgate.decoding.generation import GenerationQuery
from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.engine.results import (
    ExplanationResult,
    GenerationResult,
    RescoringResult,
    ScoreResult,
)
from wordgate.protocol.explanation import decode_explanation, encode_explain_request
from wordgate.protocol.generation import decode_generated_word, encode_generate_request
from wordgate.protocol.models import (
    ModelDescription,
    ServerDescription,
    decode_model,
    decode_server,
)
from wordgate.protocol.prediction import decode_prediction, encode_predict_request
from wordgate.protocol.rescoring import decode_ranking, encode_rescore_request
from wordgate.protocol.scoring import decode_scores, encode_score_request
from wordgate.scoring.explanation import ExplanationQuery
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import HypothesisSpace
from wordgate.scoring.score_weights import ScoreWeights
from wordgate.text.normalization import require_unicode

T = TypeVar("T")

DEFAULT_SCORE_WEIGHTS = ScoreWeights()


@dataclass(frozen=True)
class Rpc(Generic[T]):
    """A call that has not started: a method of a stub, its request, the decoder of a response."""

    method: Any
    request: Any
    decode: Callable[[Any], T]


class ClientBase(ABC):
    """A connection to a server. Subclasses open its channel and make the calls."""

    def __init__(
        self,
        address: str,
        *,
        model: str = "",
        timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
        tls: Tls | None = None,
        token: str | None = None,
        priority: Priority = Priority.REALTIME,
    ) -> None:
        """Create a client. The channel connects lazily: an unreachable address fails later.

        `address` is HOST:PORT, unix:PATH or a gRPC target such as dns:///wordgate:50051. `model`
        is `NAME` or `NAME@VERSION`; an empty name selects the server's default model.
        `timeout_seconds` is the deadline of each request; None means no deadline. `tls` enables
        TLS; without it, `token` (a bearer token) is sent unencrypted. `priority` applies to
        `predict`, `score`, `rescore` and `explain`. Raises `InvalidInput` for an invalid address or
        token and for a model name that is not valid Unicode, `InvalidFile` for an unusable file in
        `tls`.
        """
        check_server(address)
        self._address = address
        self._diagnosis = Diagnosis(address, tls)
        require_unicode(model, "model")
        self._model = model
        self._priority: priority_pb2.Priority.ValueType = priority.value
        self._metadata = metadata_of(token)
        self._settings: dict[str, Any] = {"timeout": timeout_seconds, "metadata": self._metadata}
        self._channel = self._open(address, tls)
        self._prediction = prediction_pb2_grpc.PredictionServiceStub(self._channel)
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(self._channel)
        self._models = models_pb2_grpc.ModelServiceStub(self._channel)

    @abstractmethod
    def _open(self, address: str, tls: Tls | None) -> Any:
        """Open the channel."""

    def _predict(self, query: Query) -> Rpc[PredictionResult]:
        request = encode_predict_request(self._model, query, self._priority)
        return Rpc(self._prediction.Predict, request, decode_prediction)

    def _generate(self, query: GenerationQuery) -> Rpc[GenerationResult]:
        request = encode_generate_request(self._model, query)
        return Rpc(self._prediction.StreamGenerate, request, decode_generated_word)

    def _score(
        self, history: str, candidates: Sequence[str], count_eos: bool, return_words: bool
    ) -> Rpc[ScoreResult]:
        request = encode_score_request(
            self._model, history, candidates, count_eos, return_words, self._priority
        )
        return Rpc(self._scoring.Score, request, decode_scores)

    def _rescore(
        self,
        history: str,
        hypotheses: HypothesisSpace,
        score_weights: ScoreWeights,
        count_eos: bool,
        bounds: SearchBounds,
    ) -> Rpc[RescoringResult]:
        request = encode_rescore_request(
            self._model, history, hypotheses, score_weights, count_eos, bounds, self._priority
        )
        return Rpc(self._scoring.Rescore, request, decode_ranking)

    def _explain(self, query: ExplanationQuery) -> Rpc[ExplanationResult]:
        request = encode_explain_request(self._model, query, self._priority)
        return Rpc(self._models.Explain, request, decode_explanation)

    def _list_models(self) -> Rpc[list[ModelDescription]]:
        return Rpc(
            self._models.ListModels,
            models_pb2.ListModelsRequest(),
            lambda answer: [decode_model(model) for model in answer.models],
        )

    def _get_model(self) -> Rpc[ModelDescription]:
        request = models_pb2.GetModelRequest(model=self._model)
        return Rpc(self._models.GetModel, request, lambda answer: decode_model(answer.model))

    def _get_server(self) -> Rpc[ServerDescription]:
        return Rpc(self._models.ListModels, models_pb2.ListModelsRequest(), decode_server)
