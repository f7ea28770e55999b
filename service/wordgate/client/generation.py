"""Text generation for both clients: build the request and read the stream of words.

Users import `wordgate.client`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

import grpc

from wordgate.api.v1 import prediction_pb2
from wordgate.decoding.generation import FinishReason, GeneratedWord, GenerationQuery
from wordgate.engine.results import GenerationResult
from wordgate.errors import WordgateError
from wordgate.protocol.models import decode_model_version
from wordgate.text.normalization import require_unicode
from wordgate.text.steps import finish

_FINISHES: dict[int, FinishReason] = {
    prediction_pb2.FINISH_REASON_END_OF_TEXT: FinishReason.END_OF_TEXT,
    prediction_pb2.FINISH_REASON_STOP_WORD: FinishReason.STOP_WORD,
    prediction_pb2.FINISH_REASON_MAX_WORDS: FinishReason.MAX_WORDS,
    prediction_pb2.FINISH_REASON_NO_CANDIDATE: FinishReason.NO_CANDIDATE,
}


def generate_request(model: str, query: GenerationQuery) -> prediction_pb2.StreamGenerateRequest:
    """Return the request for a query. Raises `InvalidInput` for text that is not valid Unicode."""
    require_unicode(query.history, "history")
    require_unicode(query.prefix, "prefix")
    finish(query.prepare())
    return prediction_pb2.StreamGenerateRequest(
        model=model,
        history=query.history,
        prefix=query.prefix,
        max_words=query.max_words,
        temperature=query.temperature,
        top_k=query.top_k,
        top_p=query.top_p,
        seed=query.seed,
        stop_words=query.stop_words,
        max_expansions=query.max_expansions,
    )


def words_of(
    begin: Callable[[], Any], error_of: Callable[[Any], WordgateError]
) -> Generator[GenerationResult, None, None]:
    """Yield the words of a call as they arrive.

    The call starts when the first word is requested and is cancelled when the generator is closed.
    """
    call = begin()
    try:
        for answer in call:
            yield generation_answer(answer)
    except grpc.RpcError as error:
        raise error_of(error) from None
    finally:
        call.cancel()


async def words_of_async(
    begin: Callable[[], Any], error_of: Callable[[Any], Awaitable[WordgateError]]
) -> AsyncGenerator[GenerationResult, None]:
    """Same as `words_of`, but for asyncio."""
    call = begin()
    try:
        async for answer in call:
            yield generation_answer(answer)
    except grpc.RpcError as error:
        raise await error_of(error) from None
    finally:
        call.cancel()


def generation_answer(answer: prediction_pb2.StreamGenerateResponse) -> GenerationResult:
    """Convert a response message to a result."""
    word = GeneratedWord(
        word=answer.word,
        text=answer.text,
        prefix=answer.prefix,
        log_prob=answer.log_prob,
        exact=answer.exact,
        expansions=answer.expansions,
        finish=_FINISHES.get(answer.finish_reason),
    )
    return GenerationResult(word, answer.seed, decode_model_version(answer.model))
