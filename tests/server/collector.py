"""An OTLP trace collector over gRPC that stores the received spans."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import time_ns
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.running import until


@dataclass(frozen=True)
class Arrived:
    """A span with its attributes, and those of the process that sent it."""

    span: Span
    attributes: dict[str, Any]
    process: dict[str, Any]

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()


class Collector(TraceServiceServicer):
    """Receives spans."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self._since = 0

    def Export(self, request: ExportTraceServiceRequest, context: Any) -> Any:
        self.requests.append(request)
        return ExportTraceServiceResponse()

    def forget(self) -> None:
        """Ignore the spans that have begun until now, also those that arrive later."""
        self._since = time_ns()

    @property
    def arrived(self) -> list[Arrived]:
        """All received spans, in order of arrival."""
        return [
            Arrived(span, _values(span.attributes), _values(resource.resource.attributes))
            for request in list(self.requests)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.start_time_unix_nano >= self._since
        ]

    def named(self, name: str, count: int = 1) -> list[Arrived]:
        """Wait for `count` spans of this name and return them."""

        def found() -> list[Arrived] | None:
            spans = [each for each in self.arrived if each.span.name == name]
            return spans if len(spans) >= count else None

        spans: list[Arrived] = until(found, f"{count} spans {name}")
        assert len(spans) == count
        return spans


@contextmanager
def collecting() -> Iterator[tuple[Collector, dict[str, str]]]:
    """Start a collector, and yield it with the variables that make a server export to it."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor())
    add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    yield collector, variables
    server.stop(None)


def _values(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value")
        for each in attributes
    }
