"""More than the server can carry: who is refused, who is answered, and what is left of it."""

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
from wordgate.bench.scoring_load import jobs
from wordgate.bundle.bundled_model import bundled_model_path
from wordgate.client import Client
from wordgate.decoding.prediction import Query
from wordgate.engine.local_model import LocalModel
from wordgate.engine.results import ScoreResult
from wordgate.errors import Overloaded

_MEGABYTE = 1e6


@pytest.fixture(scope="module")
def shipped() -> Iterator[RunningServer]:
    """A server with the shipped model, in which a request takes its time."""
    with serving(None) as server:
        yield server


@pytest.fixture(scope="module")
def shipped_local() -> Iterator[LocalModel]:
    """The same model in this process."""
    model = LocalModel.open(bundled_model_path())
    yield model
    model.close()


def _burst(client: Client, count: int) -> "list[Future[ScoreResult]]":
    """Requests to score a hundred candidates, faster than they can be answered."""
    found = jobs()
    return [client.submit_score("", found[number % len(found)]) for number in range(count)]


def test_what_is_too_much_is_refused_and_what_was_taken_is_right(
    shipped: RunningServer, shipped_local: LocalModel
) -> None:
    """Of a flood some are answered, bit for bit as ever; the others are told when to come again."""
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
    """Twenty times as many requests as are ever under way leave the process as large as it was."""
    resident = "process_resident_memory_bytes"
    with Client(shipped.address) as client, Client(shipped.address, batch=True) as batch:
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
    """Of many requests for which nobody waits none is refused; predictions and scores get by."""
    with Client(shipped.address) as client, Client(shipped.address, batch=True) as batch:
        waiting = _burst(batch, 60)
        until(lambda: shipped.metric("wordgate_queued_rows") > 100, "the queue to grow")
        assert client.predict("the clouds are in the").suggestions
        assert client.score("", jobs()[0]).candidates
        assert not waiting[-1].done(), "there was a queue to get by"
        for question in waiting:
            assert question.result().candidates


def test_a_flood_of_predictions_is_refused_alike(shipped: RunningServer) -> None:
    """Predictions that would come too late are refused; a typing session never is."""
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
def test_a_priority_that_nobody_knows_is_bad_input(
    channel: grpc.Channel, ask: Callable[[grpc.Channel], object]
) -> None:
    """A number that is none of the contract's is refused by the name of its field."""
    assert field_named(refusal(lambda: ask(channel))).endswith("priority")


def test_the_wait_that_is_allowed_is_an_option(bundle: Path) -> None:
    """Who allows long waits has fewer refusals: of fifty small requests at once none."""
    with (
        serving(bundle, "--max-queue-delay-seconds", "60") as server,
        Client(server.address) as client,
    ):
        for question in [client.submit_score("", [one]) for one in texts(50)]:
            assert question.result().candidates
