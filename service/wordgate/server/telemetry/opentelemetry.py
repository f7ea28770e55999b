"""Traces for those who operate the server: spans, sent to a collector of theirs.

The one module that knows OpenTelemetry; imported only where traces are asked for. Where to, how
many and under which name is said by OpenTelemetry's own environment variables. Of what a caller
sends only `traceparent` is read, which has no room for a text.
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
"""Of a longer one OpenTelemetry would log that it is too long, at every call."""

_PROTOCOL_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "grpc"
_ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_ENDPOINT = "http://localhost:4317"
"""Where OpenTelemetry sends spans unless told otherwise."""

_LASTS = "bidi_stream"
"""The kind of methods whose calls may last for hours."""

_FAULTS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}
"""Codes that are errors of a server, by the conventions."""

_propagator = TraceContextTextMapPropagator()


class Traces:
    """Keeps the spans of a server and sends them, by a thread of its own."""

    def __init__(self, *, is_worker: bool = False) -> None:
        """Raises `InvalidConfiguration` for variables of OpenTelemetry that cannot be used."""
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
        """Begin the span of a call by a named caller; None if it is not sampled."""
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
        """Send what is left, for so long; at once if nobody took what was sent before."""
        if not self._exporter.is_heard:
            self._exporter.shutdown()
        sending = threading.Thread(target=self._processor.shutdown, daemon=True)
        sending.start()
        await asyncio.to_thread(sending.join, seconds)
        self._exporter.shutdown()


class _Span:
    """A span of a call, or of a part of one."""

    __slots__ = ("_call", "_span", "_stands_alone", "_tracer")

    def __init__(
        self, tracer: OtelTracer, span: OtelSpan, call: RequestId, *, stands_alone: bool = False
    ) -> None:
        """`stands_alone`: it may last for hours, so its parts have traces of their own."""
        self._tracer = tracer
        self._span = span
        self._call = call
        self._stands_alone = stands_alone

    @property
    def trace_id(self) -> str:
        """The trace that it belongs to, in hexadecimal."""
        return f"{self._span.get_span_context().trace_id:032x}"

    def part(self, name: str, began_ns: int) -> Self:
        """A child; of a span that stands alone a trace of its own that has a link to it."""
        whole = Context() if self._stands_alone else set_span_in_context(self._span, Context())
        links = [Link(self._span.get_span_context())] if self._stands_alone else []
        span = self._tracer.start_span(name, whole, links=links, start_time=began_ns)
        span.set_attribute("wordgate.request_id", self._call.request_id)
        return type(self)(self._tracer, span, self._call)

    def note(self, name: str, value: float | str) -> None:
        """Something to know of it."""
        self._span.set_attribute(name, value)

    def failed(self, error: BaseException) -> None:
        """It ends with this error, whose words are nobody's business."""
        self._span.set_attribute("error.type", type(error).__name__)
        if isinstance(error, Exception) and not is_expected(error):
            self._span.set_status(StatusCode.ERROR)

    def end(self, ended_ns: int | None = None) -> None:
        """It is over, now or at this time since the epoch."""
        self._span.end(ended_ns)

    def finish(self, code: grpc.StatusCode) -> None:
        """It is over, and was a call that ended with this code."""
        self._span.set_attribute("rpc.response.status_code", code.name)
        if code in _FAULTS:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class _Exporter(SpanExporter):
    """Sends spans; says in the log when nobody takes them, and when somebody does again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_shut = False
        self.is_heard = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; those that nobody takes are lost."""
        result = self._exporter.export(spans)
        is_heard = result is SpanExportResult.SUCCESS
        if is_heard != self.is_heard and not self._is_shut:
            self.is_heard = is_heard
            log = structlog.get_logger()
            if is_heard:
                log.info("traces are taken again")
            else:
                log.warning("nobody takes the traces; they are lost until somebody does")
        return result

    def shutdown(self) -> None:
        """Send no more, and give up what is being sent."""
        if not self._is_shut:
            self._is_shut = True
            self._exporter.shutdown()


def _otlp() -> SpanExporter:
    for variable in _PROTOCOL_VARIABLES:
        wanted = os.environ.get(variable, _PROTOCOL)
        if wanted != _PROTOCOL:
            problem = f"{variable} is {wanted}; traces are sent by {_PROTOCOL} alone"
            raise InvalidConfiguration("tracing", problem)
    try:
        exporter = OTLPSpanExporter(channel_options=_channel_options())
    except Exception as error:  # noqa: BLE001  it has a class for each variable
        problem = f"OpenTelemetry's variables cannot be used: {error}"
        raise InvalidConfiguration("tracing", problem) from None
    # It speaks of every attempt; what matters of that is said here.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    return exporter


def _channel_options() -> Any:
    """Have no proxy asked for a collector of this machine."""
    said = (os.environ.get(variable) for variable in _ENDPOINT_VARIABLES)
    endpoint = next(filter(None, said), _ENDPOINT)
    is_here = is_local(urlsplit(endpoint).netloc or endpoint)
    return (("grpc.enable_http_proxy", 0),) if is_here else None


def _resource(is_worker: bool) -> Resource:
    """Who sends: each process as an instance of its own, named as the environment says."""
    said = Resource.create({SERVICE_VERSION: version("wordgate")}).attributes
    name, instance = (str(said.get(key, "")) for key in (SERVICE_NAME, SERVICE_INSTANCE_ID))
    instance = instance or str(uuid4())
    own = {
        SERVICE_NAME: "wordgate" if name.startswith("unknown_service") else name,
        SERVICE_INSTANCE_ID: f"{instance}.{os.getpid()}" if is_worker else instance,
    }
    return Resource({**said, **own})


def _parent_of(metadata: Metadata) -> Context:
    """The caller's span; of a header that is none, and of several, there is no parent."""
    found = [value for key, value in metadata if key == _PARENT_HEADER]
    if len(found) != 1 or not isinstance(found[0], str) or len(found[0]) > _MAX_PARENT_CHARACTERS:
        return Context()
    return _propagator.extract({_PARENT_HEADER: found[0]}, Context())
