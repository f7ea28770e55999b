"""Typing sessions with edits instead of whole texts."""

from collections.abc import Mapping
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server.requests import Conversation, configured, field_named, refusal
from tests.vocabularies import texts

from wordgate.api.v1 import prediction_pb2 as pb
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.text.edit_buffer import PositionUnit, length_of

Event = Mapping[str, Any]
UTF8, UTF16 = pb.POSITION_UNIT_UTF8_BYTES, pb.POSITION_UNIT_UTF16_CODE_UNITS
UNITS = {
    pb.POSITION_UNIT_CODE_POINTS: PositionUnit.CODE_POINTS,
    UTF8: PositionUnit.UTF8_BYTES,
    UTF16: PositionUnit.UTF16_UNITS,
}


@pytest.fixture
def stub(channel: grpc.Channel) -> PredictionServiceStub:
    """A stub of the shared server."""
    return PredictionServiceStub(channel)


def _edits(*events: Event) -> list[pb.StreamPredictRequest]:
    """Return messages with these events, numbered from 1."""
    return [pb.StreamPredictRequest(sequence=n, **event) for n, event in enumerate(events, 1)]


def _typed(
    stub: PredictionServiceStub,
    *events: Event,
    unit: pb.PositionUnit.ValueType = pb.POSITION_UNIT_UNSPECIFIED,
) -> list[pb.StreamPredictResponse]:
    """Return the answers to events, each sent after the previous answer."""
    with Conversation(stub, configured(position_unit=unit)) as session:
        return [session.ask(event) for event in _edits(*events)]


def _alone(stub: PredictionServiceStub, before: str) -> list[tuple[str, float]]:
    """Return the answer of a session that was sent only this text."""
    [answer] = _typed(stub, {"text": pb.SessionText(text=before)})
    return _said(answer)


def _said(answer: pb.StreamPredictResponse) -> list[tuple[str, float]]:
    return [(each.text, each.log_prob) for each in answer.suggestions]


def test_edits_are_answered_like_the_text_that_they_make(stub: PredictionServiceStub) -> None:
    """Typing, backspace, cursor moves and replacements get the answers of the whole text."""
    answers = _typed(
        stub,
        {"insert": pb.Insert(text="the clox")},
        {"delete": pb.Delete(before=1)},
        {"insert": pb.Insert(text=" and the sea")},
        {"move": pb.MoveCursor(position=5)},
        {"replace": pb.TextEdit(start=0, end=3, text="under the")},
        {"delete": pb.Delete(after=4)},
        {"reset": pb.Reset()},
        {"text": pb.SessionText(text="in the sea", cursor=6)},
    )
    before = ["the clox", "the clo", "the clo and the sea", "the c", "under the", "under the", ""]
    for answer, whole in zip(answers, [*before, "in the"], strict=True):
        assert _said(answer) == _alone(stub, whole), whole
    assert [answer.prefix for answer in answers][:4] == ["clox", "clo", "sea", "c"]


@pytest.mark.parametrize("unit", UNITS)
def test_suggestions_are_edits_in_the_unit_of_the_session(
    stub: PredictionServiceStub, unit: pb.PositionUnit.ValueType
) -> None:
    """An emoji before the word moves the edit by as many units as the client counts in it."""
    whole = "\U0001f469\u200d\U0001f467 é clo"
    [answer] = _typed(stub, {"insert": pb.Insert(text=whole)}, unit=unit)
    for suggestion in answer.suggestions:
        assert suggestion.edit.text == f"{suggestion.text} "
        assert suggestion.edit.end == length_of(whole, UNITS[unit])
        assert suggestion.edit.start == length_of(whole[:-3], UNITS[unit])


def test_an_accepted_suggestion_becomes_the_text(stub: PredictionServiceStub) -> None:
    """It replaces the typed letters and adds a space; between words it is inserted."""
    first, second, third = _typed(
        stub,
        {"insert": pb.Insert(text="the s")},
        {"accept": pb.Accept(answer=1, suggestion=1)},
        {"accept": pb.Accept(answer=2)},
    )
    whole = f"the {first.suggestions[1].text} "
    assert _said(second) == _alone(stub, whole)
    assert _said(third) == _alone(stub, f"{whole}{second.suggestions[0].text} ")


BAD_EDITS = {
    "behind the text": ({"move": pb.MoveCursor(position=8)}, "move.position"),
    "before the text": ({"delete": pb.Delete(before=8)}, "delete.before"),
    "deleted behind it": ({"delete": pb.Delete(after=1)}, "delete.after"),
    "inside a character": ({"move": pb.MoveCursor(position=4)}, "move.position"),
    "wrong way round": ({"replace": pb.TextEdit(start=3, end=1)}, "replace.start"),
    "cursor": ({"text": pb.SessionText(text="a", cursor=2)}, "text.cursor"),
    "too long": ({"insert": pb.Insert(text="a" * 65_530)}, "insert.text"),
    "too long in the middle": (
        {"replace": pb.TextEdit(start=0, end=1, text="a" * 65_536)},
        "replace.text",
    ),
    "another answer": ({"accept": pb.Accept(answer=3)}, "accept.answer"),
    "no such suggestion": ({"accept": pb.Accept(answer=1, suggestion=5)}, "accept.suggestion"),
}


@pytest.mark.parametrize(("event", "field"), BAD_EDITS.values(), ids=BAD_EDITS)
def test_edits_outside_the_text_end_the_session_by_field(
    stub: PredictionServiceStub, event: Event, field: str
) -> None:
    """The session ends with the name of the field: client and server have different texts."""
    start = {"insert": pb.Insert(text="ab \U0001f469")}
    error = refusal(lambda: _typed(stub, start, event, unit=UTF16))
    assert field_named(error) == field


def test_a_stale_suggestion_is_not_accepted(stub: PredictionServiceStub) -> None:
    """After another edit, the suggestion would replace other letters."""
    events = _edits(
        {"insert": pb.Insert(text="the s")},
        {"insert": pb.Insert(text="e")},
        {"accept": pb.Accept(answer=1)},
    )
    error = refusal(lambda: list(stub.StreamPredict(iter([configured(), *events]))))
    assert field_named(error) == "accept.answer"


def test_an_unknown_unit_is_rejected(stub: PredictionServiceStub) -> None:
    """The unit of a newer client is not mistaken for another one."""
    first = configured(position_unit=9)
    error = refusal(lambda: list(stub.StreamPredict(iter([first]))))
    assert field_named(error) == "configuration.position_unit"


_numbers = st.one_of(st.integers(0, 12), st.integers(0, 2**32 - 1))
_events = st.one_of(
    st.builds(lambda t: {"insert": pb.Insert(text=t)}, texts),
    st.builds(lambda b, a: {"delete": pb.Delete(before=b, after=a)}, _numbers, _numbers),
    st.builds(
        lambda s, e, t: {"replace": pb.TextEdit(start=s, end=e, text=t)}, _numbers, _numbers, texts
    ),
    st.builds(lambda p: {"move": pb.MoveCursor(position=p)}, _numbers),
    st.builds(lambda a, n: {"accept": pb.Accept(answer=a, suggestion=n)}, _numbers, _numbers),
    st.just({"reset": pb.Reset()}),
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_events, max_size=6), st.sampled_from([0, *UNITS]))
def test_random_events_are_answered_or_name_a_field(
    stub: PredictionServiceStub, events: list[Event], unit: int
) -> None:
    """No event ends in an error without a field, and each answer is that of its text."""
    messages = [configured(position_unit=unit), *_edits(*events)]
    call = stub.StreamPredict(iter(messages))
    numbers: list[int] = []
    refused = None
    try:
        numbers.extend(answer.sequence for answer in call)
    except grpc.RpcError as error:
        refused = error
    assert numbers == sorted(set(numbers))
    if refused is not None:
        assert field_named(refused)
    elif events:
        assert numbers[-1] == len(events)


def test_a_session_can_be_resumed_from_its_text(stub: PredictionServiceStub) -> None:
    """A new session that is sent the text and the cursor answers with the same bits."""
    edits = [{"insert": pb.Insert(text=piece)} for piece in ("under the ", "s", "ea, an", "d the ")]
    *_, last = _typed(stub, *edits, {"move": pb.MoveCursor(position=12)})
    whole = {"text": pb.SessionText(text="under the sea, and the ", cursor=12)}
    [same] = _typed(stub, whole)
    assert (_said(same), same.prefix) == (_said(last), last.prefix)
