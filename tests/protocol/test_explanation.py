"""Round trips of explanation requests and explanations through their messages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgate.api.v1.explanation_pb2 import ExplainRequest
from wordgate.decoding.search import ScoredWord
from wordgate.engine.results import ExplanationResult
from wordgate.errors import InvalidInput
from wordgate.lm.model_version import ModelVersion
from wordgate.protocol.explanation import (
    decode_explain_request,
    decode_explanation,
    encode_explain_request,
    encode_explanation,
)
from wordgate.protocol.limits import Limits
from wordgate.scoring.activations import summarise
from wordgate.scoring.explanation import (
    ExplainedToken,
    ExplainedWord,
    Explanation,
    ExplanationQuery,
)
from wordgate.scoring.likely_tokens import ScoredToken
from wordgate.text.cooperative_steps import finish

QUERIES = st.builds(
    ExplanationQuery,
    text=st.text(max_size=20),
    without=st.text(max_size=5),
    top_k=st.integers(0, 100),
    return_units=st.booleans(),
    count_eos=st.booleans(),
)
VALUES = np.random.default_rng(1).random((3, 2, 5, 4), np.float32)


@given(QUERIES)
def test_queries_round_trip(query: ExplanationQuery) -> None:
    """A query survives encoding and decoding."""
    assert decode_explain_request(encode_explain_request("", query), Limits()) == query


def test_unset_fields_have_their_defaults() -> None:
    """5 alternatives, and the end of the text counts."""
    query = decode_explain_request(ExplainRequest(text="a"), Limits())
    assert query == ExplanationQuery("a")
    assert (query.top_k, query.count_eos) == (5, True)


@pytest.mark.parametrize("with_units", [False, True])
def test_explanations_round_trip(with_units: bool) -> None:
    """An explanation survives encoding and decoding, except for float32 rounding of figures."""
    layers = summarise(list(VALUES), with_units=with_units)
    tokens = [
        ExplainedToken("su", 0, 1.5, (ScoredToken("<eos>", False, -2.5),), layers[0]),
        ExplainedToken("n", 0, 0.5, (), layers[1]),
        ExplainedToken("<eos>", 1, 0.25, (), layers[2]),
    ]
    words = [
        ExplainedWord("Sun", "sun", 2.0, (ScoredWord("sea", -3.5),), True, None, 0, 2),
        ExplainedWord("", "<eos>", 0.25, (), False, -0.5, 2, 1),
    ]
    result = ExplanationResult(
        Explanation(words, tokens, -2.25), True, ModelVersion("en", "3", "int8")
    )
    found = decode_explanation(finish(encode_explanation(result)))
    assert found.explanation.words == words
    assert (found.explanation.log_prob, found.counted_eos, found.model) == (
        -2.25,
        True,
        result.model,
    )
    for token, expected in zip(found.explanation.tokens, tokens, strict=True):
        assert (token.text, token.word_index, token.surprisal, token.alternatives) == (
            expected.text,
            expected.word_index,
            expected.surprisal,
            expected.alternatives,
        )
        for layer, same in zip(token.layers, expected.layers, strict=True):
            assert layer.half_life == pytest.approx(same.half_life, rel=1e-6)
            assert layer.cell_max_abs == pytest.approx(same.cell_max_abs, rel=1e-6)
            assert layer.forget_open == same.forget_open
            assert (layer.units is None) == (not with_units)
            if layer.units is not None and same.units is not None:
                assert layer.units.cell.tobytes() == same.units.cell.tobytes()
                assert layer.units.candidate.tobytes() == same.units.candidate.tobytes()


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ExplainRequest(text="é" * 8193), "text"),
        (ExplainRequest(text="a", without="a" * 16_385), "without"),
        (ExplainRequest(text="a", top_k=101), "top_k"),
    ],
)
def test_values_above_their_limits_name_the_field(request_: ExplainRequest, field: str) -> None:
    """Sizes are limited before any work."""
    with pytest.raises(InvalidInput) as caught:
        decode_explain_request(request_, Limits())
    assert caught.value.field == field
