"""Quality measurements of typed words: their rank and their surprisal."""

from collections.abc import Callable

import grpc
import pytest
from tests.running import RunningServer, until
from tests.server.requests import Conversation, configured, text

from wordgate.api.v1 import prediction_pb2 as pb
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.decoding.prediction_result import Kind, PredictionResult, Suggestion
from wordgate.lm.context_window import ANCHOR_WORDS
from wordgate.lm.model_version import ModelVersion
from wordgate.server.services.typed_words import AcceptanceTracker, FinishedWord


def _answer(prefix: str = "", *suggested: str) -> PredictionResult:
    found = [Suggestion(each, -float(n), Kind.WORD) for n, each in enumerate(suggested, 1)]
    return PredictionResult(found, prefix, True, 1, ModelVersion("hand", "1", "int8"))


def _told(*typed: tuple[str, PredictionResult]) -> list[FinishedWord]:
    """Return the words reported for a text that went through these states, all of them answered."""
    told: list[FinishedWord] = []
    words = AcceptanceTracker()
    before = ""
    for now, answer in typed:
        words.edited(before, now)
        words.answered(now, answer, told.append)
        before = now
    return told


def test_a_typed_word_has_its_rank_and_probability() -> None:
    """Rank and log-probability are those of the suggestions before the first letter."""
    told = _told(
        ("", _answer("", "The", "A")),
        ("a", _answer("a", "air")),
        ("a ", _answer("", "sea")),
        ("a c", _answer("c", "cat")),
        ("a cat, ", _answer("", "and")),
    )
    assert told == [FinishedWord("", "a", 2, -2.0), FinishedWord("a ", "cat", None, None)]


@pytest.mark.parametrize(
    "typed",
    [
        [("", _answer("", "a")), ("a b ", _answer())],
        [("a", _answer("a", "air")), ("a ", _answer())],
        [("a ", _answer("", "b")), ("a b", _answer("b")), ("b ", _answer())],
        [("a ", _answer("", "b")), ("a , ", _answer())],
        [("a ", _answer("", "b")), ("", _answer("", "b"))],
    ],
    ids=["several words", "no suggestions before", "the text has changed", "a mark", "emptied"],
)
def test_words_not_typed_after_suggestions_are_not_reported(
    typed: list[tuple[str, PredictionResult]],
) -> None:
    """Pasted text, words begun before an answer, and edited text are not counted."""
    assert _told(*typed) == []


@pytest.fixture
def stub(channel: grpc.Channel) -> PredictionServiceStub:
    """A stub of the shared server."""
    return PredictionServiceStub(channel)


def test_words_are_counted_by_rank_with_their_surprisal(
    stub: PredictionServiceStub, server: RunningServer
) -> None:
    """A suggested word, an accepted one, and one that was not suggested are counted."""
    counted = _counts(server)
    with Conversation(stub, configured(max_suggestions=3)) as session:
        shown = session.ask(text(1, "the sun is ")).suggestions
        second = shown[1].text
        again = session.ask(pb.StreamPredictRequest(sequence=2, insert=pb.Insert(text=second)))
        assert again.prefix == second
        session.ask(pb.StreamPredictRequest(sequence=3, insert=pb.Insert(text=" ")))
        session.ask(pb.StreamPredictRequest(sequence=4, accept=pb.Accept(answer=3, suggestion=2)))
        session.ask(pb.StreamPredictRequest(sequence=5, insert=pb.Insert(text="zxcvb")))
        session.ask(pb.StreamPredictRequest(sequence=6, insert=pb.Insert(text=" ")))
    expected = {"typed 2": 1, "typed 3": 1, "typed none": 1, "accepted 3": 1, "surprisals": 3}
    until(lambda: _counts(server, counted) == expected, "all to be counted")
    labels = {"model": "tiny", "rank": "none"}
    assert server.metric("wordgate_typed_words_total", **labels) >= 0


def _counts(server: RunningServer, before: dict[str, float] | None = None) -> dict[str, float]:
    """Return the counters, or the changed ones with their increase."""
    now = {
        f"{name} {rank}": server.metric(f"wordgate_{metric}_total", rank=rank)
        for name, metric in (("typed", "typed_words"), ("accepted", "accepted_suggestions"))
        for rank in ("1", "2", "3", "none")
    }
    now["surprisals"] = server.metric("wordgate_typed_word_surprisal_nats_count")
    if before is None:
        return now
    return {name: now[name] - before[name] for name in now if now[name] != before[name]}


def _read(server: RunningServer) -> Callable[[str], float]:
    def read(priority: str) -> float:
        return server.metric("wordgate_model_rows_total", kind="step", priority=priority)

    return read


def test_crossing_an_anchor_adds_no_latency(
    stub: PredictionServiceStub, server: RunningServer
) -> None:
    """The context behind an anchor is read with normal priority, words before it is reached.

    The word that crosses it needs as little reading as any other.
    """
    written = " ".join(f"{number} sea" for number in range(ANCHOR_WORDS - 1))
    read = _read(server)
    with Conversation(stub, configured(max_suggestions=1)) as session:
        before = read("normal")
        session.ask(text(1, f"{written} "))
        until(lambda: read("normal") >= before + ANCHOR_WORDS - 2, "the next context to be read")
        costs = []
        for sequence in range(2, 8):
            started = read("interactive")
            grown = pb.StreamPredictRequest(sequence=sequence, insert=pb.Insert(text="sea "))
            session.ask(grown)
            costs.append(read("interactive") - started)
    assert max(costs) <= 20
