"""Blocking client for a Wordgate server."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Self, TypeVar, Unpack

import grpc
import grpc.aio

from wordgate.api.v1 import (
    models_pb2,
)
from wordgate.client.base import ClientBase
from wordgate.client.diagnosis import explained
from wordgate.client.generation import generate_request, words_of
from wordgate.client.tls import (
    CHANNEL_OPTIONS,
    Tls,
    blocking_channel,
)
from wordgate.decoding.generation import GenerationKwargs, GenerationQuery
from wordgate.decoding.options import Options, SuggestionKwargs
from wordgate.decoding.prediction import Query
from wordgate.engine.results import (
    GenerationResult,
    PredictionResult,
    RescoringResult,
    ScoreResult,
)
from wordgate.errors import WordgateError
from wordgate.protocol.models import (
    ModelDescription,
    ServerDescription,
    decode_model,
    decode_server,
)
from wordgate.protocol.prediction import decode_prediction, encode_predict_request
from wordgate.protocol.rescoring import decode_ranking, encode_rescore_request
from wordgate.protocol.scoring import decode_scores, encode_score_request
from wordgate.protocol.status import decode_error
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS, HypothesisSpace
from wordgate.scoring.score_weights import ScoreWeights

T = TypeVar("T")

_PLAIN = ScoreWeights()
_LIST = models_pb2.ListModelsRequest()


class Client(ClientBase):
    """Blocking client. Thread-safe.

    Use it as a context manager, or call `close`. All requests share one connection.
    """

    def _open(self, address: str, tls: Tls | None) -> grpc.Channel:
        return blocking_channel(address, tls, CHANNEL_OPTIONS)

    def predict(
        self,
        history: str,
        prefix: str = "",
        **options: Unpack[SuggestionKwargs],
    ) -> PredictionResult:
        """Return the most likely next words after `history` that begin with `prefix`.

        `options` are the fields of `wordgate.decoding.options.Options`, by name. `get_server`
        returns the limits on the lengths of texts. Log-probabilities are natural logarithms. The
        result's `prefix` is the text that a suggestion replaces. `exact` is false if the search
        reached its expansion limit.
        """
        query = Query(history, prefix, Options(**options))
        return _result(self.submit_predict(query))

    def generate(
        self,
        history: str,
        prefix: str = "",
        **values: Unpack[GenerationKwargs],
    ) -> Generator[GenerationResult, None, None]:
        """Continue the text after `history`, yielding words; the first begins with `prefix`.

            for answer in client.generate("the clouds are in the", max_words=20):
                print(answer.word.text, end="", flush=True)

        `values` are the fields of `GenerationQuery`, which documents how each word is sampled.
        The server computes each word after it has sent the previous one. Append each word's `text`
        to the text; the first word's `text` replaces its `prefix`. The last word has a `finish`
        reason. The same `seed` reproduces the text. Closing the generator cancels the request.
        `timeout_seconds` limits the whole text. Raises `InvalidInput` at once for values outside
        their limits; other errors are raised while iterating.
        """
        return self.submit_generate(GenerationQuery(history, prefix, **values))

    def score(
        self,
        history: str,
        candidates: Sequence[str],
        count_eos: bool = True,
        return_words: bool = False,
    ) -> ScoreResult:
        """Return the log-probability of each candidate after `history`, in the order given.

        Log-probabilities are natural logarithms of the whole candidate, including the end-of-text
        token if `count_eos`. Posteriors sum to 1 over the candidates. `return_words`: also return
        the log-probability of each word. The server limits the number of candidates and the tokens
        per candidate.
        """
        return _result(self.submit_score(history, candidates, count_eos, return_words))

    def rescore(
        self,
        history: str,
        hypotheses: HypothesisSpace,
        score_weights: ScoreWeights = _PLAIN,
        *,
        count_eos: bool = True,
        bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
    ) -> RescoringResult:
        """Rescore a recogniser's hypotheses: rank them by total score after `history`.

        The total is weights * scores + lm_weight * log_prob + word_insertion_bonus * words +
        boosts, with the parameters in `score_weights`. The default is the acoustic score plus the
        log-probability, both unscaled. All entries of an n-best list are ranked; a lattice or a
        confusion network is searched within `bounds`.
        """
        return _result(self.submit_rescore(history, hypotheses, score_weights, count_eos, bounds))

    def list_models(self) -> list[ModelDescription]:
        """Return all served models, ordered by name and version."""
        answered = _result(self._ask(self._models.ListModels, _LIST, lambda answer: answer.models))
        return [decode_model(model) for model in answered]

    def get_model(self) -> ModelDescription:
        """Return the model that this client uses. Raises `ModelNotFound`."""
        request = models_pb2.GetModelRequest(model=self._model)
        return _result(
            self._ask(self._models.GetModel, request, lambda answer: decode_model(answer.model))
        )

    def get_server(self) -> ServerDescription:
        """Return the server's versions, device and limits."""
        return _result(self._ask(self._models.ListModels, _LIST, decode_server))

    def submit_predict(self, query: Query) -> "Future[PredictionResult]":
        """Same as `predict`, but non-blocking. Cancelling the future cancels the request.

        Raises `InvalidInput` at once for text that is not valid Unicode.
        """
        request = encode_predict_request(self._model, query, self._priority)
        return self._ask(self._prediction.Predict, request, decode_prediction)

    def submit_score(
        self,
        history: str,
        candidates: Sequence[str],
        count_eos: bool = True,
        return_words: bool = False,
    ) -> "Future[ScoreResult]":
        """Same as `score`, but non-blocking. Cancelling the future cancels the request.

        Raises `InvalidInput` at once for text that is not valid Unicode.
        """
        request = encode_score_request(
            self._model, history, candidates, count_eos, return_words, self._priority
        )
        return self._ask(self._scoring.Score, request, decode_scores)

    def submit_rescore(
        self,
        history: str,
        hypotheses: HypothesisSpace,
        score_weights: ScoreWeights,
        count_eos: bool = True,
        bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
    ) -> "Future[RescoringResult]":
        """Same as `rescore`, but non-blocking. Cancelling the future cancels the request.

        Raises `InvalidInput` at once for text that is not valid Unicode.
        """
        request = encode_rescore_request(
            self._model, history, hypotheses, score_weights, count_eos, bounds, self._priority
        )
        return self._ask(self._scoring.Rescore, request, decode_ranking)

    def submit_generate(self, query: GenerationQuery) -> Generator[GenerationResult, None, None]:
        """Same as `generate`, but takes a `GenerationQuery`."""
        request = generate_request(self._model, query)
        begin = partial(
            self._prediction.StreamGenerate,
            request,
            timeout=self._timeout,
            metadata=self._metadata,
        )
        return words_of(begin, self._error_of)

    def close(self) -> None:
        """Close the connection and cancel requests in progress."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _error_of(self, call: Any) -> WordgateError:
        return explained(decode_error(call, self._address), self._diagnosis)

    def _ask(self, method: Any, request: Any, parse: Callable[[Any], T]) -> "Future[T]":
        call = method.future(request, timeout=self._timeout, metadata=self._metadata)
        future: Future[T] = Future()

        def settle(call: Any) -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(parse(call.result()))
            except (grpc.RpcError, grpc.FutureCancelledError):
                future.set_exception(self._error_of(call))
            except Exception as error:  # noqa: BLE001  every error belongs to the future
                future.set_exception(error)

        future.add_done_callback(lambda done: call.cancel() if done.cancelled() else None)
        call.add_done_callback(settle)
        return future


def _result(future: "Future[T]") -> T:
    """Wait for the result; cancel the request if the wait is interrupted."""
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
