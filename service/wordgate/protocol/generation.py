"""Encode and decode generation requests and generated words."""

from wordgate.api.v1 import prediction_pb2
from wordgate.api.v1.prediction_pb2 import StreamGenerateRequest, StreamGenerateResponse
from wordgate.decoding.generation import (
    DEFAULT_MAX_WORDS,
    DEFAULT_TOP_K,
    FinishReason,
    GeneratedWord,
    GenerationQuery,
)
from wordgate.decoding.search import DEFAULT_MAX_EXPANSIONS
from wordgate.engine.results import GenerationResult
from wordgate.protocol.limits import Limits, check_bytes, check_most
from wordgate.protocol.models import decode_model_version, encode_model_version
from wordgate.text.cooperative_steps import finish
from wordgate.text.normalization import require_unicode

_REASONS = {
    None: prediction_pb2.FINISH_REASON_UNSPECIFIED,
    FinishReason.END_OF_TEXT: prediction_pb2.FINISH_REASON_END_OF_TEXT,
    FinishReason.STOP_WORD: prediction_pb2.FINISH_REASON_STOP_WORD,
    FinishReason.MAX_WORDS: prediction_pb2.FINISH_REASON_MAX_WORDS,
    FinishReason.NO_CANDIDATE: prediction_pb2.FINISH_REASON_NO_CANDIDATE,
}
_REASON_NAMES: dict[int, FinishReason | None] = {value: key for key, value in _REASONS.items()}


def encode_generate_request(model: str, query: GenerationQuery) -> StreamGenerateRequest:
    """Return the request for a query. Raises `InvalidInput` for text that is not valid Unicode."""
    require_unicode(query.history, "history")
    require_unicode(query.prefix, "prefix")
    finish(query.prepare())
    return StreamGenerateRequest(
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


def decode_generate_request(request: StreamGenerateRequest, limits: Limits) -> GenerationQuery:
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


def encode_generated_word(answer: GenerationResult) -> StreamGenerateResponse:
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


def decode_generated_word(answer: StreamGenerateResponse) -> GenerationResult:
    """Decode the response message for one word."""
    word = GeneratedWord(
        word=answer.word,
        text=answer.text,
        prefix=answer.prefix,
        log_prob=answer.log_prob,
        exact=answer.exact,
        expansions=answer.expansions,
        finish=_REASON_NAMES.get(answer.finish_reason),
    )
    return GenerationResult(word, answer.seed, decode_model_version(answer.model))
