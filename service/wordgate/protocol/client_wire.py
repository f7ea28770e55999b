"""The client's half of the wire: requests into messages, messages and statuses into what they say.

Knows the generated types, answers and errors; does not know connections. `wordgate.client` is what
users import.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import grpc
from google.rpc.error_details_pb2 import BadRequest, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status

from wordgate.api.v1 import models_pb2, prediction_pb2, rescoring_pb2, scoring_pb2
from wordgate.api.v1.priority_pb2 import PRIORITY_UNSPECIFIED, Priority
from wordgate.decoding.options import LetterCase, Options
from wordgate.decoding.prediction import Query
from wordgate.decoding.suggestions import Kind, Suggestion
from wordgate.engine.results import ModelName, PredictionResult, RescoringResult, ScoreResult
from wordgate.errors import (
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    ModelNotFound,
    Overloaded,
    Unauthenticated,
    Unavailable,
    WordgateError,
)
from wordgate.protocol.address import is_local
from wordgate.protocol.lattices import confusion_network_message, lattice_message
from wordgate.scoring.confidence import WordDiff
from wordgate.scoring.hypothesis import Hypothesis, TimeSpan
from wordgate.scoring.lattice import ConfusionNetwork, Lattice
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import (
    HypothesisSpace,
    Ranking,
    Transcript,
    WordConfidence,
    check_kinds,
)
from wordgate.scoring.scoring import Candidate, WordScore
from wordgate.scoring.weighting import Weighting
from wordgate.text.argument_types import require_texts
from wordgate.text.normalization import require_unicode

_DETAILS_KEY = "grpc-status-details-bin"
_BROKEN_STREAM = "RST_STREAM"
"""What gRPC says, as INTERNAL, of a stream that a proxy broke off because its server was gone."""

_UNRESOLVED = "errors resolving"
"""What gRPC says, as UNAVAILABLE, of a name that DNS does not know."""

_LIMITS = models_pb2.Limits.DESCRIPTOR.fields

_PRECISIONS = {models_pb2.PRECISION_INT8: "int8", models_pb2.PRECISION_FLOAT32: "float32"}
_KINDS = {
    prediction_pb2.SUGGESTION_KIND_PUNCTUATION: Kind.PUNCTUATION,
    prediction_pb2.SUGGESTION_KIND_PHRASE: Kind.PHRASE,
    prediction_pb2.SUGGESTION_KIND_CORRECTION: Kind.CORRECTION,
}
_CASES = {
    LetterCase.TRUECASE: prediction_pb2.LETTER_CASE_TRUECASE,
    LetterCase.AS_TYPED: prediction_pb2.LETTER_CASE_AS_TYPED,
}


@dataclass(frozen=True)
class ModelDescription:
    """A served model.

    `digest` is the SHA-256 of its `bundle.json`, in hexadecimal; `vocabulary_size` counts pieces,
    `width` the hidden values of a layer; `figures` were measured when it was published; `language`
    is a BCP 47 tag.
    """

    name: ModelName
    is_default: bool
    digest: str
    vocabulary_size: int
    layers: int
    width: int
    figures: dict[str, float]
    language: str


@dataclass(frozen=True)
class ServerDescription:
    """The server that answers, and what it accepts.

    `limits` has the greatest accepted values by the names of docs/serving.md; a name that ends in
    `_bytes` counts bytes of UTF-8. `device` is "cpu" or "cuda".
    """

    version: str
    onnxruntime_version: str
    device: str
    limits: dict[str, int]


def predict_request(
    model: str, query: Query, priority: Priority.ValueType = PRIORITY_UNSPECIFIED
) -> prediction_pb2.PredictRequest:
    """The message of a query. Raises `InvalidInput` for text that is not Unicode."""
    require_unicode(query.history, "history")
    require_unicode(query.prefix, "prefix")
    return prediction_pb2.PredictRequest(
        model=model,
        history=query.history,
        prefix=query.prefix,
        correct_last_word=query.correct_last_word,
        priority=priority,
        options=_suggestion_options(query.options),
    )


def session_configuration(model: str, options: Options) -> prediction_pb2.SessionConfiguration:
    """The first message of a typing session."""
    return prediction_pb2.SessionConfiguration(model=model, options=_suggestion_options(options))


def _suggestion_options(options: Options) -> prediction_pb2.SuggestionOptions:
    """Return options as their message."""
    message = prediction_pb2.SuggestionOptions(
        max_suggestions=options.max_suggestions,
        allow_punctuation=options.allow_punctuation,
        min_probability=options.min_probability,
        max_expansions=options.max_expansions,
        letter_case=_CASES[options.letter_case],
        hide_rejected=options.hide_rejected,
        blocked_words=options.blocked_words,
        boosted_words=[
            prediction_pb2.BoostedWord(word=each.word, boost=each.boost)
            for each in options.boosted_words
        ],
        max_phrase_words=options.max_phrase_words,
        min_phrase_probability=options.min_phrase_probability,
        max_corrections=options.max_corrections,
        allow_unseen_words=options.allow_unseen_words,
    )
    if options.continuous_cache:
        cache = prediction_pb2.ContinuousCache(**asdict(options.continuous_cache))
        message.continuous_cache.CopyFrom(cache)
    return message


def score_request(
    model: str,
    history: str,
    candidates: Sequence[str],
    count_eos: bool,
    return_words: bool = False,
    priority: Priority.ValueType = PRIORITY_UNSPECIFIED,
) -> scoring_pb2.ScoreRequest:
    """The message of candidates to score. Raises `InvalidInput` for text that is not Unicode,
    `TypeError` for a str in place of the list."""
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


def rescore_request(
    model: str,
    history: str,
    hypotheses: HypothesisSpace,
    weighting: Weighting,
    count_eos: bool,
    bounds: SearchBounds,
    priority: Priority.ValueType = PRIORITY_UNSPECIFIED,
) -> rescoring_pb2.RescoreRequest:
    """The message of hypotheses to rank. Raises `InvalidInput` for text that is not Unicode."""
    require_unicode(history, "history")
    for name in weighting.weights:
        require_unicode(name, "weighting.weights")
    request = rescoring_pb2.RescoreRequest(
        model=model,
        weighting=_weighting(weighting),
        count_eos=count_eos,
        history=history,
        priority=priority,
    )
    check_kinds(hypotheses)
    if isinstance(hypotheses, Lattice):
        request.lattice.CopyFrom(lattice_message(hypotheses))
    elif isinstance(hypotheses, ConfusionNetwork):
        request.confusion_network.CopyFrom(confusion_network_message(hypotheses))
    else:
        request.n_best.CopyFrom(_n_best(hypotheses))
    request.search.CopyFrom(rescoring_pb2.SearchBounds(**asdict(bounds)))
    return request


def _n_best(hypotheses: Sequence[Hypothesis]) -> rescoring_pb2.NBest:
    for number, hypothesis in enumerate(hypotheses):
        require_unicode(hypothesis.text, f"n_best.candidates[{number}].text")
        for name in hypothesis.scores:
            require_unicode(name, f"n_best.candidates[{number}].scores")
    return rescoring_pb2.NBest(candidates=map(_n_best_candidate, hypotheses))


def _weighting(weighting: Weighting) -> rescoring_pb2.Weighting:
    return rescoring_pb2.Weighting(
        lm_weight=weighting.lm_weight,
        word_bonus=weighting.word_bonus,
        weights=weighting.weights,
        boosts=[rescoring_pb2.Boost(phrase=b.phrase, weight=b.weight) for b in weighting.boosts],
        posterior_scale=weighting.posterior_scale,
    )


def _n_best_candidate(hypothesis: Hypothesis) -> rescoring_pb2.NBestCandidate:
    times = [
        rescoring_pb2.TimeSpan(start_seconds=time.start_seconds, end_seconds=time.end_seconds)
        for time in hypothesis.times
    ]
    return rescoring_pb2.NBestCandidate(text=hypothesis.text, scores=hypothesis.scores, times=times)


def rescoring_answer(answer: rescoring_pb2.RescoreResponse) -> RescoringResult:
    """The ranking in an answer."""
    ranking = answer.ranking
    return RescoringResult(
        Ranking(
            [_transcript(found) for found in ranking.transcripts],
            [_sure_word(word) for word in ranking.words],
            [
                WordDiff(found.start, found.end, found.runner_up_start, found.runner_up_end)
                for found in ranking.differences
            ],
            ranking.exact,
        ),
        answer.counted_eos,
        model_name(answer.model),
    )


def _transcript(found: rescoring_pb2.RankedTranscript) -> Transcript:
    return Transcript(
        found.text,
        found.index,
        found.total,
        dict(found.scores),
        found.log_prob,
        found.boost,
        found.posterior,
        found.word_count,
        found.token_count,
        found.merged_path_log_weight,
    )


def _sure_word(word: rescoring_pb2.WordConfidence) -> WordConfidence:
    time = TimeSpan(word.time.start_seconds, word.time.end_seconds)
    return WordConfidence(word.text, word.confidence, time if word.HasField("time") else None)


def model_name(answered: models_pb2.ModelVersion) -> ModelName:
    """Which model answered."""
    precision = _PRECISIONS.get(answered.precision, "unknown")
    return ModelName(answered.name, answered.version, precision)


def prediction_answer(
    answer: prediction_pb2.PredictResponse | prediction_pb2.StreamPredictResponse,
) -> PredictionResult:
    """The suggestions in an answer, of one request or of a session."""
    suggestions = [
        Suggestion(found.text, found.log_prob, _KINDS.get(found.kind, Kind.WORD))
        for found in answer.suggestions
    ]
    return PredictionResult(
        suggestions, answer.prefix, answer.exact, answer.expansions, model_name(answer.model)
    )


def score_answer(answer: scoring_pb2.ScoreResponse) -> ScoreResult:
    """The scored candidates in an answer."""
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
    return ScoreResult(candidates, answer.counted_eos, model_name(answer.model))


def described(answer: models_pb2.GetModelResponse) -> ModelDescription:
    """The model that was asked for."""
    return model_description(answer.model)


def model_description(model: models_pb2.Model) -> ModelDescription:
    """One of the models that a server lists."""
    return ModelDescription(
        name=model_name(model.version),
        is_default=model.is_default,
        digest=model.digest,
        vocabulary_size=model.vocabulary_size,
        layers=model.layers,
        width=model.width,
        figures=dict(model.figures),
        language=model.language,
    )


def server_description(answer: models_pb2.ListModelsResponse) -> ServerDescription:
    """The server that lists its models."""
    server = answer.server
    limits = {each.name: int(getattr(server.limits, each.name)) for each in _LIMITS}
    return ServerDescription(server.version, server.onnxruntime_version, server.device, limits)


class NoAnswer(Unavailable):
    """No server answered at an address; gRPC does not say whether that is a matter of TLS."""


def error_of(call: Any, address: str) -> WordgateError:
    """The error that a status stands for; `call` knows its code, details and metadata."""
    code, message = call.code(), call.details() or ""
    status = _status(call.trailing_metadata() or ())
    if _BROKEN_STREAM in message:
        return Unavailable(f"{address}: {message}")
    if code not in _ERRORS:
        return WordgateError(f"{address}: {code.name}: {message}")
    return _ERRORS[code](status, message, address)


def _status(metadata: Iterable[tuple[str, Any]]) -> Any | None:
    """The google.rpc.Status that the server sent with an error of its own."""
    for key, value in metadata:
        if key == _DETAILS_KEY:
            return Status.FromString(value)
    return None


def _detail(status: Any | None, kind: Any) -> Any | None:
    for packed in status.details if status is not None else ():
        if packed.Is(kind.DESCRIPTOR):
            found = kind()
            packed.Unpack(found)
            return found
    return None


def _invalid_input(status: Any | None, message: str, address: str) -> WordgateError:
    found = _detail(status, BadRequest)
    if found is None or not found.field_violations:
        return InvalidInput("request", message)
    violation = found.field_violations[0]
    return InvalidInput(violation.field, violation.description)


def _not_found(status: Any | None, message: str, address: str) -> WordgateError:
    found = _detail(status, ResourceInfo)
    if found is None:
        return WordgateError(f"{address}: {message}")
    return ModelNotFound(found.resource_name, found.description.split(", "))


def _exhausted(status: Any | None, message: str, address: str) -> WordgateError:
    """Too much at once; gRPC itself says the same of a message that is too large."""
    found = _detail(status, RetryInfo)
    if found is None:
        problem = f"is too large for {address} ({message}); ask about less at once, prune lattices"
        return InvalidInput("request", problem)
    return Overloaded(message, found.retry_delay.ToNanoseconds() / 1e9)


def _unauthenticated(status: Any | None, message: str, address: str) -> WordgateError:
    return Unauthenticated(f"{address}: {message}")


def _unavailable(status: Any | None, message: str, address: str) -> WordgateError:
    if status is not None:
        return Unavailable(f"{address}: {message}")
    if _UNRESOLVED in message:
        return NoAnswer(
            f"no server answers at {address}: its host name cannot be resolved; check it"
        )
    remedy = "check the address, and that the server runs"
    if is_local(address):
        remedy = f"start one with `wordgate serve --listen {address}`, or name another"
    return NoAnswer(f"no server answers at {address} ({message}); {remedy}")


def _too_late(status: Any | None, message: str, address: str) -> WordgateError:
    return DeadlineExceeded(f"{address} did not answer in time; allow more, or ask less")


def _cancelled(status: Any | None, message: str, address: str) -> WordgateError:
    return Cancelled(f"the request to {address} was cancelled")


_ERRORS = {
    grpc.StatusCode.INVALID_ARGUMENT: _invalid_input,
    grpc.StatusCode.NOT_FOUND: _not_found,
    grpc.StatusCode.RESOURCE_EXHAUSTED: _exhausted,
    grpc.StatusCode.UNAUTHENTICATED: _unauthenticated,
    grpc.StatusCode.UNAVAILABLE: _unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: _too_late,
    grpc.StatusCode.CANCELLED: _cancelled,
}
