"""Between the protocol's messages and the engine's values.

Knows both; decides nothing. Protobuf types stop here and in the servicers.
"""

import re

from wordgate.api.v1 import models_pb2, prediction_pb2, priority_pb2, rescoring_pb2, scoring_pb2
from wordgate.decoding.options import (
    DEFAULT_FLATNESS,
    DEFAULT_MAX_SUGGESTIONS,
    DEFAULT_MIN_PHRASE_PROBABILITY,
    BoostedWord,
    ContinuousCache,
    LetterCase,
    Options,
)
from wordgate.decoding.search import DEFAULT_MAX_EXPANSIONS
from wordgate.decoding.suggestions import Kind, Suggestion
from wordgate.engine.results import ModelName, PredictionResult, ScoreResult
from wordgate.engine.scheduler import Priority
from wordgate.errors import InvalidInput
from wordgate.lm.requests import ModelTask, T
from wordgate.scoring.scoring import Candidate
from wordgate.text.edit_buffer import PositionUnit, TextBuffer, length_of
from wordgate.text.rest_of_word import rest_of_word
from wordgate.text.steps import Steps

_PRECISIONS = {
    "int8": models_pb2.PRECISION_INT8,
    "float32": models_pb2.PRECISION_FLOAT32,
}
_KINDS = {
    Kind.WORD: prediction_pb2.SUGGESTION_KIND_WORD,
    Kind.PUNCTUATION: prediction_pb2.SUGGESTION_KIND_PUNCTUATION,
    Kind.PHRASE: prediction_pb2.SUGGESTION_KIND_PHRASE,
    Kind.CORRECTION: prediction_pb2.SUGGESTION_KIND_CORRECTION,
}
_CASES: dict[int, LetterCase] = {
    prediction_pb2.LETTER_CASE_UNSPECIFIED: LetterCase.TRUECASE,
    prediction_pb2.LETTER_CASE_TRUECASE: LetterCase.TRUECASE,
    prediction_pb2.LETTER_CASE_AS_TYPED: LetterCase.AS_TYPED,
}
_CANDIDATE_WORK, _WORD_WORK = 4, 2
_NESTED = frozenset(prediction_pb2.SuggestionOptions.DESCRIPTOR.fields_by_name)

_UNITS: dict[int, PositionUnit] = {
    prediction_pb2.POSITION_UNIT_UNSPECIFIED: PositionUnit.CODE_POINTS,
    prediction_pb2.POSITION_UNIT_CODE_POINTS: PositionUnit.CODE_POINTS,
    prediction_pb2.POSITION_UNIT_UTF8_BYTES: PositionUnit.UTF8_BYTES,
    prediction_pb2.POSITION_UNIT_UTF16_CODE_UNITS: PositionUnit.UTF16_UNITS,
}


def options(nested: prediction_pb2.SuggestionOptions) -> Options:
    """Return the options of a request or a session. Raises `InvalidInput`."""
    case = _CASES.get(nested.letter_case)
    if case is None:
        problem = f"is {nested.letter_case}, which this server does not know"
        raise InvalidInput("options.letter_case", problem)
    try:
        return Options(
            max_suggestions=nested.max_suggestions or DEFAULT_MAX_SUGGESTIONS,
            allow_punctuation=nested.allow_punctuation,
            min_probability=nested.min_probability,
            max_expansions=nested.max_expansions or DEFAULT_MAX_EXPANSIONS,
            letter_case=case,
            hide_rejected=nested.hide_rejected,
            blocked_words=tuple(nested.blocked_words),
            boosted_words=tuple(BoostedWord(b.word, b.boost) for b in nested.boosted_words),
            max_phrase_words=nested.max_phrase_words or 1,
            min_phrase_probability=nested.min_phrase_probability or DEFAULT_MIN_PHRASE_PROBABILITY,
            max_corrections=nested.max_corrections,
            continuous_cache=_continuous_cache(nested),
            allow_unseen_words=nested.allow_unseen_words,
        )
    except InvalidInput as error:
        raise _as_sent(error) from None


def naming_options(asks: ModelTask[T]) -> ModelTask[T]:
    """The same generator; its errors name options as the protocol does."""
    try:
        return (yield from asks)
    except InvalidInput as error:
        raise _as_sent(error) from None


def _as_sent(error: InvalidInput) -> InvalidInput:
    inside = re.split(r"[.\[]", error.field)[0] in _NESTED
    return InvalidInput("options." * inside + error.field, error.problem)


def _continuous_cache(nested: prediction_pb2.SuggestionOptions) -> ContinuousCache | None:
    if not nested.HasField("continuous_cache") or not nested.continuous_cache.weight:
        return None
    cache = nested.continuous_cache
    return ContinuousCache(
        cache.weight, cache.sharpness if cache.HasField("sharpness") else DEFAULT_FLATNESS
    )


def model_version(name: ModelName) -> models_pb2.ModelVersion:
    """Which model answered."""
    return models_pb2.ModelVersion(
        name=name.name, version=name.version, precision=_PRECISIONS[name.precision]
    )


def predict_response(answer: PredictionResult) -> prediction_pb2.PredictResponse:
    """The answer to `Predict`."""
    return prediction_pb2.PredictResponse(
        suggestions=[_suggestion(found) for found in answer.suggestions],
        prefix=answer.prefix,
        exact=answer.exact,
        expansions=answer.expansions,
        model=model_version(answer.model),
    )


def position_unit(asked: int) -> PositionUnit:
    """What a session counts positions in. Raises `InvalidInput` for a unit that nobody knows."""
    unit = _UNITS.get(asked)
    if unit is None:
        raise InvalidInput("position_unit", f"is {asked}, which this server does not know")
    return unit


def stream_predict_response(
    sequence: int, edited: TextBuffer, answer: PredictionResult
) -> prediction_pb2.StreamPredictResponse:
    """The answer to one text of a typing session, whose prefix ends at the cursor.

    Edits cover the rest of a word that the cursor stands in.
    """
    rest = rest_of_word(edited, len(answer.prefix))
    start = edited.position - length_of(answer.prefix, edited.unit)
    behind = edited.text[edited.cursor : edited.cursor + rest]
    end = edited.position + length_of(behind, edited.unit)
    suggestions = [_suggestion(found) for found in answer.suggestions]
    for suggestion in suggestions:
        edit = prediction_pb2.TextEdit(start=start, end=end, text=suggestion.text)
        suggestion.edit.CopyFrom(edit)
    return prediction_pb2.StreamPredictResponse(
        sequence=sequence,
        prefix=answer.prefix,
        suggestions=suggestions,
        exact=answer.exact,
        expansions=answer.expansions,
        model=model_version(answer.model),
    )


def counts_eos(
    asked: scoring_pb2.ScoreRequest
    | rescoring_pb2.RescoreRequest
    | rescoring_pb2.RescoreConfiguration,
) -> bool:
    """Whether the end of a text is part of it: yes unless the request says no."""
    return asked.count_eos if asked.HasField("count_eos") else True


def urgency(
    asked: prediction_pb2.PredictRequest
    | scoring_pb2.ScoreRequest
    | rescoring_pb2.RescoreRequest
    | rescoring_pb2.RescoreConfiguration,
    realtime: Priority,
) -> Priority:
    """Who waits for the answer. Raises `InvalidInput` for a priority that nobody knows."""
    if asked.priority in {priority_pb2.PRIORITY_UNSPECIFIED, priority_pb2.PRIORITY_REALTIME}:
        return realtime
    if asked.priority == priority_pb2.PRIORITY_BATCH:
        return Priority.BATCH
    raise InvalidInput("priority", f"is {asked.priority}, which this server does not know")


def score_response(answer: ScoreResult) -> Steps[scoring_pb2.ScoreResponse]:
    """Return the answer to `Score`, in steps of a candidate."""
    response = scoring_pb2.ScoreResponse(
        counted_eos=answer.counted_eos, model=model_version(answer.model)
    )
    for candidate in answer.candidates:
        response.candidates.append(_scored(candidate))
        yield _CANDIDATE_WORK + _WORD_WORK * len(candidate.words)
    return response


def _suggestion(found: Suggestion) -> prediction_pb2.Suggestion:
    return prediction_pb2.Suggestion(
        text=found.text,
        log_prob=found.log_prob,
        probability=found.probability,
        kind=_KINDS[found.kind],
    )


def _scored(candidate: Candidate) -> scoring_pb2.ScoredCandidate:
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
