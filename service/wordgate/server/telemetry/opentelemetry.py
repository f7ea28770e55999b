"""Export trace spans with OpenTelemetry over OTLP.

The only module that imports OpenTelemetry; it is itself imported only if tracing is on. The
standard OpenTelemetry environment variables configure the endpoint, the sampling and the service
name. Of a client's metadata only `traceparent` is read, whose format cannot hold user text.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import grpc
import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    SERVICE_VERSION,
    Resource,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import Tracer as OtelTracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from wordgate.errors import InvalidConfiguration
from wordgate.protocol.address import is_local
from wordgate.protocol.status import is_expected
from wordgate.server.telemetry.metrics import Method
from wordgate.server.telemetry.request_id import RequestId
from wordgate.server.telemetry.tracing import Metadata

_PARENT_HEADER = "traceparent"
_MAX_PARENT_CHARACTERS = 512
"""OpenTelemetry would log a warning for each call with a longer header."""

_PROTOCOL_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "grpc"
_ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_ENDPOINT = "http://localhost:4317"
"""OpenTelemetry's default endpoint."""

_LASTS = "bidi_stream"
"""Kind of the methods whose calls may last for hours."""

_FAULTS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}
"""Status codes that count as server errors in OpenTelemetry's semantic conventions for gRPC."""

_propagator = TraceContextTextMapPropagator()


class Traces:
    """Creates the spans of a server and exports them in a background thread."""

    def __init__(self, *, is_worker: bool = False) -> None:
        """Raise `InvalidConfiguration` for invalid OpenTelemetry environment variables."""
        self._exporter = _Exporter(_otlp())
        self._processor = BatchSpanProcessor(self._exporter)
        resource = _resource(is_worker)
        sampled = TracerProvider(resource=resource, shutdown_on_exit=False)
        parts = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
        for provider in (sampled, parts):
            provider.add_span_processor(self._processor)
        self._sampled = sampled.get_tracer("wordgate", version("wordgate"))
        self._parts = parts.get_tracer("wordgate", version("wordgate"))

    def begin(
        self, method: Method, metadata: Metadata, call: RequestId, caller: str | None
    ) -> "_Span | None":
        """Start the span of a call; return None if it is not sampled.

        `caller` is the name of its bearer token.
        """
        name = f"{method.service}/{method.name}"
        parent = _parent_of(metadata)
        span = self._sampled.start_span(name, parent, SpanKind.SERVER)
        if not span.is_recording():
            return None
        attributes = {
            "rpc.system.name": "grpc",
            "rpc.method": name,
            "wordgate.request_id": call.request_id,
        }
        if caller is not None:
            attributes["wordgate.token"] = caller
        span.set_attributes(attributes)
        return _Span(self._parts, span, call, stands_alone=method.kind == _LASTS)

    async def close(self, seconds: float) -> None:
        """Export the remaining spans for at most `seconds`, or none if the last export failed."""
        if not self._exporter.is_heard:
            self._exporter.shutdown()
        sending = threading.Thread(target=self._processor.shutdown, daemon=True)
        sending.start()
        await asyncio.to_thread(sending.join, seconds)
        self._exporter.shutdown()


class _Span:
    """A span of a call or of a part of it."""

    __slots__ = ("_call", "_span", "_stands_alone", "_tracer")

    def __init__(
        self, tracer: OtelTracer, span: OtelSpan, call: RequestId, *, stands_alone: bool = False
    ) -> None:
        """`stands_alone`: the span may last for hours, so its parts start traces of their own."""
        self._tracer = tracer
        self._span = span
        self._call = call
        self._stands_alone = stands_alone

    @property
    def trace_id(self) -> str:
        """Trace ID in hexadecimal."""
        return f"{self._span.get_span_context().trace_id:032x}"

    def part(self, name: str, began_ns: int) -> Self:
        """Start a child span; under a span that stands alone, a new trace with a link to it."""
        whole = Context() if self._stands_alone else set_span_in_context(self._span, Context())
        links = [Link(self._span.get_span_context())] if self._stands_alone else []
        span = self._tracer.start_span(name, whole, links=links, start_time=began_ns)
        span.set_attribute("wordgate.request_id", self._call.request_id)
        return type(self)(self._tracer, span, self._call)

    def note(self, name: str, value: float | str) -> None:
        """Set an attribute."""
        self._span.set_attribute(name, value)

    def failed(self, error: BaseException) -> None:
        """Record the type of an error; its message may contain user text."""
        self._span.set_attribute("error.type", type(error).__name__)
        if isinstance(error, Exception) and not is_expected(error):
            self._span.set_status(StatusCode.ERROR)

    def end(self, ended_ns: int | None = None) -> None:
        """End the span, now or at this Unix time in nanoseconds."""
        self._span.end(ended_ns)

    def finish(self, code: grpc.StatusCode) -> None:
        """End the span of a call with its status code."""
        self._span.set_attribute("rpc.response.status_code", code.name)
        if code in _FAULTS:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class _Exporter(SpanExporter):
    """Exports spans; logs when exporting starts to fail and when it works again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_shut = False
        self.is_heard = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans; drop them if that fails."""
        result = self._exporter.export(spans)
        is_heard = result is SpanExportResult.SUCCESS
        if is_heard != self.is_heard and not self._is_shut:
            self.is_heard = is_heard
            log = structlog.get_logger()
            if is_heard:
                log.info("trace export works again")
            else:
                log.warning("trace export failed; dropping spans until the collector is back")
        return result

    def shutdown(self) -> None:
        """Stop exporting and abandon the export in progress."""
        if not self._is_shut:
            self._is_shut = True
            self._exporter.shutdown()


def _otlp() -> SpanExporter:
    for variable in _PROTOCOL_VARIABLES:
        protocol = os.environ.get(variable, _PROTOCOL)
        if protocol != _PROTOCOL:
            problem = f"{variable} is {protocol}; only {_PROTOCOL} is supported"
            raise InvalidConfiguration("tracing", problem)
    try:
        exporter = OTLPSpanExporter(channel_options=_channel_options())
    except Exception as error:  # noqa: BLE001  the error classes differ by variable
        problem = f"invalid OpenTelemetry environment variables: {error}"
        raise InvalidConfiguration("tracing", problem) from None
    # The exporter logs every failed attempt; `_Exporter` logs changes only.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    return exporter


def _channel_options() -> Any:
    """Return channel options that bypass the HTTP proxy for a collector on this machine."""
    endpoints = (os.environ.get(variable) for variable in _ENDPOINT_VARIABLES)
    endpoint = next(filter(None, endpoints), _ENDPOINT)
    is_here = is_local(urlsplit(endpoint).netloc or endpoint)
    return (("grpc.enable_http_proxy", 0),) if is_here else None


def _resource(is_worker: bool) -> Resource:
    """Return the resource of this process; each worker is a service instance of its own."""
    attributes = Resource.create({SERVICE_VERSION: version("wordgate")}).attributes
    name, instance = (str(attributes.get(key, "")) for key in (SERVICE_NAME, SERVICE_INSTANCE_ID))
    instance = instance or str(uuid4())
    own = {
        SERVICE_NAME: "wordgate" if name.startswith("unknown_service") else name,
        SERVICE_INSTANCE_ID: f"{instance}.{os.getpid()}" if is_worker else instance,
    }
    return Resource({**attributes, **own})


def _parent_of(metadata: Metadata) -> Context:
    """Return the client's span as parent; none if `traceparent` is malformed or repeated."""
    headers = [value for key, value in metadata if key == _PARENT_HEADER]
    if (
        len(headers) != 1
        or not isinstance(headers[0], str)
        or len(headers[0]) > _MAX_PARENT_CHARACTERS
    ):
        return Context()
    return _propagator.extract({_PARENT_HEADER: headers[0]}, Context())
