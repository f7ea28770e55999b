"""All methods over HTTP: the same answers, errors, limits and accounting as over gRPC."""

import json
from base64 import b64decode
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, Parse, ParseDict
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from tests.protocol_methods import methods
from tests.running import RunningServer, serving, until
from tests.server.http.asking import (
    GENERATE,
    PREDICT,
    answered,
    ask,
    connected,
    frame,
    head,
    post,
)
from tests.server.http.conftest import HTTP
from tests.server.requests import refusal

from wordgate.api.v1.prediction_pb2 import (
    PredictRequest,
    PredictResponse,
    StreamGenerateRequest,
    StreamGenerateResponse,
)
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.scoring_pb2 import ScoreRequest
from wordgate.protocol.limits import Limits
from wordgate.server.security.tokens import digest_of

SCORE = "/wordgate.v1.ScoringService/Score"

UNARY: dict[str, dict[str, Any]] = {
    PREDICT: {"history": "the cat", "prefix": "s"},
    SCORE: {"candidates": [{"text": "the cat"}, {"text": "a dog"}]},
    "/wordgate.v1.ScoringService/Rescore": {
        "nBest": {"candidates": [{"text": "the cat"}, {"text": "a dog"}]}
    },
    "/wordgate.v1.ModelService/ListModels": {},
    "/wordgate.v1.ModelService/GetModel": {"model": "tiny"},
    "/wordgate.v1.ModelService/Explain": {"text": "the cat", "returnUnits": True},
}

STREAM = "application/connect+json"

ERRORS: list[dict[str, Any]] = [
    {"model": "none-such"},
    {"history": "x" * (Limits().max_history_bytes + 1)},
    {"prefix": "x" * (Limits().max_prefix_bytes + 1)},
    {"options": {"maxSuggestions": Limits().max_suggestions + 1}},
]


def over_grpc(channel: grpc.Channel, path: str, request: dict[str, Any]) -> Any:
    """Answer a request in JSON form over gRPC."""
    method = dict(methods())[path]
    message = ParseDict(request, method.input_type._concrete_class())
    call: Any = channel.unary_unary(
        path,
        request_serializer=lambda sent: sent.SerializeToString(),
        response_deserializer=method.output_type._concrete_class.FromString,
    )
    return call(message, timeout=60)


@pytest.mark.parametrize("path", UNARY)
def test_a_unary_method_answers_as_over_grpc(http_server: RunningServer, path: str) -> None:
    """JSON over HTTP has the same values as the message over gRPC, to the last bit."""
    answer = post(http_server, path, UNARY[path])
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    with grpc.insecure_channel(http_server.address) as channel:
        expected = over_grpc(channel, path, UNARY[path])
    assert Parse(answer.body, type(expected)()) == expected


@pytest.mark.parametrize("json_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_a_response_that_is_too_large_for_json_is_refused(
    http_server: RunningServer, json_type: str
) -> None:
    """Writing it would block other clients; the binary format has no such limit."""
    asked = {"candidates": [{"text": "the cat " * 20}] * 1000, "returnWords": True}
    answer = post(http_server, SCORE, asked, json_type)
    assert (answer.status, answer.code) == (400, "invalid_argument")
    assert "application/proto" in answer.json["message"]
    request = ParseDict(asked, ScoreRequest()).SerializeToString()
    binary = post(http_server, SCORE, request, "application/proto")
    assert len(binary.body) > 192 * 1024


def test_a_binary_request_gets_the_bytes_of_grpc(http_server: RunningServer) -> None:
    """The binary format carries the same message as gRPC."""
    request = PredictRequest(history="the cat").SerializeToString()
    answer = post(http_server, PREDICT, request, "application/proto")
    with grpc.insecure_channel(http_server.address) as channel:
        expected = over_grpc(channel, PREDICT, {"history": "the cat"})
    assert PredictResponse.FromString(answer.body) == expected


def test_every_method_has_its_path(http_server: RunningServer) -> None:
    """Each method of the protocol is served; none is unknown."""
    for path, method in methods():
        streams = method.client_streaming or method.server_streaming
        kind = "application/connect+json" if streams else "application/json"
        assert post(http_server, path, frame(b"{") if streams else b"{", kind).status != 404


@pytest.mark.parametrize("request_", ERRORS, ids=lambda request: next(iter(request)))
def test_an_error_has_the_code_and_details_of_grpc(
    http_server: RunningServer, request_: dict[str, Any]
) -> None:
    """Code, message and details of an error are those of gRPC."""
    answer = post(http_server, PREDICT, request_, x_request_id="mine")
    with grpc.insecure_channel(http_server.address) as channel:
        error = refusal(lambda: over_grpc(channel, PREDICT, request_))
    assert answer.code == error.code().name.lower()
    assert answer.json["message"] == error.details()
    status = rpc_status.from_call(error)
    assert status is not None
    expected = [(any_.type_url.rpartition("/")[2], any_.value) for any_ in status.details]
    assert details(answer.json) == expected
    assert answer.headers["x-request-id"] == "mine"


def details(error: dict[str, Any]) -> list[tuple[str, bytes]]:
    """Return types and bytes of the details of a Connect error."""
    return [(one["type"], b64decode(one["value"] + "==")) for one in error["details"]]


def test_a_stream_has_one_frame_per_word_and_a_last_one(http_server: RunningServer) -> None:
    """A server stream sends the same words as over gRPC, then the end."""
    asked = {"history": "the", "maxWords": 3, "seed": "7"}
    answer = post(http_server, GENERATE, frame(json.dumps(asked).encode()), STREAM)
    with grpc.insecure_channel(http_server.address) as channel:
        stub = PredictionServiceStub(channel)
        words = list(stub.StreamGenerate(ParseDict(asked, StreamGenerateRequest())))
    *sent, last = answer.frames
    assert [json.loads(data) for _, data in sent] == [MessageToDict(word) for word in words]
    assert last == (2, b"{}")


def test_an_error_of_a_stream_is_its_last_frame(http_server: RunningServer) -> None:
    """A stream that fails has status 200 and the error in its last frame."""
    answer = post(http_server, GENERATE, frame(b'{"model": "none-such"}'), STREAM)
    [(flags, data)] = answer.frames
    assert (answer.status, flags, json.loads(data)["error"]["code"]) == (200, 2, "not_found")


@pytest.mark.parametrize("kind", ["application/grpc-web+proto", "Application/gRPC-Web; x=y"])
def test_grpc_web_has_the_status_in_its_trailers(http_server: RunningServer, kind: str) -> None:
    """gRPC-Web sends the message, then a frame of trailers."""
    request = PredictRequest(history="the cat").SerializeToString()
    answer = post(http_server, PREDICT, frame(request), kind)
    (flags, data), (last, trailers) = answer.frames
    assert (flags, last) == (0, 0x80)
    assert PredictResponse.FromString(data).suggestions
    assert b"grpc-status: 0" in trailers


def test_grpc_web_streams(http_server: RunningServer) -> None:
    """A server stream over gRPC-Web sends one frame per word, then the trailers."""
    request = StreamGenerateRequest(history="the", max_words=2, seed=7).SerializeToString()
    answer = post(http_server, GENERATE, frame(request), "application/grpc-web")
    *words, (last, _) = answer.frames
    assert len([StreamGenerateResponse.FromString(data) for _, data in words]) == 2
    assert last == 0x80


def test_an_error_of_grpc_web_has_the_details_of_grpc(http_server: RunningServer) -> None:
    """gRPC-Web carries google.rpc.Status as gRPC does."""
    request = frame(PredictRequest(model="none-such").SerializeToString())
    answer = post(http_server, PREDICT, request, "application/grpc-web")
    trailers = dict(line.split(": ") for line in answer.frames[-1][1].decode().splitlines())
    assert trailers["grpc-status"] == str(grpc.StatusCode.NOT_FOUND.value[0])
    status = Status.FromString(b64decode(trailers["grpc-status-details-bin"] + "=="))
    assert status.details[0].type_url.endswith("google.rpc.ResourceInfo")


@pytest.mark.parametrize("path", [path for path, method in methods() if method.client_streaming])
def test_a_method_that_streams_both_ways_is_refused(http_server: RunningServer, path: str) -> None:
    """HTTP/1.1 cannot carry it, so the error names the way out."""
    answer = post(http_server, path, frame(b"{}"), STREAM)
    [(_, data)] = answer.frames
    error = json.loads(data)["error"]
    assert error["code"] == "unimplemented"
    assert "gRPC" in error["message"]


def test_a_deadline_ends_the_call(http_server: RunningServer) -> None:
    """Connect-Timeout-Ms is the deadline; metrics and access log name it."""
    answer = post(http_server, PREDICT, {"history": "the"}, connect_timeout_ms="0")
    assert (answer.status, answer.code) == (504, "deadline_exceeded")
    assert until(lambda: handled(http_server, "DeadlineExceeded"), "the metric") == 1


def handled(server: RunningServer, code: str, method: str = "Predict") -> float:
    """Return the number of calls that ended with a code."""
    return server.metric("grpc_server_handled_total", grpc_code=code, grpc_method=method)


def test_metrics_and_access_log_count_http_calls(http_server: RunningServer) -> None:
    """A call over HTTP has the metrics and the log line of one over gRPC."""
    before = handled(http_server, "OK"), handled(http_server, "NotFound")
    post(http_server, PREDICT, {"history": "the"})
    post(http_server, PREDICT, {"model": "none-such"}, x_request_id="logged")
    assert (handled(http_server, "OK"), handled(http_server, "NotFound")) == (
        before[0] + 1,
        before[1] + 1,
    )
    line = next(json.loads(line) for line in http_server.lines if '"logged"' in line)
    assert (line["event"], line["method"], line["code"]) == ("call", "Predict", "NotFound")


def test_a_client_that_disconnects_cancels_its_call(http_server: RunningServer) -> None:
    """A stream whose client is gone ends as cancelled."""
    before = handled(http_server, "Canceled", "StreamGenerate")

    def vanished() -> bool:
        with connected(http_server, long_generation()) as client:
            assert client.recv(100)
        return handled(http_server, "Canceled", "StreamGenerate") > before

    until(vanished, "a call to be cancelled")


def long_generation() -> bytes:
    """Return a request for a long text."""
    body = frame(json.dumps({"history": "the", "maxWords": 1000}).encode())
    lines = head(GENERATE, f"content-length: {len(body)}")
    return lines.replace(b"/json", b"/connect+json") + body


def test_a_token_is_required_before_the_body_is_read(bundle: Path, tmp_path: Path) -> None:
    """Without a token, a call is refused while its body is still missing."""
    tokens = tmp_path / "tokens"
    tokens.write_text(f"mine sha256:{digest_of('secret').hex()} rows_per_second=1\n")
    with serving(bundle, *HTTP, "--tokens-file", str(tokens)) as server:
        with connected(server, head(PREDICT, "content-length: 100")) as client:
            assert b"401" in client.recv(1000).splitlines()[0]
        refused = post(server, PREDICT, {"history": "the"}, authorization="Bearer wrong")
        assert (refused.status, refused.code) == (401, "unauthenticated")
        assert (
            post(server, PREDICT, {"history": "the"}, authorization="Bearer secret").status == 200
        )
        assert ask(server, "GET", "/").status == 200
        over = post(server, PREDICT, {"history": "a b c"}, authorization="Bearer secret")
        assert (over.status, over.code) == (429, "resource_exhausted")
        assert details(over.json)[0][0] == "google.rpc.RetryInfo"


def test_limits_of_streams_hold_over_both_protocols(bundle: Path) -> None:
    """An option that limits streams limits those over HTTP, with the same error."""
    with serving(bundle, *HTTP, "--max-generation-streams", "0") as server:
        answer = post(server, GENERATE, frame(b'{"history": "the"}'), STREAM)
        with grpc.insecure_channel(server.address) as channel:
            stub = PredictionServiceStub(channel)
            error = refusal(lambda: next(stub.StreamGenerate(StreamGenerateRequest(history="a"))))
        found = json.loads(answer.frames[-1][1])["error"]
        assert (found["code"], found["message"]) == ("resource_exhausted", error.details())


def test_a_draining_server_ends_streams(bundle: Path) -> None:
    """After SIGTERM, streams in progress end with UNAVAILABLE, and the server exits."""
    with serving(bundle, *HTTP) as server, ExitStack() as open_ones:
        request = long_generation()
        clients = [open_ones.enter_context(connected(server, request)) for _ in range(20)]
        assert clients[-1].recv(100)
        server.terminate()
        # A text may end by itself before the signal arrives, but not all twenty do.
        assert any(b'"code": "unavailable"' in answered(client) for client in clients)
        assert server.wait() == 0


def test_a_shutdown_does_not_log_slow_calls_as_defects(bundle: Path) -> None:
    """Calls whose body never arrives end with the grace."""
    with serving(bundle, *HTTP, "--shutdown-grace-seconds", "0.1") as server:
        with connected(server, head(PREDICT, "content-length: 20")):
            until(lambda: server.metrics_page().calls_in_progress == 1, "the call to begin")
            server.terminate()
            assert server.wait() == 0
        assert "CancelledError" not in server.output


def test_workers_share_the_port(bundle: Path) -> None:
    """With several workers, each serves HTTP on the same port."""
    with serving(bundle, *HTTP, "--workers", "2") as server:
        for _ in range(8):
            assert post(server, PREDICT, {"history": "the"}).status == 200
        assert until(lambda: handled(server, "OK") == 8, "the metrics of both workers")
