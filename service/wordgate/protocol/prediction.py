"""Encode and decode predictions and typing sessions."""

import math
import re
from dataclasses import asdict

from wordgate.api.v1 import prediction_pb2
from wordgate.api.v1.priority_pb2 import PRIORITY_UNSPECIFIED, Priority
from wordgate.decoding.options import (
    DEFAULT_MAX_SUGGESTIONS,
    DEFAULT_MIN_PHRASE_PROBABILITY,
    DEFAULT_SHARPNESS,
    BoostedWord,
    ContinuousCache,
    LetterCase,
    Options,
)
from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import Kind, PredictionResult, Suggestion
from wordgate.decoding.search import DEFAULT_MAX_EXPANSIONS
from wordgate.errors import InvalidInput
from wordgate.lm.requests import ModelTask, T
from wordgate.protocol.limits import Limits, check_bytes, check_listed
from wordgate.protocol.models import decode_model_version, encode_model_version
from wordgate.text.edit_buffer import PositionUnit, TextBuffer, length_of
from wordgate.text.normalization import require_unicode
from wordgate.text.rest_of_word import rest_of_word

_KINDS = {
    Kind.WORD: prediction_pb2.SUGGESTION_KIND_WORD,
    Kind.PUNCTUATION: prediction_pb2.SUGGESTION_KIND_PUNCTUATION,
    Kind.PHRASE: prediction_pb2.SUGGESTION_KIND_PHRASE,
    Kind.CORRECTION: prediction_pb2.SUGGESTION_KIND_CORRECTION,
}
_KIND_NAMES = {number: kind for kind, number in _KINDS.items()}
_CASES = {
    LetterCase.TRUECASE: prediction_pb2.LETTER_CASE_TRUECASE,
    LetterCase.AS_TYPED: prediction_pb2.LETTER_CASE_AS_TYPED,
}
_CASE_NAMES: dict[int, LetterCase] = {
    prediction_pb2.LETTER_CASE_UNSPECIFIED: LetterCase.TRUECASE,
    **{number: case for case, number in _CASES.items()},
}
_UNITS: dict[int, PositionUnit] = {
    prediction_pb2.POSITION_UNIT_UNSPECIFIED: PositionUnit.CODE_POINTS,
    prediction_pb2.POSITION_UNIT_CODE_POINTS: PositionUnit.CODE_POINTS,
    prediction_pb2.POSITION_UNIT_UTF8_BYTES: PositionUnit.UTF8_BYTES,
    prediction_pb2.POSITION_UNIT_UTF16_CODE_UNITS: PositionUnit.UTF16_UNITS,
}
_OPTION_NAMES = frozenset(prediction_pb2.SuggestionOptions.DESCRIPTOR.fields_by_name)


def encode_predict_request(
    model: str, query: Query, priority: Priority.ValueType = PRIORITY_UNSPECIFIED
) -> prediction_pb2.PredictRequest:
    """Return the request for a query. Raises `InvalidInput` for text that is not valid Unicode."""
    require_unicode(query.history, "history")
    require_unicode(query.prefix, "prefix")
    return prediction_pb2.PredictRequest(
        model=model,
        history=query.history,
        prefix=query.prefix,
        correct_last_word=query.correct_last_word,
        priority=priority,
        options=encode_options(query.options),
    )


def decode_predict_request(request: prediction_pb2.PredictRequest, limits: Limits) -> Query:
    """Return the query of a request. Raises `InvalidInput` for a field outside its limits."""
    check_bytes("history", request.history, limits.max_history_bytes)
    check_bytes("prefix", request.prefix, limits.max_prefix_bytes)
    check_listed(request.options, limits)
    options = decode_options(request.options)
    return Query(request.history, request.prefix, options, request.correct_last_word)


def encode_session_configuration(
    model: str, options: Options
) -> prediction_pb2.SessionConfiguration:
    """Return the first message of a typing session.

    Raises `InvalidInput` for text that is not valid Unicode.
    """
    return prediction_pb2.SessionConfiguration(model=model, options=encode_options(options))


def encode_options(options: Options) -> prediction_pb2.SuggestionOptions:
    """Return suggestion options as a message.

    Raises `InvalidInput` for text that is not valid Unicode.
    """
    for place, word in enumerate(options.blocked_words):
        require_unicode(word, f"options.blocked_words[{place}]")
    for place, boosted in enumerate(options.boosted_words):
        require_unicode(boosted.word, f"options.boosted_words[{place}].word")
    message = prediction_pb2.SuggestionOptions(
        max_suggestions=options.max_suggestions,
        allow_punctuation=options.allow_punctuation,
        min_probability=options.min_probability,
        max_expansions=options.max_expansions,
        letter_case=_CASES[options.letter_case],
        hide_rejected=options.hide_rejected,
        blocked_words=options.blocked_words,
        boosted_words=[
            prediction_pb2.BoostedWord(word=each.word, bonus=each.bonus)
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


def decode_options(nested: prediction_pb2.SuggestionOptions) -> Options:
    """Decode the options of a request or a session.

    Raises `InvalidInput`, naming the field, for a value outside its limits.
    """
    case = _CASE_NAMES.get(nested.letter_case)
    if case is None:
        problem = f"has the unknown value {nested.letter_case}"
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
            boosted_words=tuple(BoostedWord(b.word, b.bonus) for b in nested.boosted_words),
            max_phrase_words=nested.max_phrase_words or 1,
            min_phrase_probability=nested.min_phrase_probability or DEFAULT_MIN_PHRASE_PROBABILITY,
            max_corrections=nested.max_corrections,
            continuous_cache=_continuous_cache(nested),
            allow_unseen_words=nested.allow_unseen_words,
        )
    except InvalidInput as error:
        raise _as_sent(error) from None


def naming_options(task: ModelTask[T]) -> ModelTask[T]:
    """Run a task, renaming the fields in its errors to their names in the protocol."""
    try:
        return (yield from task)
    except InvalidInput as error:
        raise _as_sent(error) from None


def _as_sent(error: InvalidInput) -> InvalidInput:
    inside = re.split(r"[.\[]", error.field)[0] in _OPTION_NAMES
    return InvalidInput("options." * inside + error.field, error.problem)


def _continuous_cache(nested: prediction_pb2.SuggestionOptions) -> ContinuousCache | None:
    if not nested.HasField("continuous_cache"):
        return None
    cache = nested.continuous_cache
    return ContinuousCache(
        cache.weight, cache.sharpness if cache.HasField("sharpness") else DEFAULT_SHARPNESS
    )


def encode_prediction(answer: PredictionResult) -> prediction_pb2.PredictResponse:
    """Return the response to `Predict`."""
    return prediction_pb2.PredictResponse(
        suggestions=[_suggestion(each) for each in answer.suggestions],
        prefix=answer.prefix,
        exact=answer.exact,
        expansions=answer.expansions,
        model=encode_model_version(answer.model),
    )


def decode_prediction(
    answer: prediction_pb2.PredictResponse | prediction_pb2.StreamPredictResponse,
) -> PredictionResult:
    """Decode the response to `Predict`, or a response of a typing session."""
    suggestions = [
        Suggestion(each.text, each.log_prob, _KIND_NAMES.get(each.kind, Kind.WORD))
        for each in answer.suggestions
    ]
    return PredictionResult(
        suggestions,
        answer.prefix,
        answer.exact,
        answer.expansions,
        decode_model_version(answer.model),
    )


def decode_position_unit(number: int) -> PositionUnit:
    """Decode the position unit of a session. Raises `InvalidInput` for an unknown value."""
    unit = _UNITS.get(number)
    if unit is None:
        raise InvalidInput("position_unit", f"has the unknown value {number}")
    return unit


def encode_session_prediction(
    sequence: int, edited: TextBuffer, answer: PredictionResult
) -> prediction_pb2.StreamPredictResponse:
    """Return the response to one event of a typing session, with the edit of each suggestion.

    The prefix ends at the cursor.
    """
    typed = len(answer.prefix)
    rest = rest_of_word(edited, typed)
    position = edited.position
    start = position - length_of(answer.prefix, edited.unit)
    suggestions = [_suggestion(each) for each in answer.suggestions]
    for suggestion in suggestions:
        edit = edited.acceptance(typed, suggestion.text, rest)
        end = position + length_of(edited.text[edited.cursor : edit.end], edited.unit)
        suggestion.edit.CopyFrom(prediction_pb2.TextEdit(start=start, end=end, text=edit.text))
    return prediction_pb2.StreamPredictResponse(
        sequence=sequence,
        prefix=answer.prefix,
        suggestions=suggestions,
        exact=answer.exact,
        expansions=answer.expansions,
        model=encode_model_version(answer.model),
    )


def _suggestion(found: Suggestion) -> prediction_pb2.Suggestion:
    return prediction_pb2.Suggestion(
        text=found.text,
        log_prob=found.log_prob,
        probability=math.exp(found.log_prob),
        kind=_KINDS[found.kind],
    )
