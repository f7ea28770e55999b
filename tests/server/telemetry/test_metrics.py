"""The server's metrics."""

from collections.abc import Iterator

import grpc
import pytest
from prometheus_client.metrics_core import Metric
from tests.running import RunningServer
from tests.server.requests import refusal

from wordgate.api.v1.prediction_pb2 import PredictRequest, SuggestionOptions
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.engine.local_model import LocalModel
from wordgate.server.telemetry.metrics import Metrics

PREDICT = {
    "grpc_service": "wordgate.v1.PredictionService",
    "grpc_method": "Predict",
    "grpc_type": "unary",
}
LABELS = {
    "grpc_code",
    "grpc_method",
    "grpc_service",
    "rank",
    "grpc_type",
    "graph",
    "kind",
    "le",
    "file",
    "model",
    "result",
    "precision",
    "reason",
    "priority",
    "version",
}


@pytest.fixture
def all_metrics(local: LocalModel) -> Metrics:
    """The metrics of a server with one model."""
    metrics = Metrics()
    metrics.watch_models([local.served])
    return metrics


def test_calls_are_counted_by_method_and_code(server: RunningServer, channel: grpc.Channel) -> None:
    """A successful and a failed call appear in the conventional metrics, with their codes."""
    names = ("started_total", "handled_total", "msg_received_total", "msg_sent_total")

    def counted() -> list[float]:
        found = [server.metric(f"grpc_server_{name}", **PREDICT) for name in names]
        bad = server.metric("grpc_server_handled_total", grpc_code="InvalidArgument", **PREDICT)
        seconds = server.metric("grpc_server_handling_seconds_count", **PREDICT)
        return [*found, bad, seconds]

    before = counted()
    stub = PredictionServiceStub(channel)
    stub.Predict(PredictRequest())
    refusal(lambda: stub.Predict(PredictRequest(options=SuggestionOptions(max_suggestions=1000))))
    assert [after - b for after, b in zip(counted(), before, strict=True)] == [2, 2, 2, 1, 1, 2]


def test_the_engine_is_measured(server: RunningServer, channel: grpc.Channel) -> None:
    """A prediction appears in the metrics of rows, inferences, search and state cache."""
    names = (
        "wordgate_model_rows_total",
        "wordgate_batch_rows_count",
        "wordgate_inference_duration_seconds_sum",
        "wordgate_search_expansions_sum",
        "wordgate_predict_tokens_read_sum",
        "wordgate_state_cache_misses_total",
        "wordgate_state_cache_bytes",
    )
    before = [server.metric(name) for name in names]
    PredictionServiceStub(channel).Predict(PredictRequest(history="never said before"))
    after = [server.metric(name) for name in names]
    assert all(a > b for a, b in zip(after, before, strict=True))
    assert server.metric("wordgate_model_info", model="tiny", version="1", precision="int8") == 1


def test_the_table_holds_every_metric(all_metrics: Metrics) -> None:
    """The docs table equals the registry, in names and labels."""
    found = {_full_name(metric): metric for metric in _own(all_metrics)}
    table = {row.name: row for row in all_metrics.table()}
    assert set(found) == set(table)
    for name, row in table.items():
        assert (row.kind, row.meaning) == (found[name].type, found[name].documentation)
        for sample in found[name].samples:
            assert set(sample.labels) - {"le"} == set(row.labels)


def test_names_and_labels_are_conventional(all_metrics: Metrics) -> None:
    """Counters end in `_total`, times are in seconds, and all labels are known with few values."""
    for row in all_metrics.table():
        assert row.name.endswith("_total") == (row.kind == "counter")
        assert not row.name.endswith(("_ms", "_milliseconds", "_kilobytes"))
        assert set(row.labels) <= LABELS
        assert row.meaning.endswith(".")


def _own(metrics: Metrics) -> Iterator[Metric]:
    for metric in metrics.registry.collect():
        if metric.name.startswith(("wordgate_", "grpc_server_")):
            yield metric


def _full_name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name
