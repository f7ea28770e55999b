"""Rescore and StreamRescore on a real server."""

import math
from collections.abc import Iterable
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server.requests import field_named, paused_through, refusal
from tests.vocabularies import texts

from wordgate.api.v1.rescoring_pb2 import (
    Boost,
    NBest,
    NBestCandidate,
    RescoreConfiguration,
    RescoreRequest,
    ScoreWeights,
    StreamRescoreRequest,
    StreamRescoreResponse,
    TimeSpan,
    Utterance,
)
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub
from wordgate.client import AsyncClient, Client
from wordgate.engine.local_model import LocalModel
from wordgate.protocol.rescoring import encode_ranking
from wordgate.scoring import score_weights as core
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.hypothesis import TimeSpan as Span
from wordgate.scoring.lattice_search import SearchBounds

NAN = float("nan")
SCORE_WEIGHTS = core.ScoreWeights(3.0, -1.0, {"first": 0.5}, [core.Boost("the sea", 2.0)])
HEARD = [
    Hypothesis(
        "The  sun",
        {"acoustic_log_prob": -20.0, "first": -3.0},
        [Span(0, 0.25), Span(0.25, 1)],
    ),
    Hypothesis("the sea", {"acoustic_log_prob": -21.0, "first": -2.0}),
    Hypothesis("", {"acoustic_log_prob": -40.0, "first": 0.0}),
    Hypothesis("Ünï 🦆 see", {"acoustic_log_prob": -19.0, "first": -9.0}),
]


@pytest.fixture
def stub(channel: grpc.Channel) -> ScoringServiceStub:
    """Return a stub for the shared server."""
    return ScoringServiceStub(channel)


def n_best(*texts: str, **scores: float) -> NBest:
    """Return an n-best list whose candidates all have the same scores."""
    return NBest(candidates=[NBestCandidate(text=text, scores=scores) for text in texts])


def rescore_request(score_weights: ScoreWeights | None = None, **options: Any) -> RescoreRequest:
    """Return a valid request, except for the given fields."""
    return RescoreRequest(
        **{"n_best": n_best("a", "b", am=-1.0), "score_weights": score_weights, **options}
    )


def one_candidate(**options: Any) -> RescoreRequest:
    """Return a request with one candidate."""
    return rescore_request(n_best=NBest(candidates=[NBestCandidate(**options)]))


@pytest.mark.parametrize("history", ["", "down by the"])
@pytest.mark.parametrize("count_eos", [True, False])
async def test_clients_return_the_result_of_a_local_model(
    server: Any, local: LocalModel, history: str, count_eos: bool
) -> None:
    """A ranking over gRPC is bit-identical to that of a model in this process."""
    expected = local.submit_rescore(history, HEARD, SCORE_WEIGHTS, count_eos).result()
    assert [found.index for found in expected.ranking.transcripts] != [0, 1, 2, 3]
    with Client(server.address) as client:
        answer = client.rescore(history, HEARD, SCORE_WEIGHTS, count_eos=count_eos)
        assert answer == expected
    async with AsyncClient(server.address) as async_client:
        answer = await async_client.rescore(history, HEARD, SCORE_WEIGHTS, count_eos=count_eos)
        assert answer == expected


@pytest.mark.parametrize("wanted", [1, 2, 50])
async def test_clients_limit_the_number_of_transcripts(
    server: Any, local: LocalModel, wanted: int
) -> None:
    """`max_transcripts` reaches the server and applies to n-best lists, too."""
    bounds = SearchBounds(wanted)
    expected = local.submit_rescore("", HEARD, SCORE_WEIGHTS, True, bounds).result()
    assert len(expected.ranking.transcripts) == min(wanted, len(HEARD))
    with Client(server.address) as client:
        assert client.rescore("", HEARD, SCORE_WEIGHTS, bounds=bounds) == expected
    async with AsyncClient(server.address) as async_client:
        assert await async_client.rescore("", HEARD, SCORE_WEIGHTS, bounds=bounds) == expected


def test_default_score_weights(stub: ScoringServiceStub, local: LocalModel) -> None:
    """Without weights, the acoustic score and the log-probability have weight 1."""
    candidates = n_best("the sun", "the sea", acoustic_log_prob=-5.0)
    heard = [Hypothesis(found.text, dict(found.scores)) for found in candidates.candidates]
    expected = local.submit_rescore("", heard, core.ScoreWeights()).result()
    assert stub.Rescore(RescoreRequest(n_best=candidates)) == paused_through(
        encode_ranking(expected)
    )


BAD_REQUESTS = {
    "nothing": (RescoreRequest(), "hypotheses"),
    "no candidates": (rescore_request(n_best=NBest()), "n_best.candidates"),
    "too many": (rescore_request(n_best=n_best(*["a"] * 1001)), "n_best.candidates"),
    "long history": (rescore_request(history="a" * 65_537), "history"),
    "large candidate": (one_candidate(text="a" * 65_537), "n_best.candidates[0].text"),
    "long candidate": (one_candidate(text="b " * 4097), "n_best.candidates[0].text"),
    "NaN score": (one_candidate(scores={"am": NAN}), "n_best.candidates[0].scores[am]"),
    "many scores": (
        one_candidate(scores={str(number): 0.0 for number in range(33)}),
        "n_best.candidates[0].scores",
    ),
    "long name": (one_candidate(scores={"x" * 65: 0.0}), "n_best.candidates[0].scores"),
    "times": (one_candidate(text="a b", times=[TimeSpan()]), "n_best.candidates[0].times"),
    "NaN weight": (rescore_request(ScoreWeights(lm_weight=NAN)), "score_weights.lm_weight"),
    "negative weight": (rescore_request(ScoreWeights(lm_weight=-1)), "score_weights.lm_weight"),
    "infinite bonus": (
        rescore_request(ScoreWeights(word_insertion_bonus=float("inf"))),
        "score_weights.word_insertion_bonus",
    ),
    "NaN factor": (rescore_request(ScoreWeights(weights={"am": NAN})), "score_weights.weights[am]"),
    "unknown score": (
        rescore_request(ScoreWeights(weights={"lm": 1.0})),
        "score_weights.weights[lm]",
    ),
    "no scale": (
        rescore_request(ScoreWeights(posterior_scale=0.0)),
        "score_weights.posterior_scale",
    ),
    "many boosts": (
        rescore_request(ScoreWeights(boosts=[Boost(phrase="a")] * 1001)),
        "score_weights.boosts",
    ),
    "empty boost": (
        rescore_request(ScoreWeights(boosts=[Boost()])),
        "score_weights.boosts[0].phrase",
    ),
    "long boost": (
        rescore_request(ScoreWeights(boosts=[Boost(phrase="a" * 257)])),
        "score_weights.boosts[0].phrase",
    ),
}


@pytest.mark.parametrize(("request_", "field"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_bad_requests_name_the_field(
    stub: ScoringServiceStub, request_: RescoreRequest, field: str
) -> None:
    """A value outside its limits is rejected with INVALID_ARGUMENT and the name of its field."""
    assert field_named(refusal(lambda: stub.Rescore(request_))) == field


_numbers = st.floats(width=64) | st.floats(-100, 0)
_texts = texts | st.text(max_size=20)
_scores = st.dictionaries(st.sampled_from(["acoustic_log_prob", "first", ""]), _numbers)
_spans = st.builds(TimeSpan, start_seconds=_numbers, end_seconds=_numbers)
_requests = st.builds(
    RescoreRequest,
    history=_texts,
    count_eos=st.booleans(),
    score_weights=st.builds(
        ScoreWeights,
        lm_weight=st.none() | _numbers,
        word_insertion_bonus=_numbers,
        weights=_scores,
        boosts=st.lists(st.builds(Boost, phrase=_texts, bonus=_numbers), max_size=2),
        posterior_scale=st.none() | _numbers,
    ),
    n_best=st.builds(
        NBest,
        candidates=st.lists(
            st.builds(
                NBestCandidate,
                text=_texts,
                scores=_scores,
                times=st.lists(_spans, max_size=2),
            ),
            max_size=3,
        ),
    ),
)


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(_requests)
def test_arbitrary_requests_are_ranked_or_rejected_with_a_field(
    stub: ScoringServiceStub, request_: RescoreRequest
) -> None:
    """No request causes an internal error: it gets finite totals, or the name of a field."""
    call = stub.Rescore.future(request_)
    if call.exception() is not None:
        assert field_named(call)
        return
    ranked = call.result().ranking.transcripts
    assert len(ranked) == len(request_.n_best.candidates)
    assert all(math.isfinite(found.total) and 0 <= found.posterior <= 1 for found in ranked)


def configured(**options: Any) -> StreamRescoreRequest:
    """Return the first message of a stream."""
    return StreamRescoreRequest(configuration=RescoreConfiguration(**options))


def utterance(sequence: int, *texts: str, **options: Any) -> StreamRescoreRequest:
    """Return an utterance message of a stream."""
    heard = Utterance(n_best=n_best(*texts, **options))
    return StreamRescoreRequest(sequence=sequence, utterance=heard)


def _answers(
    stub: ScoringServiceStub, sent: Iterable[StreamRescoreRequest]
) -> list[StreamRescoreResponse]:
    return list(stub.StreamRescore(iter(sent), timeout=60))


def test_stream_responses_are_in_order(stub: ScoringServiceStub) -> None:
    """Each utterance gets the result of `Rescore`, with its own sequence number."""
    score_weights = ScoreWeights(lm_weight=2.0)
    texts = [["the sea " * number, "the cat sat", ""] for number in range(30, 0, -1)]
    sent = [utterance(7 * number, *heard) for number, heard in enumerate(texts)]
    found = _answers(stub, [configured(score_weights=score_weights), *sent])
    assert [answer.sequence for answer in found] == [7 * number for number in range(30)]
    for answer, heard in zip(found, texts, strict=True):
        request = RescoreRequest(n_best=n_best(*heard), score_weights=score_weights)
        assert answer.response == stub.Rescore(request)


def test_an_invalid_utterance_does_not_affect_others(stub: ScoringServiceStub) -> None:
    """Its response names the field; the utterances before and after it are ranked."""
    sent = [configured(), utterance(1, "a"), utterance(2), utterance(3, "a", am=NAN)]
    found = _answers(stub, [*sent, utterance(4, "b")])
    assert [answer.WhichOneof("result") for answer in found] == [
        "response",
        "error",
        "error",
        "response",
    ]
    assert found[1].error.field == "n_best.candidates"
    assert found[2].error.field == "n_best.candidates[0].scores[am]"


BAD_STREAMS = {
    "utterance first": ([utterance(1, "a")], "configuration"),
    "configured twice": ([configured(), configured()], "configuration"),
    "nothing": ([configured(), StreamRescoreRequest(sequence=1)], "event"),
    "NaN": (
        [configured(score_weights=ScoreWeights(lm_weight=NAN))],
        "configuration.score_weights.lm_weight",
    ),
}


@pytest.mark.parametrize(("sent", "field"), BAD_STREAMS.values(), ids=BAD_STREAMS)
def test_bad_streams_name_the_field(
    stub: ScoringServiceStub, sent: list[StreamRescoreRequest], field: str
) -> None:
    """Messages out of order and a configuration outside its limits end the stream."""
    assert field_named(refusal(lambda: _answers(stub, sent))) == field


def test_unknown_models_are_not_found(stub: ScoringServiceStub) -> None:
    """A model that is not served causes NOT_FOUND, in a request and in a stream."""
    for ask in (
        lambda: stub.Rescore(rescore_request(model="unknown")),
        lambda: _answers(stub, [configured(model="unknown")]),
    ):
        assert refusal(ask).code() is grpc.StatusCode.NOT_FOUND
