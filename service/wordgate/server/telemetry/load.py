"""Load figures of one server process, for the live view of the playground.

Sums over all clients, without any label. They only grow: a reader subtracts two samples of the same
process and divides by the seconds between them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from math import inf
from secrets import token_hex
from time import monotonic
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

_STARTED = "grpc_server_started_total"
_RECEIVED = "grpc_server_msg_received_total"
_SECONDS = "grpc_server_handling_seconds_bucket"
_ROWS = "wordgate_batch_rows_sum"
_BATCHES = "wordgate_batch_rows_count"
_NAMES = (_STARTED, _RECEIVED, _SECONDS, _ROWS, _BATCHES)
_SERVICES = "wordgate."
_PREDICT = "Predict"
_SESSION = "StreamPredict"
_FRESH_SECONDS = 0.25
"""Age up to which a sample is returned again: taking one blocks the event loop for 1 ms or more."""


class LoadFigures:
    """Reads load figures from the metrics of a server process."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = monotonic) -> None:
        self._metrics = registry.restricted_registry(_NAMES)
        self._process = token_hex(4)
        self._clock = clock
        self._began = clock()
        self._latest: dict[str, Any] = {"seconds": -inf}

    def read(self) -> dict[str, Any]:
        """Return the figures as a JSON object, at most `_FRESH_SECONDS` old.

        - `process`: random name of this server process
        - `seconds`: time of the sample in seconds, since the process began to serve
        - `requests`: calls started
        - `keys`: calls of `Predict`, and edits in typing sessions
        - `rows`, `batches`: rows of all inferences, and number of inferences
        - `durations`: durations of completed unary calls, as a list of [upper bound in seconds or
          null, number of calls], each without the calls of the entry before
        """
        seconds = self._clock() - self._began
        if seconds - self._latest["seconds"] >= _FRESH_SECONDS:
            self._latest = self._sample(seconds)
        return self._latest

    def _sample(self, seconds: float) -> dict[str, Any]:
        samples = list(_samples(self._metrics.collect()))
        sessions = _total(samples, _STARTED, _SESSION)  # each begins with a configuration
        edits = _total(samples, _RECEIVED, _SESSION) - sessions
        return {
            "process": self._process,
            "seconds": seconds,
            "requests": int(_total(samples, _STARTED)),
            "keys": int(_total(samples, _STARTED, _PREDICT) + max(0.0, edits)),
            "rows": int(_total(samples, _ROWS)),
            "batches": int(_total(samples, _BATCHES)),
            "durations": _durations(samples),
        }


def _samples(families: Iterable[Metric]) -> Iterator[Sample]:
    """Yield the samples of the engine and of Wordgate's own services."""
    for family in families:
        for sample in family.samples:
            if sample.labels.get("grpc_service", _SERVICES).startswith(_SERVICES):
                yield sample


def _total(samples: list[Sample], name: str, method: str | None = None) -> float:
    return sum(
        sample.value
        for sample in samples
        if sample.name == name and method in (None, sample.labels.get("grpc_method"))
    )


def _durations(samples: list[Sample]) -> list[tuple[float | None, int]]:
    """Return the histogram of unary calls. Prometheus' buckets include those below."""
    cumulative: dict[float, float] = defaultdict(float)
    for sample in samples:
        if sample.name == _SECONDS and sample.labels["grpc_type"] == "unary":
            cumulative[float(sample.labels["le"])] += sample.value
    bounds = sorted(cumulative)
    below = [0.0, *(cumulative[bound] for bound in bounds)]
    return [
        (None if bound == inf else bound, int(cumulative[bound] - less))
        for bound, less in zip(bounds, below, strict=False)
    ]
