"""Encode and decode explanation requests and explained texts."""

from dataclasses import fields

import numpy as np

from wordgate.api.v1 import explanation_pb2, priority_pb2
from wordgate.decoding.search import ScoredWord
from wordgate.engine.results import ExplanationResult
from wordgate.protocol.limits import Limits, check_bytes, check_number
from wordgate.protocol.models import decode_model_version, encode_model_version
from wordgate.scoring.activations import FIGURES, LayerActivations, UnitActivations
from wordgate.scoring.explanation import (
    DEFAULT_TOP_K,
    ExplainedToken,
    ExplainedWord,
    Explanation,
    ExplanationQuery,
)
from wordgate.scoring.likely_tokens import ScoredToken
from wordgate.text.cooperative_steps import Steps
from wordgate.text.normalization import require_unicode

_UNITS = [each.name for each in fields(UnitActivations)]


def encode_explain_request(
    model: str,
    query: ExplanationQuery,
    priority: priority_pb2.Priority.ValueType = priority_pb2.PRIORITY_UNSPECIFIED,
) -> explanation_pb2.ExplainRequest:
    """Return the request for a query. Raises `InvalidInput` for text that is not valid Unicode."""
    require_unicode(query.text, "text")
    require_unicode(query.without, "without")
    return explanation_pb2.ExplainRequest(
        model=model,
        text=query.text,
        without=query.without,
        top_k=query.top_k,
        return_units=query.return_units,
        count_eos=query.count_eos,
        priority=priority,
    )


def decode_explain_request(
    request: explanation_pb2.ExplainRequest, limits: Limits
) -> ExplanationQuery:
    """Return the query of a request. Raises `InvalidInput` for a field outside its limits."""
    check_bytes("text", request.text, limits.max_explained_bytes)
    check_bytes("without", request.without, limits.max_explained_bytes)
    top_k = request.top_k if request.HasField("top_k") else DEFAULT_TOP_K
    check_number("top_k", top_k, 0, limits.max_suggestions)
    return ExplanationQuery(
        request.text,
        request.without,
        top_k,
        request.return_units,
        request.count_eos if request.HasField("count_eos") else True,
    )


def encode_explanation(answer: ExplanationResult) -> Steps[explanation_pb2.ExplainResponse]:
    """Return the response to `Explain`, one word or token per step."""
    response = explanation_pb2.ExplainResponse(
        log_prob=answer.explanation.log_prob,
        counted_eos=answer.counted_eos,
        model=encode_model_version(answer.model),
    )
    for word in answer.explanation.words:
        response.words.append(_encode_word(word))
        yield
    for token in answer.explanation.tokens:
        response.tokens.append(_encode_token(token))
        yield
    return response


def _encode_word(word: ExplainedWord) -> explanation_pb2.ExplainedWord:
    return explanation_pb2.ExplainedWord(
        text=word.text,
        word=word.word,
        surprisal=word.surprisal,
        alternatives=[
            explanation_pb2.WordAlternative(word=each.word, log_prob=each.log_prob)
            for each in word.alternatives
        ],
        exact=word.exact,
        log_prob_without=word.log_prob_without,
        first_token=word.first_token,
        token_count=word.token_count,
    )


def _encode_token(token: ExplainedToken) -> explanation_pb2.ExplainedToken:
    return explanation_pb2.ExplainedToken(
        text=token.text,
        word_index=token.word_index,
        surprisal=token.surprisal,
        alternatives=[
            explanation_pb2.TokenAlternative(
                text=each.text, ends_word=each.ends_word, log_prob=each.log_prob
            )
            for each in token.alternatives
        ],
        layers=map(_encode_layer, token.layers),
    )


def _encode_layer(layer: LayerActivations) -> explanation_pb2.LayerActivations:
    message = explanation_pb2.LayerActivations(**{name: getattr(layer, name) for name in FIGURES})
    if layer.units is not None:
        for name in _UNITS:
            getattr(message, f"{name}_units").extend(getattr(layer.units, name).tolist())
    return message


def decode_explanation(answer: explanation_pb2.ExplainResponse) -> ExplanationResult:
    """Decode the response to `Explain`."""
    explanation = Explanation(
        [_decode_word(word) for word in answer.words],
        [_decode_token(token) for token in answer.tokens],
        answer.log_prob,
    )
    return ExplanationResult(explanation, answer.counted_eos, decode_model_version(answer.model))


def _decode_word(word: explanation_pb2.ExplainedWord) -> ExplainedWord:
    return ExplainedWord(
        word.text,
        word.word,
        word.surprisal,
        tuple(ScoredWord(each.word, each.log_prob) for each in word.alternatives),
        word.exact,
        word.log_prob_without if word.HasField("log_prob_without") else None,
        word.first_token,
        word.token_count,
    )


def _decode_token(token: explanation_pb2.ExplainedToken) -> ExplainedToken:
    return ExplainedToken(
        token.text,
        token.word_index,
        token.surprisal,
        tuple(ScoredToken(each.text, each.ends_word, each.log_prob) for each in token.alternatives),
        tuple(map(_decode_layer, token.layers)),
    )


def _decode_layer(layer: explanation_pb2.LayerActivations) -> LayerActivations:
    units = None
    if layer.cell_units:
        arrays = (np.array(getattr(layer, f"{name}_units"), np.float32) for name in _UNITS)
        units = UnitActivations(*arrays)
    figures = {name: getattr(layer, name) for name in FIGURES}
    return LayerActivations(**figures, units=units)
