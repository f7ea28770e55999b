"""The access log of a real server, and the request ids that clients get."""

import json
import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from tests.running import RunningServer, serving, until
from tests.server.requests import configured, health_stub, refusal, text

from wordgate.api.v1.prediction_pb2 import PredictRequest
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.protocol.status import REQUEST_ID_HEADER
from wordgate.server.security.tokens import Token, digest_of

SECRET = "what-a-user-wrote"
HEADERS = ((REQUEST_ID_HEADER, "found-again"),)


def _calls(server: RunningServer) -> list[dict[str, Any]]:
    """Return the access log lines."""
    lines = [json.loads(line) for line in list(server.lines) if line.startswith("{")]
    return [line for line in lines if line["event"] == "call"]


def _ask(channel: grpc.Channel) -> None:
    """Make a successful call, a rejected one and a health check."""
    stub = PredictionServiceStub(channel)
    stub.Predict(PredictRequest(history=SECRET), metadata=HEADERS)
    request = PredictRequest(history=SECRET, model="none-such")
    refusal(lambda: stub.Predict(request, metadata=HEADERS))
    health_stub(channel).Check(HealthCheckRequest())


@pytest.mark.parametrize(
    ("logged", "codes"), [("off", []), ("errors", ["NotFound"]), ("all", ["OK", "NotFound"])]
)
def test_completed_calls_are_logged_as_configured(
    bundle: Path, logged: str, codes: list[str]
) -> None:
    """No calls, failed calls or all calls are logged; never health checks or request contents."""
    with serving(bundle, "--access-log", logged) as server:
        with grpc.insecure_channel(server.address) as channel:
            _ask(channel)
        server.terminate()
        assert server.wait() == 0
        assert [line["code"] for line in _calls(server)] == codes
        for line in _calls(server):
            assert (line["method"], line["request"]) == ("Predict", "found-again")
            assert line["seconds"] > 0
        assert SECRET not in server.output


def test_a_line_names_the_token(bundle: Path, tmp_path: Path) -> None:
    """A line has the token's name; a call that was not authenticated has none."""
    tokens = tmp_path / "tokens"
    tokens.write_text(Token("phone", digest_of(SECRET)).line)
    with serving(bundle, "--tokens-file", str(tokens), "--access-log", "all") as server:
        with grpc.insecure_channel(server.address) as channel:
            stub = PredictionServiceStub(channel)
            refusal(lambda: stub.Predict(PredictRequest()))
            stub.Predict(PredictRequest(), metadata=(("authorization", f"Bearer {SECRET}"),))
        refused, answered = until(lambda: len(_calls(server)) == 2 and _calls(server), "two lines")
        assert refused["code"] == "Unauthenticated"
        assert "token" not in refused
        assert (answered["code"], answered["token"]) == ("OK", "phone")


def test_a_session_has_one_line_and_one_id(bundle: Path) -> None:
    """The duration is that of the stream, and the id the one from its start."""
    with serving(bundle, "--access-log", "all") as server:
        with grpc.insecure_channel(server.address) as channel:
            messages = [configured(), text(1, "the "), text(2, "the s")]
            answers = PredictionServiceStub(channel).StreamPredict(iter(messages), metadata=HEADERS)
            assert [answer.sequence for answer in answers][-1] == 2
        [line] = until(lambda: _calls(server), "the line")
        assert (line["method"], line["request"]) == ("StreamPredict", "found-again")


def test_a_failed_call_has_a_request_id(server: RunningServer) -> None:
    """The trailing metadata has the client's id, or a generated one."""
    with grpc.insecure_channel(server.address) as channel:
        stub = PredictionServiceStub(channel)
        request = PredictRequest(model="none-such")
        for metadata, expected in ((HEADERS, "found-again"), ((), r"[0-9a-f]{16}")):
            ended = refusal(lambda sent=metadata: stub.Predict(request, metadata=sent))  # type: ignore[misc]
            told = dict(ended.trailing_metadata())
            assert re.fullmatch(expected, told[REQUEST_ID_HEADER])


def test_a_successful_call_has_no_trailing_metadata(server: RunningServer) -> None:
    """The server adds no metadata to successful answers."""
    with grpc.insecure_channel(server.address) as channel:
        predict: Any = PredictionServiceStub(channel).Predict
        _, call = predict.with_call(PredictRequest(), metadata=HEADERS)
        assert not call.trailing_metadata()
