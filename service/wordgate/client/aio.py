"""Asyncio client for a Wordgate server."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Any, Self, TypeVar, Unpack

import grpc
import grpc.aio

from wordgate.client.base import DEFAULT_SCORE_WEIGHTS, ClientBase, Rpc
from wordgate.client.diagnosis import explained
from wordgate.client.tls import CHANNEL_OPTIONS, Tls, asyncio_channel
from wordgate.client.typing_session import TypingSession
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
from wordgate.protocol.prediction import encode_session_configuration
from wordgate.protocol.status import NoAnswer, decode_error
from wordgate.scoring.explanation import ExplanationKwargs, ExplanationQuery
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS, HypothesisSpace
from wordgate.scoring.score_weights import ScoreWeights

T = TypeVar("T")


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
        """Same as `Client.predict`."""
        return await self._ask(self._predict(Query(history, prefix, Options(**options))))

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
        return self._stream(self._generate(GenerationQuery(history, prefix, **values)))

    async def score(
        self,
        history: str,
        candidates: Sequence[str],
        count_eos: bool = True,
        return_words: bool = False,
    ) -> ScoreResult:
        """Same as `Client.score`."""
        return await self._ask(self._score(history, candidates, count_eos, return_words))

    async def rescore(
        self,
        history: str,
        hypotheses: HypothesisSpace,
        score_weights: ScoreWeights = DEFAULT_SCORE_WEIGHTS,
        *,
        count_eos: bool = True,
        bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
    ) -> RescoringResult:
        """Same as `Client.rescore`."""
        return await self._ask(self._rescore(history, hypotheses, score_weights, count_eos, bounds))

    async def explain(self, text: str, **options: Unpack[ExplanationKwargs]) -> ExplanationResult:
        """Same as `Client.explain`."""
        return await self._ask(self._explain(ExplanationQuery(text, **options)))

    async def list_models(self) -> list[ModelDescription]:
        """Same as `Client.list_models`."""
        return await self._ask(self._list_models())

    async def get_model(self) -> ModelDescription:
        """Same as `Client.get_model`."""
        return await self._ask(self._get_model())

    async def get_server(self) -> ServerDescription:
        """Same as `Client.get_server`."""
        return await self._ask(self._get_server())

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

    async def _ask(self, rpc: Rpc[T]) -> T:
        call = self._begin(rpc.method, rpc.request, **self._settings)
        try:
            return rpc.decode(await call)
        except grpc.RpcError as error:
            raise await self._error_of(error) from None

    async def _stream(self, rpc: Rpc[T]) -> AsyncGenerator[T, None]:
        """Yield the results of a stream, which starts when the first one is requested."""
        call = self._begin(rpc.method, rpc.request, **self._settings)
        try:
            async for answer in call:
                yield rpc.decode(answer)
        except grpc.RpcError as error:
            raise await self._error_of(error) from None
        finally:
            call.cancel()

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
