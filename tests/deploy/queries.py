"""Extract the metric and label names of PromQL queries.

The grammar itself is checked by Prometheus in other tests.
"""

import re
from dataclasses import dataclass
from itertools import chain

from wordgate.server.telemetry.metrics import Metrics

PROMETHEUS_OWN = {
    "up": set[str](),
    "ALERTS": {"alertname", "alertstate", "severity"},
}
TARGET_LABELS = {"job", "instance"}

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"(?P<metric>[a-zA-Z_:][\w:]*)?\s*\{(?P<matchers>[^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_CODES = re.compile(r'grpc_code\s*=~?\s*"([^"]*)"')
_RANGE = re.compile(r"\[[^\]]*\]")
_FUNCTION = re.compile(r"\b[a-z_]\w*\s*\(")
_NAME = re.compile(r"[a-zA-Z_:][\w:]*")
_WORDS = {"and", "or", "unless", "bool", "offset", "sum", "avg", "count", "min", "max", "absent"}
_SHOWN = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")


@dataclass(frozen=True)
class Used:
    """The names in a query."""

    metrics: frozenset[str]
    labels: frozenset[str]
    codes: frozenset[str]


def used(query: str) -> Used:
    """Return the names that a query uses."""
    codes = {code for found in _CODES.findall(query) for code in found.split("|")}
    bare = _RANGE.sub("", _STRING.sub("", query))
    groups = [name for found in _GROUPING.findall(bare) for name in _NAME.findall(found)]
    matched = [_MATCHER.findall(found["matchers"]) for found in _SELECTOR.finditer(bare)]
    left = _GROUPING.sub(" ", re.sub(r"\{[^}]*\}", " ", bare))
    names = set(_NAME.findall(_FUNCTION.sub("(", left))) - _WORDS
    return Used(frozenset(names), frozenset(chain(groups, *matched)), frozenset(codes))


def shown(legend: str) -> set[str]:
    """Return the labels that a legend or an annotation uses."""
    return set(_SHOWN.findall(legend))


def known() -> dict[str, set[str]]:
    """Return all series of a server with their labels, including process metrics."""
    metrics = Metrics()
    found = dict(PROMETHEUS_OWN)
    for row in metrics.table():
        found |= _series(row.name, row.kind, set(row.labels))
    for family in metrics.registry.collect():
        if family.name.startswith("process_"):
            found |= {sample.name: set(sample.labels) for sample in family.samples}
    return found


def _series(name: str, kind: str, labels: set[str]) -> dict[str, set[str]]:
    if kind != "histogram":
        return {name: labels}
    return {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
