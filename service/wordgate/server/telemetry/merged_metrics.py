"""Merge the metrics of several workers into those of one server.

prometheus_client's multi-process mode keeps files of dead workers and supports neither process
metrics nor gauges with a callback. Therefore the workers' metrics pages, in Prometheus' text
format, are merged instead.
"""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

_Labels = tuple[tuple[str, str], ...]
_Key = tuple[str, _Labels]

_ADDED_FOR_GOOD = ("counter", "histogram", "summary")
_OTHERWISE: dict[str, Callable[[float, float], float]] = {
    "process_start_time_seconds": max,  # a restarted worker shows as a restart of the server
    "process_max_fds": min,
    "python_info": max,
    "wordgate_certificate_expiration_timestamp_seconds": min,
    "wordgate_model_info": max,
}
"""Merge functions of the gauges that are not summed."""


class MergedMetrics(Collector):
    """Merged metrics pages of workers. Counts of workers that have exited are kept."""

    def __init__(self) -> None:
        self._pages: dict[int, str] = {}
        self._gone: dict[str, Metric] = {}

    def update(self, worker: int, page: str) -> None:
        """Replace the page of a worker by a newer one."""
        self._pages[worker] = page

    def forget(self, worker: int) -> None:
        """Drop the gauges of a worker that has exited, and keep its counts."""
        page = self._pages.pop(worker, None)
        for family in text_string_to_metric_families(page or ""):
            if family.type in _ADDED_FOR_GOOD:
                before = self._gone.get(family.name)
                self._gone[family.name] = _merged([before, family] if before else [family])

    def collect(self) -> Iterator[Metric]:
        """Yield the merged metric families."""
        pages = [text_string_to_metric_families(page) for page in self._pages.values()]
        families: dict[str, list[Metric]] = {}
        for page in [*pages, self._gone.values()]:
            for family in page:
                families.setdefault(family.name, []).append(family)
        yield from map(_merged, families.values())


def _merged(same: Sequence[Metric]) -> Metric:
    """Merge metric families of the same name into one."""
    merged = Metric(same[0].name, same[0].documentation, same[0].type)
    values: dict[_Key, float] = {}
    for family in same:
        for sample in family.samples:
            key = sample.name, _labels(sample.labels)
            merge = _OTHERWISE.get(sample.name, float.__add__)
            before = values.get(key)
            values[key] = sample.value if before is None else merge(before, sample.value)
    for (name, labels), value in values.items():
        merged.add_sample(name, dict(labels), value)
    return merged


def _labels(labels: dict[str, str]) -> _Labels:
    return tuple(sorted(labels.items()))
