"""What the server counts and measures.

Knows Prometheus; does not know who counts. All metrics live in a registry of their own. Units are
base units, labels take few values, and no text of a user's is ever among them.
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

from wordgate.engine.loaded_model import ServedModel
from wordgate.engine.onnx_model import MAX_ROWS
from wordgate.engine.results import ModelVersion
from wordgate.engine.scheduler import DropReason, Priority, Scheduler
from wordgate.errors import OverloadReason
from wordgate.lm.requests import ModelRequest, ModelTask, Step, T

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
_ASKED = ("step", "output")
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
    """A method of a service, labelled as the conventional metrics label it."""

    service: str
    name: str
    kind: str

    @property
    def labels(self) -> tuple[str, str, str]:
        """Values of `grpc_service`, `grpc_method` and `grpc_type`."""
        return self.service, self.name, self.kind


@dataclass(frozen=True, slots=True)
class MessageCounts:
    """Counts a message that came in, or that went out."""

    received: Callable[[], None]
    sent: Callable[[], None]


@dataclass(frozen=True)
class MetricRow:
    """A row of the table of metrics."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


class Metrics:
    """All metrics of one server; also the engine's observer of calls."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
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
        """What is measured, for the docs; the collectors of Python's own runtime are left out."""
        return sorted(self._declared, key=lambda row: row.name)

    def serves(self, methods: Iterable[Method]) -> None:
        """Show these methods from the start, with nothing counted."""
        for method in methods:
            for metric in (self._started, self._received, self._sent, self._seconds):
                metric.labels(*method.labels)
            self._handled.labels(*method.labels, "OK")

    def started(self, method: Method) -> None:
        """A call began."""
        self._started.labels(*method.labels).inc()

    def handled(self, method: Method, code: str, seconds: float) -> None:
        """A call ended with this code after so long."""
        self._handled.labels(*method.labels, code).inc()
        self._seconds.labels(*method.labels).observe(seconds)

    def messages(self, method: Method) -> "MessageCounts":
        """Counts the messages of a method."""
        labels = method.labels
        return MessageCounts(self._received.labels(*labels).inc, self._sent.labels(*labels).inc)

    def called(self, graph: str, rows: int, seconds: float) -> None:
        """Implements `engine.onnx_model.CallObserver`."""
        self._call_rows.labels(graph).observe(rows)
        self._call_seconds.labels(graph).observe(seconds)

    def dropped(self, reason: DropReason) -> None:
        """Work was dropped before it was done."""
        self._dropped.labels(reason.value).inc()

    def refused(self, excess: OverloadReason) -> None:
        """A call was refused: there is too much of this."""
        self._refused.labels(excess.value).inc()

    def waited(self, urgency: Priority, seconds: float) -> None:
        """A request's work began after so long."""
        self._queue_seconds[urgency].observe(seconds)

    def searching(self, asks: ModelTask[T], expansions_of: Callable[[T], int]) -> ModelTask[T]:
        """The same search; at its end the rows that it asked for or looked at are noted."""
        steps = 0
        try:
            ask = next(asks)
            while True:
                if isinstance(ask, Step):
                    steps += len(ask)
                ask = asks.send((yield ask))
        except StopIteration as stop:
            found: T = stop.value
            self._search_steps.observe(steps)
            self._expansions.observe(expansions_of(found))
            return found
        finally:
            asks.close()

    def typed_word(self, model: ModelVersion, rank: int | None) -> None:
        """A word was finished in a session; its rank among the suggestions before it, from 1."""
        self._typed_words.labels(model.name, model.version, _rank_label(rank)).inc()

    def typed_surprise(self, model: ModelVersion, nats: float) -> None:
        """A word was finished that the model gave this negative log-probability."""
        self._surprise.labels(model.name, model.version).observe(nats)

    def accepted(self, model: ModelVersion, rank: int) -> None:
        """A suggestion was accepted; its rank, from 1."""
        self._accepted.labels(model.name, model.version, _rank_label(rank)).inc()

    def load_failed(self, reason: str) -> None:
        """A bundle was refused; `reason` is that of `InvalidBundle`."""
        self._load_failures.labels(reason).inc()

    def reloaded(self, file: str, result: str) -> None:
        """A file of the operator's was `read` again, or `refused`."""
        self._reloads.labels(file, result).inc()

    def certificates_end(self, ends: Mapping[str, float]) -> None:
        """When certificates end, in seconds since 1970, by what their file is for."""
        for file, end in ends.items():
            self._certificate_ends.labels(file).set(end)

    def counted(self, asks: ModelTask[T], urgency: Priority) -> ModelTask[T]:
        """The same generator; the rows that it asks for are counted by kind and urgency."""
        try:
            ask = next(asks)
            while True:
                self._asked[_kind(ask), urgency].inc(len(ask))
                ask = asks.send((yield ask))
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            asks.close()

    def watch_scheduler(self, scheduler: Scheduler) -> None:
        """Show how many rows wait."""
        self._waiting.set_function(lambda: float(scheduler.waiting_rows))

    def watch_models(self, models: Iterable[ServedModel]) -> None:
        """Show what is served and what its state caches hold, now and later."""
        self._show(models)
        self.registry.register(_Caches(models))

    def swapped(self, served: Iterable[ServedModel]) -> None:
        """Other models are served from now on."""
        self._swaps.inc()
        self._show(served)

    def retired(self, model: ServedModel, left: Iterable[ServedModel]) -> None:
        """A model has gone; `left` are those that answer."""
        name = model.name
        if all(other.name != name for other in left):
            self._info.remove(name.name, name.version, name.precision)

    def _show(self, models: Iterable[ServedModel]) -> None:
        for model in models:
            name = model.name
            self._info.labels(name.name, name.version, name.precision).set(1)

    def _declare_calls(self) -> None:
        counted = (
            ("started", "Calls begun."),
            ("msg_received", "Messages received from clients."),
            ("msg_sent", "Messages sent to clients."),
        )
        self._started, self._received, self._sent = (
            self._counter(f"grpc_server_{name}_total", meaning, _CALL) for name, meaning in counted
        )
        self._handled = self._counter(
            "grpc_server_handled_total", "Calls ended, by status code.", (*_CALL, "grpc_code")
        )
        self._seconds = self._histogram(
            "grpc_server_handling_seconds", "Time from begin to end of a call.", _SECONDS, _CALL
        )

    def _declare_engine(self) -> None:
        self._waiting = self._gauge("wordgate_queued_rows", "Rows waiting for the model.")
        self._rows = self._counter(
            "wordgate_model_rows_total",
            "Rows asked of the model: pieces to read (step), output rows or targets (output).",
            ("kind", "urgency"),
        )
        self._asked = {
            (kind, urgency): self._rows.labels(kind, urgency.value)
            for kind, urgency in product(_ASKED, Priority)
        }
        queue_seconds = self._histogram(
            "wordgate_queue_duration_seconds",
            "Time from a request's arrival to the first of its rows in a call.",
            _SECONDS,
            ("urgency",),
        )
        self._queue_seconds = {each: queue_seconds.labels(each.value) for each in Priority}
        self._call_rows = self._histogram(
            "wordgate_batch_rows", "Rows of one onnxruntime call.", _ROWS, ("graph",)
        )
        self._call_seconds = self._histogram(
            "wordgate_inference_duration_seconds",
            "Time of one onnxruntime call.",
            _CALL_SECONDS,
            ("graph",),
        )
        self._dropped = self._counter(
            "wordgate_jobs_dropped_total", "Work dropped before it was done.", ("reason",)
        )
        for reason in DropReason:
            self._dropped.labels(reason.value)
        self._refused = self._counter(
            "wordgate_requests_rejected_total",
            "Calls refused because there was too much to do, by what there was too much of.",
            ("reason",),
        )
        for excess in OverloadReason:
            self._refused.labels(excess.value)
        self._expansions = self._histogram(
            "wordgate_search_expansions", "Output rows that one search asked for.", _EXPANSIONS
        )
        self._search_steps = self._histogram(
            "wordgate_predict_tokens_read",
            "Pieces that the network read for one prediction, those of its history included.",
            _STEPS,
        )
        self.sessions = self._gauge("wordgate_open_sessions", "Open typing sessions.")
        self.workers = self._gauge("wordgate_workers", "Server processes that take calls.")

    def _declare_live_quality(self) -> None:
        self._typed_words = self._counter(
            "wordgate_typed_words_total",
            "Words finished in typing sessions, by their rank among the suggestions before their "
            "first letter; `none`: not among them.",
            (*_MODEL, "rank"),
        )
        self._accepted = self._counter(
            "wordgate_accepted_suggestions_total",
            "Suggestions that sessions accepted, by their rank.",
            (*_MODEL, "rank"),
        )
        self._surprise = self._histogram(
            "wordgate_typed_word_surprisal_nats",
            "Negative log-probability of words finished in typing sessions.",
            _NATS,
            _MODEL,
        )

    def _declare_models(self) -> None:
        self._info = self._gauge(
            "wordgate_model_info", "Served models, always 1.", ("model", "version", "precision")
        )
        self._swaps = self._counter(
            "wordgate_model_reloads_total", "Times that other versions were put in their place."
        )
        self._load_failures = self._counter(
            "wordgate_model_load_failures_total", "Bundles that were refused.", ("reason",)
        )
        for reason in _LOAD_FAILURES:
            self._load_failures.labels(reason)
        for name, kind, meaning in _CACHE_METRICS:
            self._declared.append(MetricRow(name, kind, _MODEL, meaning))

    def _declare_security(self) -> None:
        self._reloads = self._counter(
            "wordgate_file_reloads_total",
            "Times that the certificate or the file of tokens had changed; `refused`: it cannot be "
            "used, and what was read before stays.",
            ("file", "result"),
        )
        for labels in product(_RELOADED_FILES, ("read", "refused")):
            self._reloads.labels(*labels)
        self._certificate_ends = self._gauge(
            "wordgate_certificate_expiration_timestamp_seconds",
            "When the first certificate of a file ends, since 1970: the server's with its chain "
            "(certificate), or of those who sign clients' (client_ca).",
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
    ("wordgate_state_cache_bytes", "gauge", "Memory that kept states and output rows take."),
    ("wordgate_state_cache_hits_total", "counter", "Pieces of histories found read before."),
    ("wordgate_state_cache_misses_total", "counter", "Pieces of histories that had to be read."),
    ("wordgate_state_cache_evictions_total", "counter", "Kept states that made room."),
)


class _Caches(Collector):
    """Reads the state caches when it is asked: they belong to the engine's thread."""

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
    """Ranks one by one while they matter, then in ranges."""
    if rank is None:
        return "none"
    last = next(most for most in _RANKS if rank <= most or most == _RANKS[-1])
    first = _RANKS[_RANKS.index(last) - 1] + 1 if last > 1 else 1
    return f"{first}-{last}" if first < last else str(last)


def _kind(ask: ModelRequest) -> str:
    return "step" if isinstance(ask, Step) else "output"
