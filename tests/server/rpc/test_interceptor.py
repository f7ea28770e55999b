"""The call interceptor, with servicers that fail on purpose."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from structlog.testing import capture_logs
from tests.running import PATIENCE_SECONDS
from tests.server.conftest import Lines

from wordgate.api.v1.prediction_pb2 import (
    PredictRequest,
    PredictResponse,
    StreamGenerateRequest,
    StreamGenerateResponse,
    StreamPredictRequest,
    StreamPredictResponse,
)
from wordgate.api.v1.prediction_pb2_grpc import (
    PredictionServiceServicer,
    PredictionServiceStub,
    add_PredictionServiceServicer_to_server,
)
from wordgate.protocol.limits import Limits
from wordgate.protocol.status import decode_error
from wordgate.server.rpc.interceptor import CallInterceptor
from wordgate.server.telemetry.metrics import Metrics

HANDLED = "grpc_server_handled_total"
LABELS = {
    "grpc_service": "wordgate.v1.PredictionService",
    "grpc_method": "Predict",
    "grpc_type": "unary",
}


class _Broken(PredictionServiceServicer):
    """Raises an error that contains user text, or waits if the request says so."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def Predict(
        self,
        request: PredictRequest,
        context: grpc.aio.ServicerContext[PredictRequest, PredictResponse],
    ) -> PredictResponse:
        if request.history == "wait":
            await self._wait()
        raise KeyError(request.history)

    async def StreamPredict(
        self,
        request_iterator: AsyncIterator[StreamPredictRequest],
        context: grpc.aio.ServicerContext[StreamPredictRequest, StreamPredictResponse],
    ) -> AsyncIterator[StreamPredictResponse]:
        yield StreamPredictResponse(sequence=1)
        raise KeyError("secret")

    async def StreamGenerate(
        self,
        request: StreamGenerateRequest,
        context: grpc.aio.ServicerContext[StreamGenerateRequest, StreamGenerateResponse],
    ) -> AsyncIterator[StreamGenerateResponse]:
        yield StreamGenerateResponse(word="the")
        raise KeyError("secret")

    async def _wait(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


@pytest.fixture
def metrics() -> Metrics:
    """Metrics of one server."""
    return Metrics()


@pytest.fixture
def servicer() -> _Broken:
    """The servicer under test."""
    return _Broken()


@pytest.fixture
async def stub(metrics: Metrics, servicer: _Broken) -> AsyncIterator[Any]:
    """A stub of a server whose servicer is broken."""
    async with _connected(metrics, servicer, Limits()) as channel:
        yield PredictionServiceStub(channel)


async def test_an_unexpected_error_is_internal_without_details(
    lines: Lines, stub: Any, metrics: Metrics
) -> None:
    """An unexpected error becomes INTERNAL; its trace is logged, and user text is not."""
    with pytest.raises(grpc.RpcError) as caught:
        await stub.Predict(PredictRequest(history="secret"))
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(caught.value)
    [line] = lines()
    assert "test_interceptor.py" in line["trace"]
    assert "secret" not in str(line)
    await _handled(metrics, "Internal")


async def test_an_unexpected_error_has_its_request_id(lines: Lines, stub: Any) -> None:
    """The log, the metadata and the client's error name the same request."""
    with pytest.raises(grpc.RpcError) as caught:
        await stub.Predict(PredictRequest(history="secret"))
    [line] = lines()
    ended: Any = caught.value
    assert dict(ended.trailing_metadata())["x-request-id"] == line["request"]
    assert line["request"] in str(decode_error(ended, "here:1"))


async def test_an_unexpected_error_in_a_stream_is_internal(stub: Any) -> None:
    """Earlier answers arrive, then the stream ends with INTERNAL."""
    with capture_logs():
        for call in (stub.StreamPredict(iter([])), stub.StreamGenerate(StreamGenerateRequest())):
            assert await call.read()
            with pytest.raises(grpc.RpcError) as caught:
                await call.read()
            assert caught.value.code() is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize(("seconds", "code"), [(0.1, "DeadlineExceeded"), (None, "Canceled")])
async def test_calls_that_end_early_are_counted_as_such(
    stub: Any, servicer: _Broken, metrics: Metrics, seconds: float | None, code: str
) -> None:
    """A deadline and a cancellation have their own codes in the metrics."""
    call = stub.Predict(PredictRequest(history="wait"), timeout=seconds)
    await servicer.begun.wait()
    if seconds is None:
        call.cancel()
    with pytest.raises((grpc.RpcError, asyncio.CancelledError)):
        await call
    await servicer.ended.wait()
    await _handled(metrics, code)


async def test_a_call_without_a_message_times_out(metrics: Metrics, servicer: _Broken) -> None:
    """A call or a stream without a first message ends with an error after a timeout."""
    limits = Limits(max_silence_seconds=0)
    async with _connected(metrics, servicer, limits) as channel:
        for method in ("Predict", "StreamGenerate"):
            call: Any = channel.stream_stream(f"/wordgate.v1.PredictionService/{method}")()
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert "no message" in await call.details()


async def test_calls_above_the_limit_are_rejected(metrics: Metrics, servicer: _Broken) -> None:
    """They are rejected at once, with a retry delay."""
    limits = Limits(max_concurrent_rpcs=1)
    async with _connected(metrics, servicer, limits) as channel:
        stub: Any = PredictionServiceStub(channel)
        first = stub.Predict(PredictRequest(history="wait"))
        await servicer.begun.wait()
        with pytest.raises(grpc.RpcError) as caught:
            await stub.Predict(PredictRequest(history="wait"))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        first.cancel()


@asynccontextmanager
async def _connected(
    metrics: Metrics, servicer: _Broken, limits: Limits
) -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server(interceptors=[CallInterceptor(metrics, asyncio.Event(), limits)])
    add_PredictionServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def _handled(metrics: Metrics, code: str) -> None:
    """Wait until one call is counted with this code; its client may see the end earlier."""
    labels = LABELS | {"grpc_code": code}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while metrics.registry.get_sample_value(HANDLED, labels) != 1:  # noqa: ASYNC110
            await asyncio.sleep(0)
