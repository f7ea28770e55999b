"""Overload protection: which requests are rejected, which are answered, and recovery."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.running import RunningServer, serving, until
from tests.server.requests import configured, field_named, refusal, text, texts

from wordgate.api.v1.prediction_pb2 import PredictRequest
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.rescoring_pb2 import (
    NBest,
    NBestCandidate,
    RescoreConfiguration,
    RescoreRequest,
    StreamRescoreRequest,
)
from wordgate.api.v1.scoring_pb2 import Candidate, ScoreRequest
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub
from wordgate.bench.scoring.scoring_load import jobs
from wordgate.bundle.bundled_model import bundled_model_path
from wordgate.client import Client, Priority
from wordgate.decoding.prediction import Query
from wordgate.engine.local_model import LocalModel
from wordgate.engine.results import ScoreResult
from wordgate.errors import Overloaded

_MEGABYTE = 1e6


@pytest.fixture(scope="module")
def shipped() -> Iterator[RunningServer]:
    """A server with the bundled model, on which a request takes a while."""
    with serving(None) as server:
        yield server


@pytest.fixture(scope="module")
def shipped_local() -> Iterator[LocalModel]:
    """The bundled model in this process."""
    model = LocalModel.open(bundled_model_path())
    yield model
    model.close()


def _burst(client: Client, count: int) -> "list[Future[ScoreResult]]":
    """Send requests to score 100 candidates, faster than they can be answered."""
    found = jobs()
    return [client.submit_score("", found[number % len(found)]) for number in range(count)]


def test_overload_is_rejected_and_answers_stay_exact(
    shipped: RunningServer, shipped_local: LocalModel
) -> None:
    """Some requests of a flood are answered with the usual bits; the others get a retry delay."""
    with Client(shipped.address) as client:
        asked = _burst(client, 300)
        errors = [question.exception() for question in asked]
        refused = [error for error in errors if error is not None]
        assert 0 < len(refused) < 300
        assert all(isinstance(error, Overloaded) for error in refused)
        assert all(error.retry_after_seconds > 0 for error in refused)  # type: ignore[attr-defined]
        for number, question in enumerate(asked):
            if errors[number] is None:
                found = jobs()
                alone = shipped_local.submit_score("", found[number % len(found)]).result()
                assert question.result().candidates == alone.candidates
        assert client.score("", jobs()[0]).candidates, "it recovers at once"
    assert shipped.metric("wordgate_queued_rows") == 0


def test_a_flood_takes_no_memory(shipped: RunningServer) -> None:
    """20 times as many requests as are ever in progress leave the process as large as before."""
    resident = "process_resident_memory_bytes"
    with (
        Client(shipped.address) as client,
        Client(shipped.address, priority=Priority.BATCH) as batch,
    ):
        for question in _burst(batch, 20):
            question.result()
        before = shipped.metric(resident)
        for question in _burst(client, 1000):
            question.exception()
        assert shipped.metric(resident) < before + 50 * _MEGABYTE
        waiting = _burst(batch, 400)
        until(lambda: shipped.metric("wordgate_queued_rows") > 300, "the queue to grow")
        assert shipped.metric(resident) < before + 100 * _MEGABYTE
        for question in waiting:
            question.cancel()
    until(lambda: shipped.metric("wordgate_queued_rows") == 0, "the work to be dropped")


def test_batch_work_waits_and_lets_all_others_in(shipped: RunningServer) -> None:
    """None of many batch requests is rejected, and predictions and scores get through."""
    with (
        Client(shipped.address) as client,
        Client(shipped.address, priority=Priority.BATCH) as batch,
    ):
        waiting = _burst(batch, 30)
        until(lambda: shipped.metric("wordgate_queued_rows") > 100, "the queue to grow")
        assert client.predict("the clouds are in the").suggestions
        assert client.score("", jobs()[0]).candidates
        assert not waiting[-1].done(), "there was a queue to get by"
        for question in waiting:
            assert question.result().candidates


def test_a_flood_of_predictions_is_rejected(shipped: RunningServer) -> None:
    """Predictions that would come too late are rejected; a typing session never is."""
    histories = texts(400)
    with (
        grpc.insecure_channel(shipped.address) as channel,
        Client(shipped.address) as client,
    ):
        asked = [client.submit_predict(Query(history)) for history in histories]
        typed = iter([configured(), text(1, "the clo")])
        [answer] = PredictionServiceStub(channel).StreamPredict(typed)
        assert answer.sequence == 1
        errors = [question.exception() for question in asked]
        assert {type(error) for error in errors} == {type(None), Overloaded}
        assert client.predict("the").suggestions


_UNKNOWN: Any = 7
_N_BEST = NBest(candidates=[NBestCandidate(text="a")])
_ASKING: dict[str, Callable[[grpc.Channel], object]] = {
    "predict": lambda channel: PredictionServiceStub(channel).Predict(
        PredictRequest(priority=_UNKNOWN)
    ),
    "score": lambda channel: ScoringServiceStub(channel).Score(
        ScoreRequest(candidates=[Candidate(text="a")], priority=_UNKNOWN)
    ),
    "rescore": lambda channel: ScoringServiceStub(channel).Rescore(
        RescoreRequest(n_best=_N_BEST, priority=_UNKNOWN)
    ),
    "rescore stream": lambda channel: next(
        ScoringServiceStub(channel).StreamRescore(
            iter([StreamRescoreRequest(configuration=RescoreConfiguration(priority=_UNKNOWN))])
        )
    ),
}


@pytest.mark.parametrize("ask", _ASKING.values(), ids=_ASKING)
def test_an_unknown_priority_is_invalid(
    channel: grpc.Channel, ask: Callable[[grpc.Channel], object]
) -> None:
    """A number outside the enum is rejected with the name of its field."""
    assert field_named(refusal(lambda: ask(channel))).endswith("priority")


@pytest.mark.long
def test_the_maximum_queue_delay_is_configurable(bundle: Path) -> None:
    """With a long limit, none of 50 small concurrent requests is rejected."""
    with (
        serving(bundle, "--max-queue-delay-seconds", "60") as server,
        Client(server.address) as client,
    ):
        for question in [client.submit_score("", [one]) for one in texts(50)]:
            assert question.result().candidates
