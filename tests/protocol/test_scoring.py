"""Round trips of scores through their messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgate.api.v1.priority_pb2 import PRIORITY_BATCH, PRIORITY_REALTIME
from wordgate.engine.job import Priority
from wordgate.engine.results import ScoreResult
from wordgate.errors import InvalidInput
from wordgate.lm.model_version import ModelVersion
from wordgate.protocol.scoring import (
    counts_eos,
    decode_priority,
    decode_scores,
    encode_score_request,
    encode_scores,
)
from wordgate.scoring.scoring import Candidate, WordScore
from wordgate.text.cooperative_steps import finish

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
log_probs = st.floats(-100, 0)
words = st.lists(st.builds(WordScore, texts, log_probs), max_size=3).map(tuple)
counts = st.integers(0, 1 << 31)
candidates = st.builds(
    Candidate, texts, log_probs, st.floats(0, 1), counts, counts, words, log_probs
)
models = st.builds(ModelVersion, texts, texts, st.sampled_from(["int8", "float32"]))


@given(st.builds(ScoreResult, st.lists(candidates, max_size=4), st.booleans(), models))
def test_scores_round_trip(result: ScoreResult) -> None:
    """The client decodes the result that the server encoded."""
    assert decode_scores(finish(encode_scores(result))) == result


@given(texts, st.lists(texts, max_size=3), st.booleans(), st.booleans())
def test_score_requests_contain_all_arguments(
    history: str, candidate_texts: list[str], count_eos: bool, return_words: bool
) -> None:
    """Texts are sent verbatim, together with `count_eos` and `return_words`."""
    request = encode_score_request("en", history, candidate_texts, count_eos, return_words)
    assert (request.model, request.history) == ("en", history)
    assert [candidate.text for candidate in request.candidates] == candidate_texts
    assert (counts_eos(request), request.return_words) == (count_eos, return_words)


def test_decode_priority() -> None:
    """Requests are realtime by default; an unknown priority is rejected."""
    request = encode_score_request("", "", ["a"], True)
    assert decode_priority(request, Priority.NORMAL) is Priority.NORMAL
    request.priority = PRIORITY_REALTIME
    assert decode_priority(request, Priority.NORMAL) is Priority.NORMAL
    request.priority = PRIORITY_BATCH
    assert decode_priority(request, Priority.NORMAL) is Priority.BATCH
    request.priority = 9  # type: ignore[assignment]
    with pytest.raises(InvalidInput, match="priority"):
        decode_priority(request, Priority.NORMAL)
