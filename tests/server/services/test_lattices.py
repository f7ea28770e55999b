"""Lattices and confusion networks on a real server."""

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
    Alternative,
    Arc,
    ConfusionNetwork,
    Lattice,
    NullLabels,
    RescoreConfiguration,
    RescoreRequest,
    SearchBounds,
    Slot,
    StreamRescoreRequest,
    Utterance,
)
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub
from wordgate.client import AsyncClient, Client
from wordgate.engine.local_model import LocalModel
from wordgate.errors import InvalidInput
from wordgate.protocol.rescoring import encode_ranking
from wordgate.scoring import lattice as core
from wordgate.scoring.lattice_search import SearchBounds as Bounds
from wordgate.scoring.rescoring import HypothesisSpace
from wordgate.scoring.score_weights import ACOUSTIC, Boost, ScoreWeights

SCORE_WEIGHTS = ScoreWeights(3.0, -1.0, {"first": 0.5}, [Boost("the sea", 2.0)])


def _arc(start: int, end: int, label: str, acoustic: float) -> core.Arc:
    return core.Arc(start, end, label, {ACOUSTIC: acoustic, "first": -float(len(label))})


LATTICE = core.Lattice(
    [
        _arc(7, 2, "<s>", 0.0),
        _arc(2, 3, "the", -4.0),
        _arc(2, 3, "The(2)", -3.0),
        _arc(2, 3, "a", -2.5),
        _arc(3, 4, "sun", -8.0),
        _arc(3, 4, "son", -7.0),
        _arc(3, 5, "Ünï🦆", -6.0),
        _arc(4, 5, "[UH]", -1.0),
        _arc(4, 5, "", -1.5),
    ],
    7,
    5,
    times=[0.0, 0.0, 0.1, 0.4, 0.9, 1.0, 0.0, 0.0],
)
GLYPHS = core.ConfusionNetwork(
    [
        [
            core.Alternative(text, {ACOUSTIC: -float(rank), "first": 0.0})
            for rank, text in enumerate(slot)
        ]
        for slot in ("tl", "h", "ec", " .", "s5", ["u", "", "un"], "nm")
    ],
    "",
    sum_paths=True,
)
WORDS = core.ConfusionNetwork(
    [
        [core.Alternative(text, {ACOUSTIC: -1.0, "first": 0.5}) for text in slot]
        for slot in (["the", "a", ""], ["sun", "son"], ["", "is  up"])
    ],
    times=[0.0, 0.25, 1.0, 1.5],
)


@pytest.fixture
def stub(channel: grpc.Channel) -> ScoringServiceStub:
    """A stub of the shared server."""
    return ScoringServiceStub(channel)


@pytest.mark.parametrize("source", [LATTICE, GLYPHS, WORDS], ids=["lattice", "glyphs", "words"])
@pytest.mark.parametrize("bounds", [Bounds(), Bounds(2, 3, 0, 9)])
async def test_rankings_are_bit_identical_to_a_local_model(
    server: Any, local: LocalModel, source: HypothesisSpace, bounds: Bounds
) -> None:
    """A ranking over gRPC has the same bits as one of a model in this process."""
    expected = local.submit_rescore("down", source, SCORE_WEIGHTS, True, bounds).result()
    assert 1 <= len(expected.ranking.transcripts) <= (bounds.max_transcripts or 10)
    with Client(server.address) as client:
        answer = client.rescore("down", source, SCORE_WEIGHTS, bounds=bounds)
        assert answer == expected
    async with AsyncClient(server.address) as patient:
        answer = await patient.rescore("down", source, SCORE_WEIGHTS, bounds=bounds)
        assert answer == expected


def test_a_text_has_the_same_bits_from_a_list_and_from_a_lattice(local: LocalModel) -> None:
    """The language model's score of a transcript does not depend on its source."""
    found = local.submit_rescore("down", LATTICE, SCORE_WEIGHTS).result().ranking.transcripts
    listed = local.submit_score("down", [each.text for each in found]).result().candidates
    assert [each.log_prob for each in found] == [each.log_prob for each in listed]


def test_a_stream_searches_as_its_configuration_says(
    stub: ScoringServiceStub, local: LocalModel
) -> None:
    """Lattices and networks are utterances like n-best lists; an invalid one fails alone."""
    arcs = [Arc(start_node=0, end_node=1, label=label) for label in ("sun", "sea")]
    configuration = RescoreConfiguration(search=SearchBounds(max_transcripts=1))
    slots = [Slot(alternatives=[Alternative(text="sun"), Alternative(text="sea")])]
    messages = [
        StreamRescoreRequest(configuration=configuration),
        StreamRescoreRequest(
            sequence=1, utterance=Utterance(lattice=Lattice(arcs=arcs, end_node=1))
        ),
        StreamRescoreRequest(
            sequence=2, utterance=Utterance(lattice=Lattice(arcs=arcs, end_node=9))
        ),
        StreamRescoreRequest(
            sequence=3, utterance=Utterance(confusion_network=ConfusionNetwork(slots=slots))
        ),
    ]
    first, second, third = stub.StreamRescore(iter(messages))
    lattice = core.Lattice([core.Arc(0, 1, "sun"), core.Arc(0, 1, "sea")], 0, 1)
    bounds = Bounds(max_transcripts=1)
    expected = local.submit_rescore("", lattice, ScoreWeights(), True, bounds).result()
    assert first.response == third.response == paused_through(encode_ranking(expected))
    assert (second.sequence, second.error.field) == (2, "lattice")


def _lattice(arcs: Iterable[Arc], **options: Any) -> RescoreRequest:
    return RescoreRequest(lattice=Lattice(**{"arcs": arcs, "end_node": 1, **options}))


def _network(alternatives: Iterable[Alternative], **options: Any) -> RescoreRequest:
    slots = [Slot(alternatives=alternatives)]
    return RescoreRequest(confusion_network=ConfusionNetwork(slots=slots, **options))


def _searched(**options: Any) -> RescoreRequest:
    return RescoreRequest(lattice=Lattice(arcs=[ARC], end_node=1), search=SearchBounds(**options))


ARC = Arc(end_node=1, label="sun")
BAD_REQUESTS = {
    "no arcs": (_lattice([]), "lattice.arcs"),
    "too many arcs": (_lattice([ARC] * 20_001), "lattice.arcs"),
    "long label": (_lattice([Arc(end_node=1, label="a" * 1025)]), "lattice.arcs[0].label"),
    "no path": (_lattice([ARC], end_node=2), "lattice"),
    "circle": (_lattice([ARC, Arc(start_node=1, label="b")]), "lattice.arcs"),
    "NaN": (
        _lattice([Arc(end_node=1, scores={"am": math.nan})]),
        "lattice.arcs[0].scores[am]",
    ),
    "huge": (
        _lattice([Arc(end_node=1, scores={"acoustic_log_prob": 1e300})]),
        "lattice.arcs[0].scores",
    ),
    "times": (_lattice([ARC], node_times_seconds=[1.0]), "lattice.arcs[0].end_node"),
    "patterns": (
        _lattice([ARC], null_labels=NullLabels(patterns=["**"])),
        "lattice.null_labels.patterns[0]",
    ),
    "no slots": (RescoreRequest(confusion_network=ConfusionNetwork()), "confusion_network.slots"),
    "empty slot": (_network([]), "confusion_network.slots[0].alternatives"),
    "separator": (_network([Alternative()], separator="--"), "confusion_network.separator"),
    "long text": (
        _network([Alternative(text="a" * 1025)]),
        "confusion_network.slots[0].alternatives[0].text",
    ),
    "merging": (_lattice([ARC], merging=3), "lattice.merging"),
    "merging of slots": (
        _network([Alternative()], merging=3),
        "confusion_network.merging",
    ),
    "beam 0": (_searched(beam=0), "search.beam"),
    "beam": (_searched(beam=1001), "search.beam"),
    "transcripts": (_searched(max_transcripts=101), "search.max_transcripts"),
    "expansions": (_searched(max_expansions=20_001), "search.max_expansions"),
    "memory": (_searched(recombination_words=1001), "search.recombination_words"),
}


@pytest.mark.parametrize(("request_", "field"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_invalid_requests_name_the_field(
    stub: ScoringServiceStub, request_: RescoreRequest, field: str
) -> None:
    """The error names the invalid field."""
    assert field_named(refusal(lambda: stub.Rescore(request_))) == field


@pytest.mark.parametrize(
    "bounds", [{"beam": 0}, {"max_expansions": -1}, {"max_transcripts": 1 << 40}]
)
def test_zero_search_bounds_are_rejected(bounds: dict[str, int]) -> None:
    """A search requires a beam and a limit above 0."""
    with pytest.raises(InvalidInput, match="search"):
        Bounds(**bounds)


numbers = st.one_of(st.floats(), st.integers(-5, 0).map(float))
score_maps = st.dictionaries(st.sampled_from(["a", "acoustic_log_prob"]), numbers, max_size=2)
nodes = st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1))
arcs = st.builds(Arc, start_node=nodes, end_node=nodes, label=texts, scores=score_maps)
alternatives = st.builds(Alternative, text=texts, scores=score_maps)
requests = st.one_of(
    st.builds(
        lambda drawn: RescoreRequest(lattice=drawn),
        st.builds(
            Lattice,
            arcs=st.lists(arcs, max_size=6),
            start_node=st.integers(0, 1),
            end_node=st.integers(0, 3),
            node_times_seconds=st.lists(numbers, max_size=4),
            merging=st.integers(0, 3),
        ),
    ),
    st.builds(
        lambda slots, separator: RescoreRequest(
            confusion_network=ConfusionNetwork(slots=slots, separator=separator)
        ),
        st.lists(st.builds(Slot, alternatives=st.lists(alternatives, max_size=3)), max_size=4),
        st.sampled_from(["", " ", "x"]),
    ),
)


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(requests)
def test_random_requests_are_ranked_or_name_a_field(
    stub: ScoringServiceStub, drawn: RescoreRequest
) -> None:
    """No request ends in an internal error, and no ranking contains a NaN."""
    outcome: Any = None
    try:
        ranking = stub.Rescore(drawn).ranking
    except grpc.RpcError as error:
        outcome = error
    if outcome is not None:
        assert outcome.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert field_named(outcome)
        return
    assert ranking.transcripts
    for found in ranking.transcripts:
        assert math.isfinite(found.total)
        assert 0 <= found.posterior <= 1
