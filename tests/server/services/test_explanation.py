"""Explain on a real server: answers, load, invalid input, deadlines, cancellation."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from tests.running import RunningServer, until
from tests.server.requests import field_named, long_score, refusal, texts

from wordgate.api.v1.explanation_pb2 import ExplainRequest, ExplainResponse
from wordgate.api.v1.models_pb2_grpc import ModelServiceStub
from wordgate.api.v1.priority_pb2 import PRIORITY_BATCH
from wordgate.api.v1.scoring_pb2 import Candidate, ScoreRequest
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub
from wordgate.client import Client
from wordgate.engine.local_model import LocalModel
from wordgate.protocol.explanation import encode_explanation
from wordgate.scoring.explanation import ExplanationQuery
from wordgate.text.cooperative_steps import finish

TEXTS = (
    "The clouds are in the sky.",
    "I grew up in London\nand the sun is in the sea\n",
    "上海 is a long way; Ünïcödé 🦆 ﬁn \u0000 <eos> 👩\u200d👩\u200d👧!",
    "a",
    "the cat sat on the mat " * 40,
    "recognisers " * 50,
)
LONG = "𞤢" * 128
"""The greatest number of tokens: 512."""


@pytest.fixture
def stub(channel: grpc.Channel) -> ModelServiceStub:
    """A stub of the shared server."""
    return ModelServiceStub(channel)


@pytest.fixture
def quiet(server: RunningServer) -> Iterator[RunningServer]:
    """The shared server, with no work in progress."""
    yield server
    until(lambda: server.metric("wordgate_queued_rows") == 0, "the server to be idle")


def _local(local: LocalModel, request: ExplainRequest) -> ExplainResponse:
    """Return what a model in this process answers, as the server answers it."""
    query = ExplanationQuery(
        request.text,
        request.without,
        request.top_k if request.HasField("top_k") else 5,
        request.return_units,
        request.count_eos if request.HasField("count_eos") else True,
    )
    return finish(encode_explanation(local.submit_explain(query).result()))


@pytest.mark.parametrize("text", TEXTS)
def test_explanations_are_bit_identical_to_a_local_model(
    stub: ModelServiceStub, local: LocalModel, text: str
) -> None:
    """Explanations over gRPC have the same bits as those of a model in this process."""
    for options in ({}, {"top_k": 0, "count_eos": False}, {"top_k": 100}):
        request = ExplainRequest(text=text, **options)  # type: ignore[arg-type]
        assert stub.Explain(request) == _local(local, request)


@pytest.mark.parametrize("text", [text for text in TEXTS if "\n" not in text])
@pytest.mark.parametrize("count_eos", [True, False])
def test_the_log_probability_is_that_of_score(
    stub: ModelServiceStub, channel: grpc.Channel, text: str, count_eos: bool
) -> None:
    """Bit for bit, for texts without line breaks."""
    score = ScoreRequest(candidates=[Candidate(text=text)], count_eos=count_eos)
    [scored] = ScoringServiceStub(channel).Score(score).candidates
    found = stub.Explain(ExplainRequest(text=text, count_eos=count_eos))
    assert found.log_prob == scored.log_prob
    assert found.counted_eos == count_eos
    assert len(found.tokens) == scored.token_count + count_eos


def test_units_and_a_clue(stub: ModelServiceStub, local: LocalModel) -> None:
    """Whole activations and the comparison without a clue are the same in both places."""
    request = ExplainRequest(
        text="I grew up in London, and the sun is in the sea", without="I grew up in London"
    )
    request.return_units = True
    found = stub.Explain(request)
    assert found == _local(local, request)
    assert [word.HasField("log_prob_without") for word in found.words[:6]] == [False] * 5 + [True]
    assert len(found.tokens[0].layers[1].cell_units) == 32


def test_other_work_changes_no_bit(
    quiet: RunningServer, stub: ModelServiceStub, channel: grpc.Channel, local: LocalModel
) -> None:
    """Explanations beside each other and beside scores are answered as if they were alone."""
    scores = [ScoringServiceStub(channel).Score.future(long_score(100)) for _ in range(2)]
    requests = [
        ExplainRequest(text=text, return_units=True, top_k=3, priority=PRIORITY_BATCH)
        for text in texts(8, 8)
    ]
    under_way = [stub.Explain.future(request) for request in requests]
    for request, answer in zip(requests, under_way, strict=True):
        assert answer.result() == _local(local, request)
    for score in scores:
        score.cancel()


BAD_REQUESTS = {
    "no text": (ExplainRequest(), "text"),
    "white space": (ExplainRequest(text=" \n"), "text"),
    "many words": (ExplainRequest(text="a " * 256), "text"),
    "many tokens": (ExplainRequest(text=LONG + "a"), "text"),
    "large text": (ExplainRequest(text=" " * 16_385), "text"),
    "not a part": (ExplainRequest(text="the sun", without="sea"), "without"),
    "nothing left": (ExplainRequest(text="the sun", without="the sun"), "without"),
    "large clue": (ExplainRequest(text="the sun", without=" " * 16_385), "without"),
    "many alternatives": (ExplainRequest(text="the sun", top_k=101), "top_k"),
    "priority": (ExplainRequest(text="the sun", priority=9), "priority"),  # type: ignore[arg-type]
    "long model": (ExplainRequest(text="a", model="x" * 257), "model"),
}


@pytest.mark.parametrize(("request_", "field"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_bad_requests_name_the_field(
    stub: ModelServiceStub, request_: ExplainRequest, field: str
) -> None:
    """Each value outside its limits is rejected with INVALID_ARGUMENT and the name of its field."""
    assert field_named(refusal(lambda: stub.Explain(request_))) == field


def test_text_that_is_not_utf8_is_bad_input(channel: grpc.Channel) -> None:
    """The error names the field with invalid UTF-8."""
    raw: Any = channel.unary_unary("/wordgate.v1.ModelService/Explain")
    assert field_named(refusal(lambda: raw(b"\x12\x02\xff\xfe"))) == "text"


def test_unknown_models_are_not_found(stub: ModelServiceStub) -> None:
    """As for every other method."""
    error = refusal(lambda: stub.Explain(ExplainRequest(text="a", model="other")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


def test_a_deadline_drops_the_work(quiet: RunningServer, stub: ModelServiceStub) -> None:
    """An expired request ends with DEADLINE_EXCEEDED, and its work is dropped."""
    dropped = quiet.metric("wordgate_jobs_dropped_total")

    def work_was_dropped() -> bool:
        """Return whether work was dropped; it is not if the deadline passed before it began."""
        request = ExplainRequest(text=LONG, top_k=100)
        error = refusal(lambda: stub.Explain(request, timeout=0.05))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        return quiet.metric("wordgate_jobs_dropped_total") > dropped

    until(work_was_dropped, "the work to be dropped")


def test_cancelling_one_leaves_the_others_answered(
    quiet: RunningServer, stub: ModelServiceStub, local: LocalModel
) -> None:
    """One of several concurrent requests is cancelled; the others get their answers."""
    dropped = quiet.metric("wordgate_jobs_dropped_total", reason="cancelled")
    begun = quiet.metric("wordgate_model_rows_total", kind="step")
    cancelled = [
        stub.Explain.future(
            ExplainRequest(text=f"{number} {LONG[:-2]}", top_k=100, priority=PRIORITY_BATCH)
        )
        for number in range(8)
    ]
    others = [ExplainRequest(text=text, priority=PRIORITY_BATCH) for text in texts(4, 8)]
    under_way = [stub.Explain.future(request) for request in others]
    until(
        lambda: quiet.metric("wordgate_model_rows_total", kind="step") > begun, "the work to begin"
    )
    for call in cancelled:
        call.cancel()
    for request, answer in zip(others, under_way, strict=True):
        assert answer.result() == _local(local, request)
    until(
        lambda: quiet.metric("wordgate_jobs_dropped_total", reason="cancelled") > dropped,
        "the cancelled work to be dropped",
    )


def test_the_largest_answer_fits_into_a_default_client(
    stub: ModelServiceStub, server: RunningServer
) -> None:
    """An answer stays below 3 MB; gRPC clients accept 4 MiB by default."""
    found = stub.Explain(ExplainRequest(text=LONG, top_k=100))
    assert len(found.tokens) == 513
    assert found.ByteSize() < 3_000_000
    with Client(server.address) as client:
        result = client.explain("the sun is", top_k=2)
    assert [word.word for word in result.explanation.words] == ["the", "sun", "is", "<eos>"]
