"""Round trips of generation requests and generated words through their messages."""

from hypothesis import given
from hypothesis import strategies as st

from wordgate.decoding.generation import FinishReason, GeneratedWord, GenerationQuery
from wordgate.engine.results import GenerationResult
from wordgate.lm.model_version import ModelVersion
from wordgate.protocol.generation import (
    decode_generate_request,
    decode_generated_word,
    encode_generate_request,
    encode_generated_word,
)
from wordgate.protocol.limits import Limits

QUERIES = st.builds(
    GenerationQuery,
    history=st.text(max_size=20),
    prefix=st.text(max_size=5),
    max_words=st.integers(1, 1000),
    temperature=st.floats(0, 100, width=32),
    top_k=st.integers(1, 100),
    top_p=st.floats(0, 1, width=32, exclude_min=True),
    seed=st.none() | st.integers(0, 2**64 - 1),
    stop_words=st.tuples() | st.tuples(st.just("the end"), st.just("stop")),
    max_expansions=st.integers(1, 5_000),
)
WORDS = st.builds(
    GeneratedWord,
    word=st.text(max_size=5),
    text=st.text(max_size=5),
    prefix=st.text(max_size=5),
    log_prob=st.floats(max_value=0, allow_nan=False),
    exact=st.booleans(),
    expansions=st.integers(0, 2**31),
    finish=st.none() | st.sampled_from(FinishReason),
)


@given(QUERIES)
def test_queries_round_trip(query: GenerationQuery) -> None:
    """A query survives encoding and decoding."""
    assert decode_generate_request(encode_generate_request("", query), Limits()) == query


@given(WORDS, st.integers(0, 2**64 - 1))
def test_words_round_trip(word: GeneratedWord, seed: int) -> None:
    """A generated word survives encoding and decoding."""
    result = GenerationResult(word, seed, ModelVersion("en", "3", "int8"))
    assert decode_generated_word(encode_generated_word(result)) == result
