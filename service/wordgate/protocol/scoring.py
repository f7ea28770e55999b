"""Encode and decode candidate scores, and decode priorities."""

from collections.abc import Sequence

from wordgate.api.v1 import (
    explanation_pb2,
    prediction_pb2,
    priority_pb2,
    rescoring_pb2,
    scoring_pb2,
)
from wordgate.engine.job import Priority
from wordgate.engine.results import ScoreResult
from wordgate.errors import InvalidInput
from wordgate.protocol.models import decode_model_version, encode_model_version
from wordgate.scoring.scoring import Candidate, WordScore
from wordgate.text.argument_types import require_texts
from wordgate.text.cooperative_steps import Steps
from wordgate.text.normalization import require_unicode


def encode_score_request(
    model: str,
    history: str,
    candidates: Sequence[str],
    count_eos: bool,
    return_words: bool = False,
    priority: priority_pb2.Priority.ValueType = priority_pb2.PRIORITY_UNSPECIFIED,
) -> scoring_pb2.ScoreRequest:
    """Return the request to score candidates.

    Raises `InvalidInput` for text that is not valid Unicode, `TypeError` if `candidates` is a str.
    """
    require_unicode(history, "history")
    require_texts(candidates, "candidates")
    for number, candidate in enumerate(candidates):
        require_unicode(candidate, f"candidates[{number}].text")
    return scoring_pb2.ScoreRequest(
        model=model,
        history=history,
        candidates=[scoring_pb2.Candidate(text=text) for text in candidates],
        count_eos=count_eos,
        priority=priority,
        return_words=return_words,
    )


def encode_scores(answer: ScoreResult) -> Steps[scoring_pb2.ScoreResponse]:
    """Return the response to `Score`, one candidate per step."""
    response = scoring_pb2.ScoreResponse(
        counted_eos=answer.counted_eos, model=encode_model_version(answer.model)
    )
    for candidate in answer.candidates:
        response.candidates.append(_encode_candidate(candidate))
        yield
    return response


def _encode_candidate(candidate: Candidate) -> scoring_pb2.ScoredCandidate:
    return scoring_pb2.ScoredCandidate(
        text=candidate.text,
        log_prob=candidate.log_prob,
        posterior=candidate.posterior,
        word_count=candidate.word_count,
        token_count=candidate.token_count,
        words=[
            scoring_pb2.WordScore(word=each.word, log_prob=each.log_prob)
            for each in candidate.words
        ],
        eos_log_prob=candidate.eos_log_prob,
    )


def decode_scores(answer: scoring_pb2.ScoreResponse) -> ScoreResult:
    """Decode the response to `Score`."""
    candidates = [
        Candidate(
            scored.text,
            scored.log_prob,
            scored.posterior,
            scored.word_count,
            scored.token_count,
            tuple(WordScore(each.word, each.log_prob) for each in scored.words),
            scored.eos_log_prob,
        )
        for scored in answer.candidates
    ]
    return ScoreResult(candidates, answer.counted_eos, decode_model_version(answer.model))


def counts_eos(
    request: scoring_pb2.ScoreRequest
    | rescoring_pb2.RescoreRequest
    | rescoring_pb2.RescoreConfiguration,
) -> bool:
    """Return whether texts include the end-of-text token (default: true)."""
    return request.count_eos if request.HasField("count_eos") else True


def decode_priority(
    request: prediction_pb2.PredictRequest
    | scoring_pb2.ScoreRequest
    | rescoring_pb2.RescoreRequest
    | rescoring_pb2.RescoreConfiguration
    | explanation_pb2.ExplainRequest,
    realtime: Priority,
) -> Priority:
    """Decode the scheduling priority of a request; realtime requests get `realtime`.

    Raises `InvalidInput` for an unknown value.
    """
    if request.priority in {priority_pb2.PRIORITY_UNSPECIFIED, priority_pb2.PRIORITY_REALTIME}:
        return realtime
    if request.priority == priority_pb2.PRIORITY_BATCH:
        return Priority.BATCH
    raise InvalidInput("priority", f"has the unknown value {request.priority}")
