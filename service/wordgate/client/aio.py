"""Asyncio client for a Wordgate server."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Any, Self, Unpack

import grpc
import grpc.aio

from wordgate.api.v1 import (
    models_pb2,
)
from wordgate.client.base import ClientBase
from wordgate.client.diagnosis import explained
from wordgate.client.generation import generate_request, words_of_async
from wordgate.client.tls import (
    CHANNEL_OPTIONS,
    Tls,
    asyncio_channel,
)
from wordgate.client.typing_session import TypingSession
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
from wordgate.protocol.prediction import (
    decode_prediction,
    encode_predict_request,
    encode_session_configuration,
)
from wordgate.protocol.rescoring import decode_ranking, encode_rescore_request
from wordgate.protocol.scoring import decode_scores, encode_score_request
from wordgate.protocol.status import NoAnswer, decode_error
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS, HypothesisSpace
from wordgate.scoring.score_weights import ScoreWeights

_PLAIN = ScoreWeights()
_LIST = models_pb2.ListModelsRequest()


class AsyncClient(ClientBase):
    """Asyncio client. Create it in a coroutine; it is bound to that event loop.

    Use it with `async with`, or call `close`. Cancelling a waiting task cancels its request.
    """

    def _open(self, address: str, tls: Tls | None) -> grpc.aio.Channel:
        self._loop = _running_loop()
        return asyncio_channel(address, tls, CHANNEL_OPTIONS)

    async def predict(
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
        request = encode_predict_request(self._model, query, self._priority)
        return decode_prediction(await self._ask(self._prediction.Predict, request))

    def generate(
        self,
        history: str,
        prefix: str = "",
        **values: Unpack[GenerationKwargs],
    ) -> AsyncGenerator[GenerationResult, None]:
        """Continue the text after `history`, yielding words; the first begins with `prefix`.

            async for answer in client.generate("the clouds are in the", max_words=20):
                print(answer.word.text, end="", flush=True)

        Same as `Client.generate`, but asynchronous. Cancelling the reading task cancels the
        request. To stop reading early, close the generator (`contextlib.aclosing`).
        """
        query = GenerationQuery(history, prefix, **values)
        request = generate_request(self._model, query)
        begin = partial(
            self._begin,
            self._prediction.StreamGenerate,
            request,
            timeout=self._timeout,
            metadata=self._metadata,
        )
        return words_of_async(begin, self._error_of)

    async def score(
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
        request = encode_score_request(
            self._model, history, candidates, count_eos, return_words, self._priority
        )
        return decode_scores(await self._ask(self._scoring.Score, request))

    async def rescore(
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
        request = encode_rescore_request(
            self._model, history, hypotheses, score_weights, count_eos, bounds, self._priority
        )
        return decode_ranking(await self._ask(self._scoring.Rescore, request))

    async def list_models(self) -> list[ModelDescription]:
        """Return all served models, ordered by name and version."""
        answer = await self._ask(self._models.ListModels, _LIST)
        return [decode_model(model) for model in answer.models]

    async def get_model(self) -> ModelDescription:
        """Return the model that this client uses. Raises `ModelNotFound`."""
        request = models_pb2.GetModelRequest(model=self._model)
        return decode_model((await self._ask(self._models.GetModel, request)).model)

    async def get_server(self) -> ServerDescription:
        """Return the server's versions, device and limits."""
        return decode_server(await self._ask(self._models.ListModels, _LIST))

    def typing_session(
        self,
        **options: Unpack[SuggestionKwargs],
    ) -> TypingSession:
        """Return a typing session for use with `async with`.

            async with client.typing_session(max_suggestions=3) as session:
                answer = await session.suggest("the clouds are in the s")
                print(answer.prefix, [found.text for found in answer.prediction.suggestions])

        `options` are those of `predict`; values outside their limits raise `InvalidInput` at once.
        `timeout_seconds` does not apply to sessions.
        """
        configuration = encode_session_configuration(self._model, Options(**options))
        begin = partial(self._begin, self._prediction.StreamPredict, metadata=self._metadata)
        return TypingSession(begin, configuration, self._address, self._error_of)

    async def close(self) -> None:
        """Close the connection and cancel requests in progress."""
        self._check_loop()
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def _ask(self, method: Any, request: Any) -> Any:
        call = self._begin(method, request, timeout=self._timeout, metadata=self._metadata)
        try:
            return await call
        except grpc.RpcError as error:
            raise await self._error_of(error) from None

    def _begin(self, method: Any, *arguments: Any, **named: Any) -> Any:
        """Start a call after checking the event loop."""
        self._check_loop()
        return method(*arguments, **named)

    def _check_loop(self) -> None:
        """Raise `RuntimeError` unless this client's event loop is running."""
        if asyncio.get_running_loop() is not self._loop:
            problem = "AsyncClient: bound to another event loop; create one client per loop"
            raise RuntimeError(problem)

    async def _error_of(self, call: Any) -> WordgateError:
        error = decode_error(call, self._address)
        if not isinstance(error, NoAnswer):
            return error
        return await asyncio.to_thread(explained, error, self._diagnosis)


def _running_loop() -> asyncio.AbstractEventLoop:
    """Return the running loop. Raises `RuntimeError` when there is none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        problem = "AsyncClient: no running event loop; create the client inside a coroutine"
        raise RuntimeError(f"{problem}, or use Client") from None
