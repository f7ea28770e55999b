"""Predict and StreamPredict on a real server."""

from functools import partial
from typing import Any

import grpc
import pytest
from tests.running import RunningServer, until
from tests.server.requests import (
    HISTORIES,
    LONG_TO_READ,
    Conversation,
    configured,
    field_named,
    refusal,
    text,
)

from wordgate.api.v1.prediction_pb2 import (
    SUGGESTION_KIND_PUNCTUATION,
    SUGGESTION_KIND_WORD,
    ContinuousCache,
    PredictRequest,
    PredictResponse,
    SessionConfiguration,
    SessionText,
    StreamPredictRequest,
    SuggestionOptions,
)
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.decoding.prediction import Query, split_typed
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.engine.local_model import LocalModel
from wordgate.protocol.prediction import encode_prediction, encode_session_prediction
from wordgate.text.edit_buffer import TextBuffer

NAN = float("nan")

BAD_REQUESTS = {
    "too many suggestions": (
        PredictRequest(options=SuggestionOptions(max_suggestions=101)),
        "options.max_suggestions",
    ),
    "too many expansions": (
        PredictRequest(options=SuggestionOptions(max_expansions=20_001)),
        "options.max_expansions",
    ),
    "sharpness of no cache": (
        PredictRequest(
            options=SuggestionOptions(continuous_cache=ContinuousCache(weight=0.0, sharpness=NAN))
        ),
        "options.continuous_cache.sharpness",
    ),
    "NaN": (
        PredictRequest(options=SuggestionOptions(min_probability=NAN)),
        "options.min_probability",
    ),
    "no probability": (
        PredictRequest(options=SuggestionOptions(min_probability=1.5)),
        "options.min_probability",
    ),
    "negative": (
        PredictRequest(options=SuggestionOptions(min_probability=-0.1)),
        "options.min_probability",
    ),
    "infinite": (
        PredictRequest(options=SuggestionOptions(min_probability=float("inf"))),
        "options.min_probability",
    ),
    "long history": (PredictRequest(history="a" * 65_537), "history"),
    "history long in bytes": (PredictRequest(history="ä" * 32_769), "history"),
    "long prefix": (PredictRequest(prefix="a" * 1025), "prefix"),
}
BAD_SESSIONS = {
    "text first": ([text(1, "the")], "configuration"),
    "configured twice": ([configured(), configured()], "configuration"),
    "too many suggestions": (
        [configured(max_suggestions=101)],
        "configuration.options.max_suggestions",
    ),
    "NaN": ([configured(min_probability=NAN)], "configuration.options.min_probability"),
    "too many expansions": (
        [configured(max_expansions=20_001)],
        "configuration.options.max_expansions",
    ),
    "same number": ([configured(), text(2, "a"), text(2, "b")], "sequence"),
    "falling number": ([configured(), text(2, "a"), text(1, "b")], "sequence"),
    "nothing": ([configured(), StreamPredictRequest(sequence=1)], "event"),
    "long text": ([configured(), text(1, "a" * 65_537)], "text.text"),
}
NO_MESSAGES = {
    "random": (b"\xff\xff\xff", "message"),
    "cut off": (b"\x12\x05ab", "message"),
    "bad history": (b"\x12\x02\xff\xfe", "history"),
    "bad prefix": (b"\x1a\x01\x80", "prefix"),
}


@pytest.fixture
def stub(channel: grpc.Channel) -> PredictionServiceStub:
    """A stub of the shared server."""
    return PredictionServiceStub(channel)


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("prefix", ["", "th", "London th", "Ü"])
def test_predict_is_bit_identical_to_a_local_model(
    stub: PredictionServiceStub, local: LocalModel, history: str, prefix: str
) -> None:
    """A prediction over gRPC has the same bits as one of a model in this process."""
    answered: PredictResponse = stub.Predict(PredictRequest(history=history, prefix=prefix))
    assert answered == encode_prediction(_here(local, history, prefix))
    assert len(answered.suggestions) == 5


def test_options_are_obeyed(stub: PredictionServiceStub) -> None:
    """The number, probability threshold, punctuation and search bound are those of the request."""
    request = PredictRequest(options=SuggestionOptions(max_suggestions=30, allow_punctuation=True))
    answered = stub.Predict(request).suggestions
    assert len(answered) == 30
    assert {found.kind for found in answered} == {SUGGESTION_KIND_WORD, SUGGESTION_KIND_PUNCTUATION}
    least = answered[9].probability
    request = PredictRequest(
        options=SuggestionOptions(max_suggestions=30, allow_punctuation=True, min_probability=least)
    )
    assert len(stub.Predict(request).suggestions) == 10
    assert not stub.Predict(
        PredictRequest(prefix="qz", options=SuggestionOptions(max_expansions=1))
    ).exact


@pytest.mark.parametrize(("request_", "field"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_bad_requests_name_the_field(
    stub: PredictionServiceStub, request_: PredictRequest, field: str
) -> None:
    """Each value outside its limits is rejected with INVALID_ARGUMENT and the name of its field."""
    assert field_named(refusal(lambda: stub.Predict(request_))) == field


def test_unknown_models_are_not_found(stub: PredictionServiceStub) -> None:
    """An unknown model is NOT_FOUND, and the message lists the served ones."""
    for name in ("nobody", "tiny@2", "tiny@", "@1"):
        request = PredictRequest(model=name)
        error = refusal(partial(stub.Predict, request))
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert "tiny@1" in error.details()


@pytest.mark.parametrize(("sent", "field"), NO_MESSAGES.values(), ids=NO_MESSAGES)
def test_malformed_messages_are_invalid_argument(
    channel: grpc.Channel, sent: bytes, field: str
) -> None:
    """Random bytes and invalid UTF-8 are INVALID_ARGUMENT, never UNKNOWN or INTERNAL."""
    raw: Any = channel.unary_unary("/wordgate.v1.PredictionService/Predict")
    assert field_named(refusal(lambda: raw(sent))) == field


def test_every_text_of_a_session_is_answered(
    stub: PredictionServiceStub, local: LocalModel
) -> None:
    """Texts sent one at a time are answered as by Predict, with the prefix verbatim."""
    typed = ["", "the clo", "the clouds are in the ", "It's Wür", "one. tw", "don'"]
    with Conversation(stub, configured()) as session:
        for number, whole in enumerate(typed, 7):
            history, prefix = split_typed(whole)
            expected = _here(local, history, prefix)
            answer = session.ask(text(number, whole))
            edited = TextBuffer().set(whole)
            assert answer == encode_session_prediction(number, edited, expected)
            assert whole.endswith(answer.prefix)


@pytest.mark.parametrize("unit", [1, 2, 3])
def test_an_edit_covers_the_rest_of_the_word(stub: PredictionServiceStub, unit: int) -> None:
    """Inside a word the edit includes its rest and the space after it, in the session's unit."""
    configuration = StreamPredictRequest(
        configuration=SessionConfiguration(position_unit=unit)  # type: ignore[arg-type]
    )
    ends = {1: (4, 12), 2: (7, 15), 3: (5, 13)}[unit]
    with Conversation(stub, configuration) as session:
        for number, cursor in enumerate((ends[0] + 2, ends[0] + 5), 1):
            written = SessionText(text="👋 a clouded night", cursor=cursor)
            answer = session.ask(StreamPredictRequest(sequence=number, text=written))
            assert answer.prefix == "clouded"[: cursor - ends[0]]
            for suggestion in answer.suggestions:
                assert (suggestion.edit.start, suggestion.edit.end) == ends


def test_a_newer_text_supersedes_an_older_one(
    server: RunningServer, stub: PredictionServiceStub
) -> None:
    """A text that arrives during the search for an older one is answered in its place."""
    before = server.metric("wordgate_jobs_dropped_total", reason="cancelled")
    asked = server.metric("wordgate_model_rows_total", priority="interactive")
    with Conversation(stub, configured()) as session:
        session.send(text(1, LONG_TO_READ))
        until(
            lambda: server.metric("wordgate_model_rows_total", priority="interactive") > asked,
            "the search to begin",
        )
        assert session.ask(text(2, "the clo ")).sequence == 2
    until(
        lambda: server.metric("wordgate_jobs_dropped_total", reason="cancelled") == before + 1,
        "the older search to be dropped",
    )


def test_the_last_text_is_answered_after_the_client_has_closed_its_side(
    stub: PredictionServiceStub,
) -> None:
    """A client that sends all texts at once gets increasing numbers that include the last one."""
    messages = [configured(), *(text(number, "the" * number) for number in range(1, 30))]
    numbers = [answer.sequence for answer in stub.StreamPredict(iter(messages))]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 29


@pytest.mark.parametrize(("messages", "field"), BAD_SESSIONS.values(), ids=BAD_SESSIONS)
def test_bad_sessions_name_the_field(
    stub: PredictionServiceStub, messages: list[StreamPredictRequest], field: str
) -> None:
    """Messages out of order or outside limits end the session with the name of the field."""
    assert field_named(refusal(lambda: list(stub.StreamPredict(iter(messages))))) == field


def test_a_session_of_an_unknown_model_is_not_found(stub: PredictionServiceStub) -> None:
    """The model is looked up when the configuration arrives."""
    error = refusal(lambda: list(stub.StreamPredict(iter([configured(model="nobody")]))))
    assert error.code() is grpc.StatusCode.NOT_FOUND


def test_a_session_text_that_is_not_utf8_is_bad_input(channel: grpc.Channel) -> None:
    """Invalid UTF-8 in a session ends it with the name of the field."""
    raw: Any = channel.stream_stream("/wordgate.v1.PredictionService/StreamPredict")
    sent = [configured().SerializeToString(), b"\x1a\x04\x0a\x02\xff\xfe"]
    assert field_named(refusal(lambda: list(raw(iter(sent))))) == "text.text"


def _here(local: LocalModel, history: str, prefix: str) -> PredictionResult:
    return local.submit_predict(Query(history, prefix)).result()
