"""Streaming text generation.

Each word is computed only after the previous one has been sent, so that the client's reading speed
limits the work.
"""

from collections.abc import AsyncGenerator
from operator import attrgetter

from wordgate.api.v1 import prediction_pb2
from wordgate.api.v1.prediction_pb2 import StreamGenerateRequest, StreamGenerateResponse
from wordgate.decoding.generation import (
    DEFAULT_MAX_WORDS,
    DEFAULT_TOP_K,
    FinishReason,
    GenerationQuery,
    GenerationState,
)
from wordgate.decoding.search import DEFAULT_MAX_EXPANSIONS
from wordgate.engine.results import GenerationResult
from wordgate.engine.scheduler import Priority
from wordgate.errors import Unavailable
from wordgate.protocol.limits import Limits, check_bytes, check_most
from wordgate.protocol.models import encode_model_version
from wordgate.protocol.status import DRAINING
from wordgate.server.services.context import Deadline, ServingContext

_REASONS = {
    None: prediction_pb2.FINISH_REASON_UNSPECIFIED,
    FinishReason.END_OF_TEXT: prediction_pb2.FINISH_REASON_END_OF_TEXT,
    FinishReason.STOP_WORD: prediction_pb2.FINISH_REASON_STOP_WORD,
    FinishReason.MAX_WORDS: prediction_pb2.FINISH_REASON_MAX_WORDS,
    FinishReason.NO_CANDIDATE: prediction_pb2.FINISH_REASON_NO_CANDIDATE,
}


async def generated(
    serving: ServingContext, request: StreamGenerateRequest, call: Deadline
) -> AsyncGenerator[StreamGenerateResponse, None]:
    """Generate words one at a time, all with the same model.

    Raises `InvalidInput` and `ModelNotFound` before any work is done. When the server drains,
    raises `Unavailable` after the word in progress.
    """
    model = serving.model(request.model)
    asks = model.begin_text(generation_query(request, serving.limits))
    draft: GenerationState | None = await serving.start(model, asks, Priority.NORMAL, call)
    while draft is not None:
        if serving.draining.is_set():
            raise Unavailable(DRAINING)
        seed = draft.seed
        search = serving.metrics.searching(model.next_word(draft), attrgetter("word.expansions"))
        written = await serving.start(model, search, Priority.NORMAL, call, admitted=True)
        yield generate_response(GenerationResult(written.word, seed, model.name))
        draft = written.draft


def generation_query(request: StreamGenerateRequest, limits: Limits) -> GenerationQuery:
    """Return the query of a request. Raises `InvalidInput` for a field outside its limits."""
    check_bytes("history", request.history, limits.max_history_bytes)
    check_bytes("prefix", request.prefix, limits.max_prefix_bytes)
    check_most("stop_words", request.stop_words, limits.max_stop_words)
    for number, word in enumerate(request.stop_words):
        check_bytes(f"stop_words[{number}]", word, limits.max_stop_word_bytes)
    return GenerationQuery(
        history=request.history,
        prefix=request.prefix,
        max_words=request.max_words or DEFAULT_MAX_WORDS,
        temperature=request.temperature if request.HasField("temperature") else 1.0,
        top_k=request.top_k or DEFAULT_TOP_K,
        top_p=request.top_p if request.HasField("top_p") else 1.0,
        seed=request.seed if request.HasField("seed") else None,
        stop_words=tuple(request.stop_words),
        max_expansions=request.max_expansions or DEFAULT_MAX_EXPANSIONS,
    )


def generate_response(answer: GenerationResult) -> StreamGenerateResponse:
    """Return the response message for one word."""
    word = answer.word
    return StreamGenerateResponse(
        word=word.word,
        text=word.text,
        log_prob=word.log_prob,
        finish_reason=_REASONS[word.finish],
        exact=word.exact,
        model=encode_model_version(answer.model),
        seed=answer.seed,
        prefix=word.prefix,
        expansions=word.expansions,
    )
