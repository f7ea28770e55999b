"""A typed client of a Wordgate server: `Client` blocks, `AsyncClient` is for asyncio.

Knows the protocol and answers the same values as a model in this process. What the server refuses
comes back as the error of `wordgate.errors` that it was: `InvalidInput` names the field.

    with Client("127.0.0.1:50051") as client:
        for suggestion in client.predict("the clouds are in the").suggestions:
            print(suggestion.text, suggestion.probability)

Every request may raise these; a future has them as its error:

    InvalidInput      `field` cannot be used; `request`: the message is too large
    ModelNotFound     the server does not serve `model`; `served` is what it does
    Overloaded        too much at once; ask again after `retry_after_seconds`
    DeadlineExceeded  no answer within `timeout_seconds`
    Unauthenticated   the server wants a token, and there is none or one that it does not know
    Unavailable       nobody answers at the address, or the server is going down
    Cancelled         the client was closed before the answer came
    WordgateError     any other status of gRPC

A `TypeError` is raised at once for arguments of another type: a str where a list of texts belongs.

The connection is plain text unless `tls` says how it is not; `token` makes the caller known:

    Client("words.example.org:443", tls=Tls(), token=os.environ["WORDGATE_TOKEN"])
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Self, TypeVar, Unpack

import grpc
import grpc.aio

from wordgate.api.v1 import (
    models_pb2,
    models_pb2_grpc,
    prediction_pb2_grpc,
    scoring_pb2_grpc,
)
from wordgate.api.v1.priority_pb2 import PRIORITY_BATCH, PRIORITY_UNSPECIFIED, Priority
from wordgate.client_diagnosis import Diagnosis, explained
from wordgate.client_generation import generate_request, words_of, words_of_async
from wordgate.client_policy import SERVICE_CONFIG
from wordgate.client_security import (
    Tls,
    asyncio_channel,
    blocking_channel,
    check_server,
    metadata_of,
)
from wordgate.client_session import TypingSession
from wordgate.client_wire import (
    ModelDescription,
    NoAnswer,
    ServerDescription,
    described,
    error_of,
    model_description,
    predict_request,
    prediction_answer,
    rescore_request,
    rescoring_answer,
    score_answer,
    score_request,
    server_description,
    session_configuration,
)
from wordgate.core.generation import GenerationQuery, GenerationValues
from wordgate.core.lattice_search import SearchBounds
from wordgate.core.options import Options, OptionValues
from wordgate.core.prediction import Query
from wordgate.core.rescoring import PLAIN_BOUNDS, Hypotheses
from wordgate.core.text import refuse_surrogates
from wordgate.core.weighting import Weighting
from wordgate.engine.answers import (
    GenerationAnswer,
    PredictionAnswer,
    RescoringAnswer,
    ScoreAnswer,
)
from wordgate.errors import WordgateError

T = TypeVar("T")

DEFAULT_TIMEOUT_SECONDS = 60.0
_OPTIONS = (
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.service_config", SERVICE_CONFIG),
    # gRPC itself waits a second after one connection that failed, and up to two minutes later on.
    # A worker that is killed may refuse one, and a server that is started again is there soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),  # gRPC would share connections among clients
)
_PLAIN = Weighting()


class Client:
    """Asks a server and waits. May be used by several threads.

    Use it with `with`, or call `close`. All requests share one connection.
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
        refuse_surrogates(model, "model")
        self._model = model
        self._priority: Priority.ValueType = PRIORITY_BATCH if batch else PRIORITY_UNSPECIFIED
        self._timeout = timeout_seconds
        self._metadata = metadata_of(token)
        self._channel = blocking_channel(address, tls, _OPTIONS)
        self._prediction = prediction_pb2_grpc.PredictionServiceStub(self._channel)
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(self._channel)
        self._models = models_pb2_grpc.ModelServiceStub(self._channel)

    def predict(
        self,
        history: str,
        prefix: str = "",
        **options: Unpack[OptionValues],
    ) -> PredictionAnswer:
        """The likeliest next words after `history` that begin with `prefix`.

        `options` are the fields of `wordgate.core.options.Options`, by name; the server's limits
        (`get_server`) bound the texts. Log-probabilities are natural logarithms. The answer's
        `prefix` is what a suggestion replaces; `exact` is false if a search met its bound first.
        """
        query = Query(history, prefix, Options(**options))
        return _result(self.ask_predict(query))

    def generate(
        self,
        history: str,
        prefix: str = "",
        **values: Unpack[GenerationValues],
    ) -> Generator[GenerationAnswer, None, None]:
        """How a text goes on after `history`, word by word, the first one beginning with `prefix`.

            for answer in client.generate("the clouds are in the", max_words=20):
                print(answer.word.text, end="", flush=True)

        `values` are the fields of `GenerationQuery`, which says how each word is drawn; it is
        computed when the one before it was sent. Put its `text` behind what was written, the
        first one's in the place of its `prefix`. The last word has a `finish`; `seed` gives the
        text again. Closing the generator cancels the rest; `timeout_seconds` bounds the whole
        text. Raises `InvalidInput` at once for values outside their limits, all else where the
        words are read.
        """
        return self.ask_generate(GenerationQuery(history, prefix, **values))

    def score(self, history: str, candidates: Sequence[str], count_eos: bool = True) -> ScoreAnswer:
        """Log-probability of each candidate after `history`, in the order given.

        Natural logarithms of the whole text, its end included if `count_eos`; posteriors are shares
        among the candidates. The server's limits bound their number and their pieces.
        """
        return _result(self.ask_score(history, candidates, count_eos))

    def rescore(
        self,
        hypotheses: Hypotheses,
        weighting: Weighting = _PLAIN,
        *,
        history: str = "",
        count_eos: bool = True,
        bounds: SearchBounds = PLAIN_BOUNDS,
    ) -> RescoringAnswer:
        """A recogniser's hypotheses, ranked by their totals after `history`.

        A total is weights * scores + lm_weight * log_prob + word_bonus * words + boosts, as
        `weighting` says; by default the acoustic score and the log-probability as they are. An
        n-best list is ranked whole; a lattice or a confusion network is searched within `bounds`.
        """
        return _result(self.ask_rescore(history, hypotheses, weighting, count_eos, bounds))

    def list_models(self) -> list[ModelDescription]:
        """All that is served, in order of name and version."""
        answered = _result(self._ask(self._models.ListModels, _LIST, lambda answer: answer.models))
        return [model_description(model) for model in answered]

    def get_model(self) -> ModelDescription:
        """The model that this client asks. Raises `ModelNotFound`."""
        request = models_pb2.GetModelRequest(model=self._model)
        return _result(self._ask(self._models.GetModel, request, described))

    def get_server(self) -> ServerDescription:
        """The server's versions, device and limits."""
        return _result(self._ask(self._models.ListModels, _LIST, server_description))

    def ask_predict(self, query: Query) -> "Future[PredictionAnswer]":
        """As `predict`, without waiting. Cancelling the future cancels the request.

        Raises `InvalidInput` at once for text that is not Unicode.
        """
        request = predict_request(self._model, query, self._priority)
        return self._ask(self._prediction.Predict, request, prediction_answer)

    def ask_score(
        self, history: str, candidates: Sequence[str], count_eos: bool = True
    ) -> "Future[ScoreAnswer]":
        """As `score`, without waiting. Cancelling the future cancels the request.

        Raises `InvalidInput` at once for text that is not Unicode.
        """
        request = score_request(self._model, history, candidates, count_eos, self._priority)
        return self._ask(self._scoring.Score, request, score_answer)

    def ask_rescore(
        self,
        history: str,
        hypotheses: Hypotheses,
        weighting: Weighting,
        count_eos: bool = True,
        bounds: SearchBounds = PLAIN_BOUNDS,
    ) -> "Future[RescoringAnswer]":
        """As `rescore`, without waiting. Cancelling the future cancels the request.

        Raises `InvalidInput` at once for text that is not Unicode.
        """
        request = rescore_request(
            self._model, history, hypotheses, weighting, count_eos, bounds, self._priority
        )
        return self._ask(self._scoring.Rescore, request, rescoring_answer)

    def ask_generate(self, query: GenerationQuery) -> Generator[GenerationAnswer, None, None]:
        """As `generate`."""
        request = generate_request(self._model, query)
        begin = partial(
            self._prediction.StreamGenerate,
            request,
            timeout=self._timeout,
            metadata=self._metadata,
        )
        return words_of(begin, self._error_of)

    def close(self) -> None:
        """Close the connection; requests under way are cancelled."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _error_of(self, call: Any) -> WordgateError:
        return explained(error_of(call, self._address), self._diagnosis)

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
            except Exception as error:  # noqa: BLE001  whatever it is, its owner is told
                future.set_exception(error)

        future.add_done_callback(lambda done: call.cancel() if done.cancelled() else None)
        call.add_done_callback(settle)
        return future


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
        refuse_surrogates(model, "model")
        self._model = model
        self._priority: Priority.ValueType = PRIORITY_BATCH if batch else PRIORITY_UNSPECIFIED
        self._timeout = timeout_seconds
        self._metadata = metadata_of(token)
        self._loop = _running_loop()
        self._channel = asyncio_channel(address, tls, _OPTIONS)
        self._prediction = prediction_pb2_grpc.PredictionServiceStub(self._channel)
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(self._channel)
        self._models = models_pb2_grpc.ModelServiceStub(self._channel)

    async def predict(
        self,
        history: str,
        prefix: str = "",
        **options: Unpack[OptionValues],
    ) -> PredictionAnswer:
        """The likeliest next words after `history` that begin with `prefix`.

        `options` are the fields of `wordgate.core.options.Options`, by name; the server's limits
        (`get_server`) bound the texts. Log-probabilities are natural logarithms. The answer's
        `prefix` is what a suggestion replaces; `exact` is false if a search met its bound first.
        """
        query = Query(history, prefix, Options(**options))
        request = predict_request(self._model, query, self._priority)
        return prediction_answer(await self._ask(self._prediction.Predict, request))

    def generate(
        self,
        history: str,
        prefix: str = "",
        **values: Unpack[GenerationValues],
    ) -> AsyncGenerator[GenerationAnswer, None]:
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
        self, history: str, candidates: Sequence[str], count_eos: bool = True
    ) -> ScoreAnswer:
        """Log-probability of each candidate after `history`, in the order given.

        Natural logarithms of the whole text, its end included if `count_eos`; posteriors are shares
        among the candidates. The server's limits bound their number and their pieces.
        """
        request = score_request(self._model, history, candidates, count_eos, self._priority)
        return score_answer(await self._ask(self._scoring.Score, request))

    async def rescore(
        self,
        hypotheses: Hypotheses,
        weighting: Weighting = _PLAIN,
        *,
        history: str = "",
        count_eos: bool = True,
        bounds: SearchBounds = PLAIN_BOUNDS,
    ) -> RescoringAnswer:
        """A recogniser's hypotheses, ranked by their totals after `history`.

        A total is weights * scores + lm_weight * log_prob + word_bonus * words + boosts, as
        `weighting` says; by default the acoustic score and the log-probability as they are. An
        n-best list is ranked whole; a lattice or a confusion network is searched within `bounds`.
        """
        request = rescore_request(
            self._model, history, hypotheses, weighting, count_eos, bounds, self._priority
        )
        return rescoring_answer(await self._ask(self._scoring.Rescore, request))

    async def list_models(self) -> list[ModelDescription]:
        """All that is served, in order of name and version."""
        answer = await self._ask(self._models.ListModels, _LIST)
        return [model_description(model) for model in answer.models]

    async def get_model(self) -> ModelDescription:
        """The model that this client asks. Raises `ModelNotFound`."""
        request = models_pb2.GetModelRequest(model=self._model)
        return described(await self._ask(self._models.GetModel, request))

    async def get_server(self) -> ServerDescription:
        """The server's versions, device and limits."""
        return server_description(await self._ask(self._models.ListModels, _LIST))

    def type_session(
        self,
        **options: Unpack[OptionValues],
    ) -> TypingSession:
        """A typing session, to be entered with `async with`. `timeout_seconds` does not bound it.

            async with client.type_session(max_suggestions=3) as session:
                answer = await session.suggest("the clouds are in the s")
                print(answer.prefix, [found.text for found in answer.prediction.suggestions])

        Options as of `predict`, which raise `InvalidInput` at once outside their limits.
        """
        configuration = session_configuration(self._model, Options(**options))
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
        error = error_of(call, self._address)
        if not isinstance(error, NoAnswer):
            return error
        return await asyncio.to_thread(explained, error, self._diagnosis)


_LIST = models_pb2.ListModelsRequest()


def _result(future: "Future[T]") -> T:
    """The result; an interrupted wait cancels the request."""
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _running_loop() -> asyncio.AbstractEventLoop:
    """Return the running loop. Raises `RuntimeError` when there is none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        problem = "AsyncClient: no event loop is running; make the client inside a coroutine"
        raise RuntimeError(f"{problem}, or use Client") from None
