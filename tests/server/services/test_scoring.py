"""Score on a real server: answers, invalid input, load, deadlines, cancellation."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from tests.running import RunningServer, until
from tests.server.requests import HISTORIES, field_named, long_score, refusal, texts

from wordgate.api.v1.priority_pb2 import PRIORITY_BATCH
from wordgate.api.v1.scoring_pb2 import Candidate, ScoreRequest, ScoreResponse
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub
from wordgate.engine.local_model import LocalModel
from wordgate.engine.results import ScoreResult
from wordgate.protocol.scoring import encode_scores
from wordgate.server.services.scoring import request_size, size_with
from wordgate.text.cooperative_steps import finish

CANDIDATES = ("the cat sat", "the cat", "", "wreck a nice beach", "the cat", "Ünï 🦆\u0000", " x ")
SERVICE = "wordgate.v1.ScoringService"


@pytest.fixture
def stub(channel: grpc.Channel) -> ScoringServiceStub:
    """A stub of the shared server."""
    return ScoringServiceStub(channel)


@pytest.fixture
def quiet(server: RunningServer) -> Iterator[RunningServer]:
    """The shared server, with no work in progress."""
    yield server
    until(lambda: _is_quiet(server), "the server to have nothing under way")


def _response(result: ScoreResult) -> ScoreResponse:
    """Return a result as the server answers it."""
    return finish(encode_scores(result))


def request_of(*candidates: str, **options: Any) -> ScoreRequest:
    """Return a request with these candidates."""
    return ScoreRequest(candidates=[Candidate(text=text) for text in candidates], **options)


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("count_eos", [True, False])
def test_score_is_bit_identical_to_a_local_model(
    stub: ScoringServiceStub, local: LocalModel, history: str, count_eos: bool
) -> None:
    """Scores over gRPC have the same bits as those of a model in this process."""
    answered = stub.Score(request_of(*CANDIDATES, history=history, count_eos=count_eos))
    assert answered == _response(local.submit_score(history, CANDIDATES, count_eos).result())
    assert tuple(candidate.text for candidate in answered.candidates) == CANDIDATES


@pytest.mark.parametrize("count_eos", [True, False])
def test_words_have_their_log_probabilities(
    stub: ScoringServiceStub, local: LocalModel, count_eos: bool
) -> None:
    """If the request wants them; they and the end of the text add up to the candidate's own."""
    asked = request_of(*CANDIDATES, history="the", count_eos=count_eos, return_words=True)
    answered = stub.Score(asked)
    result = local.submit_score("the", CANDIDATES, count_eos, return_words=True).result()
    assert answered == _response(result)
    for candidate in answered.candidates:
        assert len(candidate.words) == candidate.word_count
        total = sum(word.log_prob for word in candidate.words) + candidate.eos_log_prob
        assert total == pytest.approx(candidate.log_prob)
        assert (candidate.eos_log_prob < 0) == count_eos
    assert [word.word for word in answered.candidates[3].words] == ["wreck", "a", "nice", "beach"]
    plain = stub.Score(request_of(*CANDIDATES, history="the", count_eos=count_eos))
    assert not any(candidate.words for candidate in plain.candidates)


def test_the_end_of_the_text_is_counted_unless_the_request_says_no(
    stub: ScoringServiceStub,
) -> None:
    """An unset `count_eos` includes the end-of-text token, and the answer says so."""
    assert stub.Score(request_of("the cat")).counted_eos
    assert not stub.Score(request_of("the cat", count_eos=False)).counted_eos


BAD_REQUESTS = {
    "no candidates": (request_of(), "candidates"),
    "too many candidates": (request_of(*["a"] * 1001), "candidates"),
    "long candidate": (request_of("a", "b " * 4097), "candidates[1].text"),
    "large candidate": (request_of("a" * 65_537), "candidates[0].text"),
    "long model": (ScoreRequest(model="x" * 257, candidates=request_of("a").candidates), "model"),
    "long history": (request_of("a", history="a" * 65_537), "history"),
    "many words": (
        ScoreRequest(candidates=request_of(*["." * 1001] * 100).candidates, return_words=True),
        "return_words",
    ),
}


@pytest.mark.parametrize(("request_", "field"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_bad_requests_name_the_field(
    stub: ScoringServiceStub, request_: ScoreRequest, field: str
) -> None:
    """Each value outside its limits is rejected with INVALID_ARGUMENT and the name of its field."""
    assert field_named(refusal(lambda: stub.Score(request_))) == field


def test_candidates_that_are_not_utf8_are_bad_input(channel: grpc.Channel) -> None:
    """The error names the path of a candidate with invalid UTF-8."""
    raw: Any = channel.unary_unary(f"/{SERVICE}/Score")
    assert field_named(refusal(lambda: raw(b"\x1a\x04\x0a\x02\xff\xfe"))) == "candidates.text"


def test_messages_above_the_limit_are_rejected(stub: ScoringServiceStub) -> None:
    """A message above the size limit never reaches the model."""
    error = refusal(lambda: stub.Score(request_of("a" * 1_100_000)))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_unknown_methods_are_unimplemented(channel: grpc.Channel) -> None:
    """A method that does not exist is UNIMPLEMENTED."""
    raw: Any = channel.unary_unary(f"/{SERVICE}/Guess")
    assert refusal(lambda: raw(b"")).code() is grpc.StatusCode.UNIMPLEMENTED


def test_concurrent_requests_share_inferences(
    quiet: RunningServer, stub: ScoringServiceStub
) -> None:
    """16 concurrent requests need far fewer inferences than sequential ones."""
    histories = [f"{number} " + "the cat sat on the mat " * 20 for number in range(16)]
    calls, rows = _steps(quiet)
    in_flight = [
        stub.Score.future(request_of("a", history=history, priority=PRIORITY_BATCH))
        for history in histories
    ]
    for answer in in_flight:
        answer.result()
    calls_after, rows_after = _steps(quiet)
    assert rows_after - rows > 16 * 100
    assert calls_after - calls < (rows_after - rows) / 2


def test_concurrent_load_changes_no_bit(
    quiet: RunningServer, stub: ScoringServiceStub, local: LocalModel
) -> None:
    """Each of many concurrent requests is answered as if it were alone."""
    asked = texts(40)
    in_flight = [
        stub.Score.future(request_of(text, "the sun", history=text, priority=PRIORITY_BATCH))
        for text in asked
    ]
    for text, answer in zip(asked, in_flight, strict=True):
        alone = local.submit_score(text, [text, "the sun"]).result()
        assert answer.result() == _response(alone)


def test_a_deadline_drops_the_work(quiet: RunningServer, stub: ScoringServiceStub) -> None:
    """An expired request ends with DEADLINE_EXCEEDED, and its work is dropped."""
    dropped = quiet.metric("wordgate_jobs_dropped_total")

    def work_was_dropped() -> bool:
        """Return whether work was dropped; it is not if the deadline passed before it began."""
        error = refusal(lambda: stub.Score(long_score(), timeout=0.1))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        until(lambda: _is_quiet(quiet), "the server to have nothing under way")
        return quiet.metric("wordgate_jobs_dropped_total") > dropped

    until(work_was_dropped, "the work to be dropped")
    until(lambda: _is_quiet(quiet), "the server to have nothing under way")
    assert quiet.metric("grpc_server_handled_total", grpc_code="DeadlineExceeded") >= 1


def test_cancelling_one_of_a_batch_leaves_the_others_answered(
    quiet: RunningServer, stub: ScoringServiceStub, local: LocalModel
) -> None:
    """One of several concurrent requests is cancelled; the others get their answers."""
    dropped = quiet.metric("wordgate_jobs_dropped_total", reason="cancelled")
    cancelled = stub.Score.future(long_score())
    until(lambda: quiet.metric("wordgate_queued_rows") > 100, "the work to begin")
    others = [stub.Score.future(request_of(text, priority=PRIORITY_BATCH)) for text in texts(8)]
    cancelled.cancel()
    for text, answer in zip(texts(8), others, strict=True):
        assert answer.result() == _response(local.submit_score("", [text]).result())
    until(
        lambda: quiet.metric("wordgate_jobs_dropped_total", reason="cancelled") == dropped + 1,
        "the cancelled work to be dropped",
    )


def _steps(server: RunningServer) -> tuple[float, float]:
    """Return the number of inferences of the step graph so far, and their rows."""
    calls = server.metric("wordgate_batch_rows_count", graph="step")
    return calls, server.metric("wordgate_batch_rows_sum", graph="step")


def _is_quiet(server: RunningServer) -> bool:
    begun = server.metric("grpc_server_started_total", grpc_service=SERVICE)
    ended = server.metric("grpc_server_handled_total", grpc_service=SERVICE)
    return begun == ended and server.metric("wordgate_queued_rows") == 0


def test_answers_have_the_documented_type(stub: ScoringServiceStub) -> None:
    """Posteriors are fractions of 1, and counts are those of words and tokens."""
    answered: ScoreResponse = stub.Score(request_of("the cat", "the dog ate the cake"))
    assert sum(found.posterior for found in answered.candidates) == pytest.approx(1)
    assert [found.word_count for found in answered.candidates] == [2, 5]


@pytest.mark.parametrize(
    ("history", "read_bytes"),
    [
        ("", 0),
        ("see you ", 8),
        ("see you " * 8000, 2000),
        ("สวัสดี", 18),
        ("ก" * 21_000, 4092),
        ("see you " * 7000 + "é" * 500, 2500),
    ],
)
def test_only_the_read_part_of_a_history_counts(history: str, read_bytes: int) -> None:
    """The size for admission is in bytes, 4 for each of at most 1,023 tokens."""
    alone = request_size(ScoreRequest(candidates=[Candidate(text="soon")]))
    size = request_size(ScoreRequest(history=history, candidates=[Candidate(text="soon")]))
    head = 4  # tag and length of the history field
    assert read_bytes <= size - alone <= read_bytes + head
    assert size_with(history) - size_with("") == read_bytes
