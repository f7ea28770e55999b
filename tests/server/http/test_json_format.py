"""Conversion of messages between JSON and the binary format."""

import math

import pytest
from google.protobuf.json_format import Parse
from tests.protocol_methods import methods

from wordgate.api.v1.prediction_pb2 import PredictRequest, PredictResponse, Suggestion
from wordgate.api.v1.rescoring_pb2 import RescoreRequest
from wordgate.errors import InvalidInput
from wordgate.server.http.json_format import JsonFormat

FORMAT = JsonFormat()
PREDICT = "wordgate.v1.PredictRequest"


def test_a_request_is_what_protobuf_reads() -> None:
    """The binary form equals that of the reference implementation."""
    text = '{"nBest": {"candidates": [{"text": "ü", "scores": {"am": -1e-3}}]}}'
    binary = FORMAT.to_binary(text.encode(), "wordgate.v1.RescoreRequest")
    assert RescoreRequest.FromString(binary) == Parse(text, RescoreRequest())


def test_field_names_of_the_protocol_are_accepted() -> None:
    """Both spellings of a field are read: `correctLastWord` and `correct_last_word`."""
    for name in ("correctLastWord", "correct_last_word"):
        binary = FORMAT.to_binary(f'{{"{name}": true}}'.encode(), PREDICT)
        assert PredictRequest.FromString(binary).correct_last_word


@pytest.mark.parametrize("value", [1 / 3, 5e-324, -1.7976931348623157e308, math.pi, -0.0])
def test_a_double_survives_to_the_last_bit(value: float) -> None:
    """JSON has the shortest digits that give the same double."""
    response = PredictResponse(suggestions=[Suggestion(text="a", log_prob=value)])
    document = FORMAT.of(response)
    assert Parse(document, PredictResponse()) == response


def test_every_message_of_a_method_is_known() -> None:
    """The types of all requests and responses can be converted."""
    for _, method in methods():
        FORMAT.to_binary(b"{}", method.input_type.full_name)
        assert FORMAT.of(method.output_type._concrete_class()) == b"{}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b'{"histroy": "a"}', "histroy"),
        (b'{"history": 5}', "history"),
        (b'{"history": "a"', "line 1"),
        (b'{"history": "\xff"}', "line 1"),
        (b'{"history": "\\ud800"}', "line 1"),
        (b'{"options": {"maxSuggestions": -1}}', "max_suggestions"),
        (b'{"options": {"maxSuggestions": 4294967296}}', "max_suggestions"),
        (b"[]", "PredictRequest"),
        (b"null", "PredictRequest"),
        (b"", "line 1"),
    ],
)
def test_malformed_json_is_refused(text: bytes, named: str) -> None:
    """The error names the place or the field."""
    with pytest.raises(InvalidInput, match=named):
        FORMAT.to_binary(text, PREDICT)


def test_an_error_quotes_little_of_the_request() -> None:
    """A long value does not make a long error."""
    with pytest.raises(InvalidInput) as caught:
        FORMAT.to_binary(b'"' + b"x" * 100_000 + b'"', PREDICT)
    assert len(str(caught.value)) < 400
