"""Requests and helpers for server tests."""

import subprocess
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_status import rpc_status
from tests.running import RunningServer

from wordgate.api.v1 import prediction_pb2, scoring_pb2
from wordgate.api.v1.prediction_pb2 import StreamPredictRequest, StreamPredictResponse
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.lm.requests import ModelTask, T

HISTORIES = (
    "",
    "the clouds are in the",
    "I don't know what London was like. ",
    "Ünïcödé 🦆 ﬁn \u0000 <eos> ",
    "one two three " * 130,
)

LONG_TO_READ = "\U0001e922 " * 255
"""The maximum number of tokens that is read of a text, one after another: 1,020, 4 per word."""


def texts(count: int, words: int = 40) -> list[str]:
    """Return many different candidates, enough to keep a small model busy for seconds."""
    return [
        f"{number} the sun is in the sea " + "and the cat sat " * (words // 4)
        for number in range(count)
    ]


def long_score(count: int = 1000, words: int = 80) -> scoring_pb2.ScoreRequest:
    """Return a request that keeps the server busy for seconds."""
    candidates = [scoring_pb2.Candidate(text=text) for text in texts(count, words)]
    return scoring_pb2.ScoreRequest(candidates=candidates)


def text(sequence: int, typed: str) -> StreamPredictRequest:
    """Return a text message of a typing session."""
    return StreamPredictRequest(sequence=sequence, text=prediction_pb2.SessionText(text=typed))


def configured(**fields: Any) -> StreamPredictRequest:
    """Return the first message of a typing session; options may stand among its fields."""
    names = prediction_pb2.SuggestionOptions.DESCRIPTOR.fields_by_name
    options = {name: value for name, value in fields.items() if name in names}
    others = {name: value for name, value in fields.items() if name not in names}
    if options:
        others["options"] = prediction_pb2.SuggestionOptions(**options)
    return StreamPredictRequest(configuration=prediction_pb2.SessionConfiguration(**others))


def refusal(ask: Callable[[], Any]) -> Any:
    """Return the error with which gRPC ends a call."""
    with pytest.raises(grpc.RpcError) as caught:
        ask()
    return caught.value


def health_stub(channel: grpc.Channel) -> Any:
    """Return a stub of the standard health service, whose type stubs have no methods."""
    return HealthStub(channel)


def field_named(error: Any) -> str:
    """Return the field that an INVALID_ARGUMENT error names."""
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error
    status = rpc_status.from_call(error)
    assert status is not None
    detail = BadRequest()
    assert status.details[0].Unpack(detail)
    return str(detail.field_violations[0].field)


def worker_pids(server: RunningServer) -> list[int]:
    """Return the process ids of a server's child processes."""
    command = ["ps", "-o", "pid=", "--ppid", str(server.process.pid)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


class Conversation:
    """A stream on which requests are sent one at a time."""

    def __init__(self, stub: PredictionServiceStub, first: StreamPredictRequest) -> None:
        self._requests: SimpleQueue[StreamPredictRequest | None] = SimpleQueue()
        self.send(first)
        self._call = stub.StreamPredict(self._sent())
        self._answers: Iterator[StreamPredictResponse] = iter(self._call)

    def send(self, request: StreamPredictRequest) -> None:
        self._requests.put(request)

    def ask(self, request: StreamPredictRequest) -> StreamPredictResponse:
        self.send(request)
        return self.next()

    def next(self) -> StreamPredictResponse:
        return next(self._answers)

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *error: object) -> None:
        self._requests.put(None)
        self._call.cancel()

    def _sent(self) -> Iterator[StreamPredictRequest]:
        while (request := self._requests.get()) is not None:
            yield request


def paused_through(asks: ModelTask[T]) -> T:
    """Run a task that only yields and makes no model requests, and return its result."""
    try:
        next(asks)
        while True:
            asks.send([])
    except StopIteration as stop:
        result: T = stop.value
        return result
