"""Invalid requests cost no inference."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.protocol import test_rescoring
from tests.running import RunningServer, serving
from tests.server.requests import refusal
from tests.server.services import test_generation, test_lattices, test_prediction
from tests.server.services import test_scoring as test_score

from wordgate.api.v1.prediction_pb2 import PredictRequest
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub

ROWS = "wordgate_model_rows_total"
REFUSED: dict[str, Mapping[str, tuple[Any, str]]] = {
    "Predict": test_prediction.BAD_REQUESTS,
    "StreamGenerate": test_generation.BAD_REQUESTS,
    "Score": test_score.BAD_REQUESTS,
    "Rescore": {**test_rescoring.BAD_REQUESTS, **test_lattices.BAD_REQUESTS},
}


@pytest.fixture(scope="module")
def unasked(bundle: Path) -> Iterator[RunningServer]:
    """A server that no other test uses."""
    with serving(bundle) as running:
        yield running


@pytest.mark.parametrize("method", REFUSED)
def test_invalid_requests_are_not_computed(unasked: RunningServer, method: str) -> None:
    """No invalid request of a method requests a model row; each is counted as invalid."""
    with grpc.insecure_channel(unasked.address) as channel:
        predicting, scoring = PredictionServiceStub(channel), ScoringServiceStub(channel)
        ask: Any = getattr(predicting, method, None) or getattr(scoring, method)
        for request, _ in REFUSED[method].values():
            call = ask(request) if method == "StreamGenerate" else None
            error = refusal(lambda: next(call) if call else ask(request))  # noqa: B023
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert unasked.metric(ROWS) == 0
    handled = {"grpc_method": method, "grpc_code": "InvalidArgument"}
    assert unasked.metric("grpc_server_handled_total", **handled) == len(REFUSED[method])


def test_valid_requests_are_counted(bundle: Path) -> None:
    """The same counter shows the cost of a valid request."""
    with serving(bundle) as server, grpc.insecure_channel(server.address) as channel:
        PredictionServiceStub(channel).Predict(PredictRequest(history="the"))
        assert server.metric(ROWS) > 0
