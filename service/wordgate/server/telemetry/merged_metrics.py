"""Metrics of several workers as those of one server.

Knows Prometheus' text format and how values of a kind are put together; does not know processes.
prometheus_client's own multi-process mode keeps files of workers that have died, has no metrics of
processes and knows no gauges that are read when asked: pages are merged instead.
"""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

_Labels = tuple[tuple[str, str], ...]
_Key = tuple[str, _Labels]

_ADDED_FOR_GOOD = ("counter", "histogram", "summary")
_OTHERWISE: dict[str, Callable[[float, float], float]] = {
    "process_start_time_seconds": max,  # a worker's new start is seen as one of the server
    "process_max_fds": min,
    "python_info": max,
    "wordgate_certificate_expiration_timestamp_seconds": min,
    "wordgate_model_info": max,
}
"""How gauges are put together that are not added."""


class MergedMetrics(Collector):
    """Pages of workers, merged; what workers counted that have gone still counts."""

    def __init__(self) -> None:
        self._pages: dict[int, str] = {}
        self._gone: dict[str, Metric] = {}

    def update(self, worker: int, page: str) -> None:
        """The latest page of a worker."""
        self._pages[worker] = page

    def forget(self, worker: int) -> None:
        """A worker has ended: its gauges go, its counts stay."""
        page = self._pages.pop(worker, None)
        for family in text_string_to_metric_families(page or ""):
            if family.type in _ADDED_FOR_GOOD:
                before = self._gone.get(family.name)
                self._gone[family.name] = _merged([before, family] if before else [family])

    def collect(self) -> Iterator[Metric]:
        """One family for each that a worker has or had."""
        pages = [text_string_to_metric_families(page) for page in self._pages.values()]
        families: dict[str, list[Metric]] = {}
        for page in [*pages, self._gone.values()]:
            for family in page:
                families.setdefault(family.name, []).append(family)
        yield from map(_merged, families.values())


def _merged(same: Sequence[Metric]) -> Metric:
    """One family of several of the same name."""
    merged = Metric(same[0].name, same[0].documentation, same[0].type)
    values: dict[_Key, float] = {}
    for family in same:
        for sample in family.samples:
            key = sample.name, _labels(sample.labels)
            together = _OTHERWISE.get(sample.name, float.__add__)
            before = values.get(key)
            values[key] = sample.value if before is None else together(before, sample.value)
    for (name, labels), value in values.items():
        merged.add_sample(name, dict(labels), value)
    return merged


def _labels(labels: dict[str, str]) -> _Labels:
    return tuple(sorted(labels.items()))
