"""Round trips of predictions through their messages."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgate.api.v1 import prediction_pb2 as pb
from wordgate.decoding.options import BoostedWord, ContinuousCache, LetterCase, Options
from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import Kind, PredictionResult, Suggestion
from wordgate.lm.model_version import ModelVersion
from wordgate.protocol.prediction import (
    decode_options,
    decode_prediction,
    encode_options,
    encode_predict_request,
    encode_prediction,
    encode_session_configuration,
    encode_session_prediction,
)
from wordgate.text.edit_buffer import PositionUnit, TextBuffer
from wordgate.text.rest_of_word import rest_of_word

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
shares = st.floats(0, 1)
log_probs = st.floats(-100, 0)
options = st.builds(
    Options,
    max_suggestions=st.integers(1, 100),
    allow_punctuation=st.booleans(),
    min_probability=shares,
    max_expansions=st.integers(1, 5_000),
    letter_case=st.sampled_from(LetterCase),
    hide_rejected=st.booleans(),
    blocked_words=st.lists(texts, max_size=3).map(tuple),
    boosted_words=st.lists(st.builds(BoostedWord, texts, st.floats(-50, 50)), max_size=3).map(
        tuple
    ),
    max_phrase_words=st.integers(1, 10),
    min_phrase_probability=st.floats(0.01, 1),
    max_corrections=st.integers(0, 100),
    continuous_cache=st.none() | st.builds(ContinuousCache, st.floats(0.01, 0.9), st.floats(0, 10)),
    allow_unseen_words=st.booleans(),
)
models = st.builds(ModelVersion, texts, texts, st.sampled_from(["int8", "float32"]))


@given(options)
def test_options_round_trip(wanted: Options) -> None:
    """The server decodes the options that the client encoded, in requests and sessions."""
    assert decode_options(encode_options(wanted)) == wanted
    assert decode_options(encode_predict_request("", Query("", "", wanted)).options) == wanted
    assert decode_options(encode_session_configuration("", wanted).options) == wanted


def test_unset_fields_are_the_defaults() -> None:
    """Unset fields get the defaults of `Options`; an unset sharpness is not 0."""
    assert decode_options(pb.SuggestionOptions()) == Options()
    some = pb.SuggestionOptions(continuous_cache=pb.ContinuousCache(weight=0.5))
    assert decode_options(some).continuous_cache == ContinuousCache(0.5)


@given(
    st.lists(st.builds(Suggestion, texts, log_probs, st.sampled_from(Kind)), max_size=4),
    texts,
    st.booleans(),
    st.integers(0, 1 << 31),
    models,
)
def test_predictions_round_trip(
    suggestions: list[Suggestion], prefix: str, exact: bool, expansions: int, model: ModelVersion
) -> None:
    """The client decodes the result that the server encoded; probabilities are exp(log_prob)."""
    result = PredictionResult(suggestions, prefix, exact, expansions, model)
    message = encode_prediction(result)
    assert decode_prediction(message) == result
    for suggestion in message.suggestions:
        assert suggestion.probability == pytest.approx(math.exp(suggestion.log_prob))


def _edit(text: TextBuffer, prefix: str, word: str) -> pb.TextEdit:
    result = PredictionResult(
        [Suggestion(word, -1.0, Kind.WORD)], prefix, True, 1, ModelVersion("en", "1", "int8")
    )
    [suggestion] = encode_session_prediction(1, text, result).suggestions
    assert suggestion.text == word
    return suggestion.edit


def test_a_session_edit_has_the_spaces_around_its_word() -> None:
    """After `thanks,` the edit inserts a space, the word and a space."""
    edit = _edit(TextBuffer().set("thanks,"), "", "that")
    assert (edit.start, edit.end, edit.text) == (7, 7, " that ")


@pytest.mark.parametrize("unit", PositionUnit)
@pytest.mark.parametrize(
    ("text", "prefix", "word", "expected"),
    [
        ("👋 see you tomo|row night", "tomo", "tomorrow", "👋 see you tomorrow |night"),
        ("👋 thanks,| ok", "", "that", "👋 thanks, that |ok"),
        ("👋 the sea|, or", "sea", "seaside", "👋 the seaside|, or"),
        ("👋 the se|\u00a0now", "se", "sea", "👋 the sea\u00a0|now"),
        ("👋 我想|去", "", "要", "👋 我想要|去"),
    ],
)
def test_the_edit_of_a_suggestion_is_that_of_accepting_it(
    text: str, prefix: str, word: str, expected: str, unit: PositionUnit
) -> None:
    """A client that makes the edit in its copy of the text has the text of the server."""
    plain, cursor = text.replace("|", ""), text.index("|")
    before = TextBuffer(plain, cursor, unit)
    edit = _edit(before, prefix, word)
    after = before.replace(edit.start, edit.end, edit.text)
    assert f"{after.before}|{after.text[after.cursor :]}" == expected
    assert after == before.accept(len(prefix), word, rest_of_word(before, len(prefix)))
