"""A client of a Wordgate server for asyncio."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Any, Self, Unpack

import grpc
import grpc.aio

from wordgate.api.v1 import (
    models_pb2,
    models_pb2_grpc,
    prediction_pb2_grpc,
    scoring_pb2_grpc,
)
from wordgate.api.v1.priority_pb2 import PRIORITY_BATCH, PRIORITY_UNSPECIFIED, Priority
from wordgate.client.diagnosis import Diagnosis, explained
from wordgate.client.generation import generate_request, words_of_async
from wordgate.client.tls import (
    CHANNEL_OPTIONS,
    DEFAULT_TIMEOUT_SECONDS,
    Tls,
    asyncio_channel,
    check_server,
    metadata_of,
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
from wordgate.scoring.weighting import Weighting
from wordgate.text.normalization import require_unicode

_PLAIN = Weighting()
_LIST = models_pb2.ListModelsRequest()


class AsyncClient:
    """Asks a server from asyncio. Belongs to the event loop in which it was made, by a coroutine.

    Use it with `async with`, or call `close`. Cancelling a task that waits cancels its request.
    """

    def __init__(
        self,
        address: str,
        *,
        model: str = "",
        timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
        tls: Tls | None = None,
        token: str | None = None,
        batch: bool = False,
    ) -> None:
        """Nothing is sent yet: an address where nobody answers is found out by the first request.

        `address` is HOST:PORT, unix:PATH or a target of gRPC, as in dns:///wordgate:50051. `model`
        is `NAME` or `NAME@VERSION`; empty asks the server's default model. `timeout_seconds` is for
        each request; None waits for ever. `tls` is for servers that
        speak TLS; without it a `token` can be read by whoever is on the way. `batch`: nobody waits
        for the answers; many requests may be under way, and they are done in what others leave.
        Raises `InvalidInput` for an invalid address or token and for a name that is not Unicode,
        `InvalidFile` for files of `tls`.
        """
        check_server(address)
        self._address = address
        self._diagnosis = Diagnosis(address, tls)
        require_unicode(model, "model")
        self._model = model
        self._priority: Priority.ValueType = PRIORITY_BATCH if batch else PRIORITY_UNSPECIFIED
        self._timeout = timeout_seconds
        self._metadata = metadata_of(token)
        self._loop = _running_loop()
        self._channel = asyncio_channel(address, tls, CHANNEL_OPTIONS)
        self._prediction = prediction_pb2_grpc.PredictionServiceStub(self._channel)
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(self._channel)
        self._models = models_pb2_grpc.ModelServiceStub(self._channel)

    async def predict(
        self,
        history: str,
        prefix: str = "",
        **options: Unpack[SuggestionKwargs],
    ) -> PredictionResult:
        """The likeliest next words after `history` that begin with `prefix`.

        `options` are the fields of `wordgate.decoding.options.Options`, by name; the server's
        limits (`get_server`) bound the texts. Log-probabilities are natural logarithms. The
        answer's `prefix` is what a suggestion replaces; `exact` is false if a search met its bound
        first.
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
        """How a text goes on after `history`, word by word, the first one beginning with `prefix`.

            async for answer in client.generate("the clouds are in the", max_words=20):
                print(answer.word.text, end="", flush=True)

        As `Client.generate`. Cancelling the task that reads cancels the rest; who stops reading
        closes the generator (`contextlib.aclosing`).
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
        """Log-probability of each candidate after `history`, in the order given.

        Natural logarithms of the whole text, its end included if `count_eos`; posteriors are shares
        among the candidates. `return_words`: the log-probability of each word too. The server's
        limits bound the number of candidates and their tokens.
        """
        request = encode_score_request(
            self._model, history, candidates, count_eos, return_words, self._priority
        )
        return decode_scores(await self._ask(self._scoring.Score, request))

    async def rescore(
        self,
        history: str,
        hypotheses: HypothesisSpace,
        weighting: Weighting = _PLAIN,
        *,
        count_eos: bool = True,
        bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
    ) -> RescoringResult:
        """A recogniser's hypotheses, ranked by their totals after `history`.

        A total is weights * scores + lm_weight * log_prob + word_bonus * words + boosts, as
        `weighting` says; by default the acoustic score and the log-probability as they are. An
        n-best list is ranked whole; a lattice or a confusion network is searched within `bounds`.
        """
        request = encode_rescore_request(
            self._model, history, hypotheses, weighting, count_eos, bounds, self._priority
        )
        return decode_ranking(await self._ask(self._scoring.Rescore, request))

    async def list_models(self) -> list[ModelDescription]:
        """All that is served, in order of name and version."""
        answer = await self._ask(self._models.ListModels, _LIST)
        return [decode_model(model) for model in answer.models]

    async def get_model(self) -> ModelDescription:
        """The model that this client asks. Raises `ModelNotFound`."""
        request = models_pb2.GetModelRequest(model=self._model)
        return decode_model(await self._ask(self._models.GetModel, request))

    async def get_server(self) -> ServerDescription:
        """The server's versions, device and limits."""
        return decode_server(await self._ask(self._models.ListModels, _LIST))

    def typing_session(
        self,
        **options: Unpack[SuggestionKwargs],
    ) -> TypingSession:
        """A typing session, to be entered with `async with`. `timeout_seconds` does not bound it.

            async with client.typing_session(max_suggestions=3) as session:
                answer = await session.suggest("the clouds are in the s")
                print(answer.prefix, [found.text for found in answer.prediction.suggestions])

        Options as of `predict`, which raise `InvalidInput` at once outside their limits.
        """
        configuration = encode_session_configuration(self._model, Options(**options))
        begin = partial(self._begin, self._prediction.StreamPredict, metadata=self._metadata)
        return TypingSession(begin, configuration, self._address, self._error_of)

    async def close(self) -> None:
        """Close the connection; requests under way are cancelled."""
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
        """Begin a call in the loop of this client."""
        self._check_loop()
        return method(*arguments, **named)

    def _check_loop(self) -> None:
        """Raise `RuntimeError` in another event loop than the one of this client."""
        if asyncio.get_running_loop() is not self._loop:
            problem = "AsyncClient: belongs to another event loop; make one in each loop"
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
        problem = "AsyncClient: no event loop is running; make the client inside a coroutine"
        raise RuntimeError(f"{problem}, or use Client") from None
