"""Traces of a real server, sent to a real collector and to an unavailable one."""

import json
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.running import RunningServer, serving, until
from tests.server.collector import Collector, collecting
from tests.server.requests import configured, refusal, text

from wordgate.api.v1.prediction_pb2 import PredictRequest, StreamGenerateRequest
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.errors import InvalidConfiguration
from wordgate.server.config.options import Configuration
from wordgate.server.server import Server
from wordgate.server.telemetry.metrics import Method
from wordgate.server.telemetry.opentelemetry import Traces
from wordgate.server.telemetry.request_id import RequestId

ON = ("--tracing", "otlp", "--access-log", "all")
PREDICT = "wordgate.v1.PredictionService/Predict"
STREAM = "wordgate.v1.PredictionService/StreamPredict"
GENERATE = "wordgate.v1.PredictionService/StreamGenerate"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CANARY = "zqcanaryqz"


@dataclass(frozen=True)
class Traced:
    """A server, its collector, and a connection to the server."""

    server: RunningServer
    spans: Collector
    stub: Any


@pytest.fixture(scope="module")
def shared(bundle: Path) -> Iterator[Traced]:
    """A server that exports to its own collector."""
    with (
        collecting() as (collector, variables),
        serving(bundle, *ON, variables=variables) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield Traced(server, collector, PredictionServiceStub(channel))


@pytest.fixture
def traced(shared: Traced) -> Traced:
    """The shared server, without the spans and log lines of earlier tests."""
    shared.spans.forget()
    shared.server.lines.clear()
    return shared


def _from_caller(flags: str, trace: str = TRACE) -> tuple[tuple[str, str], ...]:
    return (("traceparent", f"00-{trace}-{PARENT}-{flags}"), ("x-request-id", "found-again"))


def test_a_call_is_part_of_its_callers_trace(traced: Traced) -> None:
    """Its span is a child of the client's span, with the method and the status code."""
    traced.stub.Predict(PredictRequest(history="the sun"), metadata=_from_caller("01"))
    [call] = traced.spans.named(PREDICT)
    assert call.trace_id == TRACE
    assert call.span.parent_span_id.hex() == PARENT
    assert call.span.kind == Span.SPAN_KIND_SERVER
    assert call.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": PREDICT,
        "rpc.response.status_code": "OK",
        "wordgate.request_id": "found-again",
    }
    assert call.process["service.name"] == "wordgate"
    [line] = [json.loads(line) for line in traced.server.lines if '"event": "call"' in line]
    assert (line["request"], line["trace_id"]) == ("found-again", TRACE)


def test_a_call_shows_what_the_engine_did(traced: Traced) -> None:
    """A child span within the call's time has the model requests and their waiting time."""
    traced.stub.Predict(PredictRequest(history="the sun is in the"))
    [call], [work] = traced.spans.named(PREDICT), traced.spans.named("engine")
    assert work.span.parent_span_id == call.span.span_id
    assert call.span.start_time_unix_nano <= work.span.start_time_unix_nano
    assert work.span.end_time_unix_nano <= call.span.end_time_unix_nano
    assert work.attributes["wordgate.priority"] == "interactive"
    assert work.attributes["wordgate.steps"] >= 5
    assert work.attributes["wordgate.outputs"] >= 1
    assert work.attributes["wordgate.rounds"] >= 2
    seconds = (work.span.end_time_unix_nano - work.span.start_time_unix_nano) / 1e9
    waited = [work.attributes[f"wordgate.{part}_wait_seconds"] for part in ("start", "model")]
    assert 0 < sum(waited) <= seconds + 1e-3


def test_the_sampling_flag_of_the_client_decides(traced: Traced) -> None:
    """A call without a trace is sampled by the default sampler, which samples all."""
    traced.stub.Predict(PredictRequest(), metadata=_from_caller("00"))
    traced.stub.Predict(PredictRequest(), metadata=(("traceparent", "of no form"),))
    traced.stub.Predict(PredictRequest())
    assert TRACE not in {call.trace_id for call in traced.spans.named(PREDICT, 2)}


def test_a_too_long_traceparent_is_ignored(traced: Traced) -> None:
    """It is not used as a parent, and a client cannot fill the log with warnings about it."""
    traced.stub.Predict(PredictRequest(), metadata=(("traceparent", "0" * 4000),))
    [call] = traced.spans.named(PREDICT)
    assert not call.span.parent_span_id
    assert '"level": "warning"' not in traced.server.output


def test_each_answer_of_a_session_is_a_trace(traced: Traced) -> None:
    """It links to the stream, so it is visible during the session, and has its sequence number."""

    def typed() -> Iterator[Any]:
        yield configured()
        for sequence in (1, 2):
            yield text(sequence, "the s"[: 3 + sequence])
            traced.spans.named("StreamPredict answer", sequence)  # wait for the span

    answers = list(traced.stub.StreamPredict(typed(), metadata=_from_caller("01")))
    assert len(answers) == 2
    [stream] = traced.spans.named(STREAM)
    assert stream.trace_id == TRACE
    found = traced.spans.named("StreamPredict answer", 2)
    assert [each.attributes["wordgate.sequence"] for each in found] == [1, 2]
    assert len({TRACE, *(each.trace_id for each in found)}) == 3
    for each in found:
        assert each.attributes["wordgate.request_id"] == "found-again"
        assert [link.span_id for link in each.span.links] == [stream.span.span_id]
    work = {each.span.parent_span_id for each in traced.spans.arrived if each.span.name == "engine"}
    assert work == {each.span.span_id for each in found}


def test_a_generated_text_is_one_trace(traced: Traced) -> None:
    """It ends soon, so the engine's work for each word is a child span of the call."""
    request = StreamGenerateRequest(max_words=3, seed=1)
    assert list(traced.stub.StreamGenerate(request, metadata=_from_caller("01")))
    [call] = traced.spans.named(GENERATE)
    work = [each for each in traced.spans.arrived if each.span.name == "engine"]
    assert len(work) >= 2
    assert {(each.trace_id, each.span.parent_span_id) for each in work} == {
        (TRACE, call.span.span_id)
    }


def test_user_text_is_not_exported(traced: Traced) -> None:
    """Spans contain no texts, no error messages and no headers except the ids."""
    headers = (
        *_from_caller("01"),
        ("tracestate", f"a={CANARY}"),
        ("baggage", f"a={CANARY}"),
        ("user-agent", CANARY),
        (CANARY, CANARY),
    )
    traced.stub.Predict(PredictRequest(history=CANARY), metadata=headers)
    refusal(lambda: traced.stub.Predict(PredictRequest(model=CANARY), metadata=headers))
    list(traced.stub.StreamPredict(iter([configured(), text(1, f"{CANARY} ")]), metadata=headers))
    codes = {call.attributes["rpc.response.status_code"] for call in traced.spans.named(PREDICT, 2)}
    assert codes == {"OK", "NOT_FOUND"}
    assert traced.spans.named(STREAM)
    assert CANARY.encode() not in b"".join(r.SerializeToString() for r in traced.spans.requests)


async def test_an_unexpected_error_is_recorded_by_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """The span has an error status and the error's class, and no event with a message or stack."""
    with collecting() as (collector, variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        traces = Traces()
        span = traces.begin(Method("wordgate.v1.Any", "Method", "unary"), (), RequestId(), None)
        assert span is not None
        span.failed(KeyError(CANARY))
        span.finish(grpc.StatusCode.INTERNAL)
        await traces.close(60)
        [call] = collector.named("wordgate.v1.Any/Method")
    assert call.span.status.code == Status.STATUS_CODE_ERROR
    assert call.attributes["error.type"] == "KeyError"
    assert not call.span.events
    assert CANARY not in str(call.span)


@pytest.mark.parametrize("proxy", [{}, {"http_proxy": "http://127.0.0.1:1"}])
def test_spans_are_flushed_at_shutdown(bundle: Path, proxy: dict[str, str]) -> None:
    """Buffered spans are exported when the server stops.

    An HTTP proxy is bypassed for this machine.
    """
    with collecting() as (collector, variables):
        later = variables | proxy | {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}
        with serving(bundle, *ON, variables=later) as server:
            with grpc.insecure_channel(server.address) as channel:
                PredictionServiceStub(channel).Predict(PredictRequest())
            assert not collector.arrived
            server.terminate()
            assert server.wait() == 0
        assert collector.named(PREDICT)


def test_each_worker_is_an_instance(bundle: Path) -> None:
    """Two workers send under one service name, as two instances."""
    with (
        collecting() as (collector, variables),
        serving(bundle, *ON, "--workers", "2", variables=variables) as server,
    ):
        until(lambda: len(_instances(server, collector)) == 2, "spans of both workers")
        assert {each.process["service.name"] for each in collector.arrived} == {"wordgate"}


def _instances(server: RunningServer, collector: Collector) -> set[str]:
    """Return the instances that have sent spans, after one more call on a new connection."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(server.address, options=options) as channel:
        PredictionServiceStub(channel).Predict(PredictRequest())
    return {each.process["service.instance.id"] for each in collector.arrived}


def test_an_unavailable_collector_is_logged_once(bundle: Path) -> None:
    """Calls are answered, and the server stops normally."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but not listening
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{nobody.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        with serving(bundle, "--tracing", "otlp", variables=variables) as server:
            with grpc.insecure_channel(server.address) as channel:
                stub = PredictionServiceStub(channel)
                stub.Predict(PredictRequest())
                until(lambda: "trace export failed" in server.output, "the line")
                stub.Predict(PredictRequest())
            server.terminate()
            assert server.wait() == 0
    levels = [json.loads(line)["level"] for line in server.lines]
    assert levels.count("warning") == 1
    assert "error" not in levels


def test_without_tracing_opentelemetry_is_not_imported(bundle: Path) -> None:
    """OpenTelemetry is imported only if the option is set."""
    says_imports = {"PYTHONPROFILEIMPORTTIME": "1"}
    with collecting() as (collector, variables):
        for options, imported in (((), False), (ON, True)):
            with serving(bundle, *options, variables=variables | says_imports) as server:
                with grpc.insecure_channel(server.address) as channel:
                    PredictionServiceStub(channel).Predict(PredictRequest())
                server.terminate()
                assert server.wait() == 0
            assert ("opentelemetry" in server.output) is imported
            assert bool(collector.arrived) is imported


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")],
)
def test_invalid_opentelemetry_variables_are_rejected(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """The server does not start, and the error names the option."""
    monkeypatch.setenv(variable, value)
    _assert_refused(lambda: Server(Configuration(tracing="otlp")), value)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """If OpenTelemetry is not installed, the error says how to install it."""
    monkeypatch.setitem(sys.modules, "wordgate.server.telemetry.opentelemetry", None)
    _assert_refused(lambda: Server(Configuration(tracing="otlp")), r"wordgate\[tracing\]")


def _assert_refused(start: Callable[[], Any], words: str) -> None:
    with pytest.raises(InvalidConfiguration, match=words) as caught:
        start()
    assert caught.value.option == "tracing"
