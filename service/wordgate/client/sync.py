"""Blocking client for a Wordgate server."""

from collections.abc import Generator, Sequence
from concurrent.futures import Future
from typing import Any, Self, TypeVar, Unpack

import grpc

from wordgate.client.base import DEFAULT_SCORE_WEIGHTS, ClientBase, Rpc
from wordgate.client.diagnosis import explained
from wordgate.client.tls import CHANNEL_OPTIONS, Tls, blocking_channel
from wordgate.decoding.generation import GenerationKwargs, GenerationQuery
from wordgate.decoding.options import Options, SuggestionKwargs
from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.engine.results import (
    ExplanationResult,
    GenerationResult,
    RescoringResult,
    ScoreResult,
)
from wordgate.errors import WordgateError
from wordgate.protocol.models import ModelDescription, ServerDescription
from wordgate.protocol.status import decode_error
from wordgate.scoring.explanation import ExplanationKwargs, ExplanationQuery
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS, HypothesisSpace
from wordgate.scoring.score_weights import ScoreWeights

T = TypeVar("T")


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
        return self._ask(self._predict(Query(history, prefix, Options(**options))))

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
        return self._ask(self._score(history, candidates, count_eos, return_words))

    def rescore(
        self,
        history: str,
        hypotheses: HypothesisSpace,
        score_weights: ScoreWeights = DEFAULT_SCORE_WEIGHTS,
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
        return self._ask(self._rescore(history, hypotheses, score_weights, count_eos, bounds))

    def explain(self, text: str, **options: Unpack[ExplanationKwargs]) -> ExplanationResult:
        """Explain a text: what the model expected at each word and token, and what its layers did.

        `options` are the fields of `wordgate.scoring.explanation.ExplanationQuery`, by name.
        Surprisals are in nats. docs/explaining.md describes the figures.
        """
        return self._ask(self._explain(ExplanationQuery(text, **options)))

    def list_models(self) -> list[ModelDescription]:
        """Return all served models, ordered by name and version."""
        return self._ask(self._list_models())

    def get_model(self) -> ModelDescription:
        """Return the model that this client uses. Raises `ModelNotFound`."""
        return self._ask(self._get_model())

    def get_server(self) -> ServerDescription:
        """Return the server's versions, device and limits."""
        return self._ask(self._get_server())

    def submit_predict(self, query: Query) -> "Future[PredictionResult]":
        """Same as `predict`, but non-blocking. Cancelling the future cancels the request.

        Raises `InvalidInput` at once for text that is not valid Unicode.
        """
        return self._submit(self._predict(query))

    def submit_score(
        self,
        history: str,
        candidates: Sequence[str],
        count_eos: bool = True,
        return_words: bool = False,
    ) -> "Future[ScoreResult]":
        """Same as `score`, but non-blocking, like `submit_predict`."""
        return self._submit(self._score(history, candidates, count_eos, return_words))

    def submit_rescore(
        self,
        history: str,
        hypotheses: HypothesisSpace,
        score_weights: ScoreWeights,
        count_eos: bool = True,
        bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
    ) -> "Future[RescoringResult]":
        """Same as `rescore`, but non-blocking, like `submit_predict`."""
        return self._submit(self._rescore(history, hypotheses, score_weights, count_eos, bounds))

    def submit_explain(self, query: ExplanationQuery) -> "Future[ExplanationResult]":
        """Same as `explain`, but non-blocking, like `submit_predict`."""
        return self._submit(self._explain(query))

    def submit_generate(self, query: GenerationQuery) -> Generator[GenerationResult, None, None]:
        """Same as `generate`, but takes a `GenerationQuery`."""
        return self._stream(self._generate(query))

    def close(self) -> None:
        """Close the connection and cancel requests in progress."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _error_of(self, call: Any) -> WordgateError:
        return explained(decode_error(call, self._address), self._diagnosis)

    def _ask(self, rpc: Rpc[T]) -> T:
        """Wait for the result; cancel the request if the wait is interrupted."""
        future = self._submit(rpc)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _stream(self, rpc: Rpc[T]) -> Generator[T, None, None]:
        """Yield the results of a stream, which starts when the first one is requested."""
        call = rpc.method(rpc.request, **self._settings)
        try:
            for answer in call:
                yield rpc.decode(answer)
        except grpc.RpcError as error:
            raise self._error_of(error) from None
        finally:
            call.cancel()

    def _submit(self, rpc: Rpc[T]) -> "Future[T]":
        call = rpc.method.future(rpc.request, **self._settings)
        future: Future[T] = Future()

        def settle(call: Any) -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(rpc.decode(call.result()))
            except (grpc.RpcError, grpc.FutureCancelledError):
                future.set_exception(self._error_of(call))
            except Exception as error:  # noqa: BLE001  every error belongs to the future
                future.set_exception(error)

        future.add_done_callback(lambda done: call.cancel() if done.cancelled() else None)
        call.add_done_callback(settle)
        return future
