"""Explanations of texts: scheduling, cost and encoding in the engine."""

import asyncio

from wordgate.api.v1.explanation_pb2 import ExplainRequest, ExplainResponse
from wordgate.engine.job import Priority
from wordgate.engine.loaded_model import ServedModel
from wordgate.lm.requests import YIELD, ModelTask, TimeSlice
from wordgate.protocol.explanation import decode_explain_request, encode_explanation
from wordgate.protocol.scoring import decode_priority
from wordgate.scoring.explained_text import MAX_EXPLAINED_TOKENS
from wordgate.scoring.explanation import ExplanationQuery
from wordgate.server.services.context import Deadline, ServingContext
from wordgate.server.services.scoring import BYTES_PER_TOKEN, MIN_SIZE

_ROWS_PER_TOKEN = 2
"""A step and an output row."""

_ROWS_PER_ALTERNATIVE = 0.5
"""Further output rows and steps per token and alternative; measured."""


def explained(
    serving: ServingContext, request: ExplainRequest, call: Deadline
) -> "asyncio.Future[ExplainResponse]":
    """Schedule an explanation. Raises `InvalidInput` and `ModelNotFound` before any work."""
    model = serving.model(request.model)
    query = decode_explain_request(request, serving.limits)
    return serving.start(
        model,
        explanation_task(model, query),
        decode_priority(request, Priority.NORMAL),
        call,
        size=_size(query),
    )


def explanation_task(model: ServedModel, query: ExplanationQuery) -> ModelTask[ExplainResponse]:
    """Explain a text and encode the response."""
    answer = yield from model.explain(query)
    yield YIELD
    return (yield from TimeSlice().run(encode_explanation(answer)))


def _size(query: ExplanationQuery) -> float:
    """Return the cost of a request in bytes, as `services.scoring.request_size` does."""
    written = min(len(query.text.encode("utf-8")), BYTES_PER_TOKEN * MAX_EXPLAINED_TOKENS)
    rows_per_token = _ROWS_PER_TOKEN * (2 if query.without else 1)
    return MIN_SIZE + written * (rows_per_token + _ROWS_PER_ALTERNATIVE * query.top_k)
