"""Prometheus metrics of the server.

All metrics live in a registry of their own. Values are in base units. Labels have few distinct
values and never contain user text.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from wordgate.engine.job import DropReason, Priority
from wordgate.engine.loaded_model import ServedModel
from wordgate.engine.scheduler import Scheduler
from wordgate.errors import OverloadReason
from wordgate.lm.model_version import ModelVersion
from wordgate.lm.requests import MAX_ROWS
from wordgate.server.telemetry.unboxed_value import use_unboxed_values

M = TypeVar("M", bound=MetricWrapperBase)

_CALL = ("grpc_service", "grpc_method", "grpc_type")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_CALL_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
_ROWS = tuple(2**power for power in range(MAX_ROWS.bit_length()))
_STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 20_000)
_EXPANSIONS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_MODEL = ("model", "version")
_NATS = (0.25, 0.5, 1, 2, 3, 4, 6, 8, 10, 12, 16, 20)
_RANKS = (1, 2, 3, 4, 5, 10, 20, 100)
_RELOADED_FILES = ("certificate", "tokens")
_LOAD_FAILURES = (
    "checksum",
    "content",
    "foreign_file",
    "manifest",
    "missing",
    "missing_file",
    "schema",
    "smoke",
    "unreadable",
)


@dataclass(frozen=True)
class Method:
    """An RPC method, with the labels of the conventional gRPC metrics."""

    service: str
    name: str
    kind: str

    @property
    def labels(self) -> tuple[str, str, str]:
        """Values of `grpc_service`, `grpc_method` and `grpc_type`."""
        return self.service, self.name, self.kind


@dataclass(frozen=True, slots=True)
class MessageCounts:
    """Counters for the messages of one method."""

    received: Callable[[], None]
    sent: Callable[[], None]


@dataclass(frozen=True)
class MetricRow:
    """A row of the metrics table in the docs."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


class Metrics:
    """All metrics of one server. Also observes the engine's inferences."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        use_unboxed_values()
        self.registry = CollectorRegistry()
        self._declared: list[MetricRow] = []
        self._declare_calls()
        self._declare_engine()
        self._declare_live_quality()
        self._declare_models()
        self._declare_security()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def table(self) -> list[MetricRow]:
        """Return the metrics for the docs, without those of the Python runtime collectors."""
        return sorted(self._declared, key=lambda row: row.name)

    def serves(self, methods: Iterable[Method]) -> None:
        """Initialise the metrics of these methods, so that they are exported as 0 at start-up."""
        for method in methods:
            for metric in (self._started, self._received, self._sent, self._seconds):
                metric.labels(*method.labels)
            self._handled.labels(*method.labels, "OK")

    def started(self, method: Method) -> None:
        """Count the start of a call."""
        self._started.labels(*method.labels).inc()

    def handled(self, method: Method, code: str, seconds: float) -> None:
        """Count a completed call with its status code, and observe its duration."""
        self._handled.labels(*method.labels, code).inc()
        self._seconds.labels(*method.labels).observe(seconds)

    def messages(self, method: Method) -> "MessageCounts":
        """Return the message counters of a method."""
        labels = method.labels
        return MessageCounts(self._received.labels(*labels).inc, self._sent.labels(*labels).inc)

    def called(self, graph: str, rows: int, seconds: float) -> None:
        """Observe an inference. Implements `engine.onnx_model.CallObserver`."""
        if graph not in self._graphs:
            self._graphs[graph] = self._call_rows.labels(graph), self._call_seconds.labels(graph)
        batch_rows, duration = self._graphs[graph]
        batch_rows.observe(rows)
        duration.observe(seconds)

    def dropped(self, reason: DropReason) -> None:
        """Count a job that was dropped before completion."""
        self._dropped.labels(reason.value).inc()

    def rejected(self, excess: OverloadReason) -> None:
        """Count a request rejected by overload protection."""
        self._rejected.labels(excess.value).inc()

    def waited(self, priority: Priority, seconds: float) -> None:
        """Observe the queueing delay of a request whose work begins."""
        self._queue_seconds[priority].observe(seconds)

    def searched(self, tokens_read: int, expansions: int) -> None:
        """Observe the tokens that a completed search read, and its expansions."""
        self._search_steps.observe(tokens_read)
        self._expansions.observe(expansions)

    def typed_word(self, model: ModelVersion, rank: int | None) -> None:
        """Count a word completed in a session, by its rank (from 1) among the suggestions."""
        self._typed_words.labels(model.name, model.version, _rank_label(rank)).inc()

    def typed_surprisal(self, model: ModelVersion, nats: float) -> None:
        """Observe the surprisal (negative log-probability, in nats) of a completed word."""
        self._surprisal.labels(model.name, model.version).observe(nats)

    def accepted(self, model: ModelVersion, rank: int) -> None:
        """Count an accepted suggestion by its rank, from 1."""
        self._accepted.labels(model.name, model.version, _rank_label(rank)).inc()

    def load_failed(self, reason: str) -> None:
        """Count a bundle that failed to load; `reason` is that of `InvalidBundle`."""
        self._load_failures.labels(reason).inc()

    def reloaded(self, file: str, result: str) -> None:
        """Count a reload of a certificate or token file; `result` is `read` or `rejected`."""
        self._reloads.labels(file, result).inc()

    def certificates_end(self, ends: Mapping[str, float]) -> None:
        """Set the certificates' expiry times (Unix time in seconds), by the role of their file."""
        for file, end in ends.items():
            self._certificate_ends.labels(file).set(end)

    def requested(self, priority: Priority, rows: int, *, is_step: bool) -> None:
        """Count the rows of a model request: tokens to read, or output rows."""
        self._model_rows[priority][is_step].inc(rows)

    def watch_scheduler(self, scheduler: Scheduler) -> None:
        """Export the number of rows queued in the scheduler."""
        self._waiting.set_function(lambda: float(scheduler.queued_rows))

    def watch_models(self, models: Iterable[ServedModel]) -> None:
        """Export the served models and their state caches; `models` is read at each scrape."""
        self._show(models)
        self.registry.register(_Caches(models))

    def swapped(self, served: Iterable[ServedModel]) -> None:
        """Count a model reload and export the models that are served now."""
        self._swaps.inc()
        self._show(served)

    def retired(self, model: ServedModel, left: Iterable[ServedModel]) -> None:
        """Remove a retired model from the metrics; `left` are the models still served."""
        name = model.name
        if all(other.name != name for other in left):
            self._info.remove(name.name, name.version, name.precision)

    def _show(self, models: Iterable[ServedModel]) -> None:
        for model in models:
            name = model.name
            self._info.labels(name.name, name.version, name.precision).set(1)

    def _declare_calls(self) -> None:
        counted = (
            ("started", "Calls started."),
            ("msg_received", "Messages received from clients."),
            ("msg_sent", "Messages sent to clients."),
        )
        self._started, self._received, self._sent = (
            self._counter(f"grpc_server_{name}_total", meaning, _CALL) for name, meaning in counted
        )
        self._handled = self._counter(
            "grpc_server_handled_total", "Calls completed, by status code.", (*_CALL, "grpc_code")
        )
        self._seconds = self._histogram(
            "grpc_server_handling_seconds", "Call duration in seconds.", _SECONDS, _CALL
        )

    def _declare_engine(self) -> None:
        self._waiting = self._gauge("wordgate_queued_rows", "Rows queued for the model.")
        self._rows = self._counter(
            "wordgate_model_rows_total",
            "Rows requested from the model: tokens to read (step), or output rows and target "
            "log-probabilities (output).",
            ("kind", "priority"),
        )
        self._model_rows = {
            priority: [self._rows.labels(kind, priority.value) for kind in ("output", "step")]
            for priority in Priority
        }
        queue_seconds = self._histogram(
            "wordgate_queue_duration_seconds",
            "Queueing delay in seconds, from a request's arrival to its first inference.",
            _SECONDS,
            ("priority",),
        )
        self._queue_seconds = {each: queue_seconds.labels(each.value) for each in Priority}
        self._call_rows = self._histogram(
            "wordgate_batch_rows", "Batch size: rows per inference.", _ROWS, ("graph",)
        )
        self._call_seconds = self._histogram(
            "wordgate_inference_duration_seconds",
            "Duration in seconds of one inference (one onnxruntime run).",
            _CALL_SECONDS,
            ("graph",),
        )
        self._graphs: dict[str, tuple[Histogram, Histogram]] = {}
        self._dropped = self._counter(
            "wordgate_jobs_dropped_total", "Jobs dropped before completion.", ("reason",)
        )
        for reason in DropReason:
            self._dropped.labels(reason.value)
        self._rejected = self._counter(
            "wordgate_requests_rejected_total",
            "Requests rejected by overload protection, by limit.",
            ("reason",),
        )
        for excess in OverloadReason:
            self._rejected.labels(excess.value)
        self._expansions = self._histogram(
            "wordgate_search_expansions", "Output rows requested per search.", _EXPANSIONS
        )
        self._search_steps = self._histogram(
            "wordgate_predict_tokens_read",
            "Tokens read by the network per prediction, including those of the history.",
            _STEPS,
        )
        self.sessions = self._gauge("wordgate_open_sessions", "Open typing sessions.")
        self.workers = self._gauge("wordgate_workers", "Server processes that accept calls.")

    def _declare_live_quality(self) -> None:
        self._typed_words = self._counter(
            "wordgate_typed_words_total",
            "Words completed in typing sessions, by rank among the suggestions shown before the "
            "first letter; `none`: not suggested.",
            (*_MODEL, "rank"),
        )
        self._accepted = self._counter(
            "wordgate_accepted_suggestions_total",
            "Suggestions accepted in typing sessions, by rank.",
            (*_MODEL, "rank"),
        )
        self._surprisal = self._histogram(
            "wordgate_typed_word_surprisal_nats",
            "Surprisal (negative log-probability) of words completed in typing sessions, in nats.",
            _NATS,
            _MODEL,
        )

    def _declare_models(self) -> None:
        self._info = self._gauge(
            "wordgate_model_info", "Served models, always 1.", ("model", "version", "precision")
        )
        self._swaps = self._counter(
            "wordgate_model_reloads_total", "Reloads after which other model versions are served."
        )
        self._load_failures = self._counter(
            "wordgate_model_load_failures_total", "Bundles that failed to load.", ("reason",)
        )
        for reason in _LOAD_FAILURES:
            self._load_failures.labels(reason)
        for name, kind, meaning in _CACHE_METRICS:
            self._declared.append(MetricRow(name, kind, _MODEL, meaning))

    def _declare_security(self) -> None:
        self._reloads = self._counter(
            "wordgate_file_reloads_total",
            "Reloads of the certificate or the token file after a change; `rejected`: the new file "
            "is invalid and the previous content stays in use.",
            ("file", "result"),
        )
        for labels in product(_RELOADED_FILES, ("read", "rejected")):
            self._reloads.labels(*labels)
        self._certificate_ends = self._gauge(
            "wordgate_certificate_expiration_timestamp_seconds",
            "Earliest expiry of the certificates in a file, in Unix time: the server's certificate "
            "with its chain (certificate), or the client CAs (client_ca).",
            ("file",),
        )

    def _counter(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Counter:
        return self._note(Counter(name, meaning, labels, registry=self.registry), name, labels)

    def _gauge(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Gauge:
        return self._note(Gauge(name, meaning, labels, registry=self.registry), name, labels)

    def _histogram(
        self, name: str, meaning: str, buckets: Sequence[float], labels: tuple[str, ...] = ()
    ) -> Histogram:
        histogram = Histogram(name, meaning, labels, registry=self.registry, buckets=buckets)
        return self._note(histogram, name, labels)

    def _note(self, metric: M, name: str, labels: tuple[str, ...]) -> M:
        kind = type(metric).__name__.lower()
        self._declared.append(MetricRow(name, kind, labels, metric._documentation))
        return metric


_CACHE_METRICS = (
    ("wordgate_state_cache_bytes", "gauge", "Memory used by cached states and output rows."),
    ("wordgate_state_cache_hits_total", "counter", "History tokens found in the cache."),
    ("wordgate_state_cache_misses_total", "counter", "History tokens that had to be read."),
    ("wordgate_state_cache_evictions_total", "counter", "Evicted states."),
)


class _Caches(Collector):
    """Reads the state caches' counters at scrape time; the caches belong to the engine's thread."""

    def __init__(self, models: Iterable[ServedModel]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        for name, kind, meaning in _CACHE_METRICS:
            family = GaugeMetricFamily if kind == "gauge" else CounterMetricFamily
            metric = family(name, meaning, labels=_MODEL)
            for model in self._models:
                labels = (model.name.name, model.name.version)
                metric.add_metric(labels, self._value(name, model))
            yield metric

    def _value(self, name: str, model: ServedModel) -> float:
        attribute = name.removeprefix("wordgate_state_cache_").removesuffix("_total")
        return float(getattr(model.cache, "nbytes" if attribute == "bytes" else attribute))


def _rank_label(rank: int | None) -> str:
    """Return the label of a rank: single ranks up to 5, then ranges."""
    if rank is None:
        return "none"
    last = next(most for most in _RANKS if rank <= most or most == _RANKS[-1])
    first = _RANKS[_RANKS.index(last) - 1] + 1 if last > 1 else 1
    return f"{first}-{last}" if first < last else str(last)
