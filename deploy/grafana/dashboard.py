#!/usr/bin/env python3
"""Writes dashboards/wordgate.json: the panels below, in Grafana's words.

Knows PromQL and Grafana's format; what the metrics mean is said in docs/serving.md. Run it after a
change: python deploy/grafana/dashboard.py
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent / "dashboards" / "wordgate.json"
_COLUMNS = 24
_SOURCE = {"type": "prometheus", "uid": "prometheus"}


@dataclass(frozen=True)
class Line:
    """A query, and what its lines are called: text with {{labels}}."""

    query: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """A chart: `unit` is one of Grafana's; `width` counts in 24ths of the page."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    meaning: str = ""
    width: int = 8


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


def _quantiles(metric: str, by: str, legend: str) -> tuple[Line, ...]:
    return tuple(
        Line(
            f"histogram_quantile({share}, sum by ({by}, le) (rate({metric}[$__rate_interval])))",
            f"{legend} p{share * 100:g}",
        )
        for share in (0.5, 0.99)
    )


ROWS = (
    Row(
        "Is anything wrong?",
        (
            Panel(
                "Replicas that answer",
                "short",
                (Line('sum(up{job="wordgate"})', "up"), Line('count(up{job="wordgate"})', "known")),
            ),
            Panel(
                "Calls a second, by outcome",
                "reqps",
                (
                    Line(
                        "sum by (grpc_code) (rate(grpc_server_handled_total"
                        '{grpc_service=~"wordgate[.].+"}[$__rate_interval]))',
                        "{{grpc_code}}",
                    ),
                ),
                "ResourceExhausted: too much to do. Internal: a defect, the log says more.",
            ),
            Panel(
                "Refused a second, by what there was too much of",
                "reqps",
                (
                    Line(
                        "sum by (reason) "
                        "(rate(wordgate_requests_rejected_total[$__rate_interval]))",
                        "{{reason}}",
                    ),
                ),
                "wait: it would have waited too long. quota: a token's own affair.",
            ),
            Panel(
                "Time of a call",
                "s",
                _quantiles(
                    "grpc_server_handling_seconds_bucket"
                    '{grpc_service=~"wordgate[.].+", grpc_type="unary"}',
                    "grpc_method",
                    "{{grpc_method}}",
                ),
                "Calls with one answer; a stream lasts as long as its client wants.",
            ),
            Panel(
                "Time in the queue, 99th percentile",
                "s",
                (
                    Line(
                        "histogram_quantile(0.99, sum by (urgency, le) "
                        "(rate(wordgate_queue_duration_seconds_bucket[$__rate_interval])))",
                        "{{urgency}}",
                    ),
                ),
                "Above --max-queue-delay-seconds (0.025) realtime requests are rejected.",
            ),
            Panel(
                "Rows waiting",
                "short",
                (Line("wordgate_queued_rows", "{{instance}}"),),
                "Above --max-queued-rows (20,000) calls are refused.",
            ),
            Panel(
                "Dropped before it was done, a second",
                "ops",
                (
                    Line(
                        "sum by (reason) (rate(wordgate_jobs_dropped_total[$__rate_interval]))",
                        "{{reason}}",
                    ),
                ),
                "cancelled: superseded keys, and callers that went away. deadline: too late.",
            ),
            Panel(
                "Versions served",
                "short",
                (
                    Line(
                        "count by (model, version, precision) (wordgate_model_info)",
                        "{{model}}@{{version}} {{precision}}",
                    ),
                ),
                "More than one version of a model for long: a rollout that stopped.",
            ),
        ),
    ),
    Row(
        "What is asked",
        (
            Panel(
                "Calls a second, by method",
                "reqps",
                (
                    Line(
                        "sum by (grpc_method) (rate(grpc_server_started_total"
                        '{grpc_service=~"wordgate[.].+"}[$__rate_interval]))',
                        "{{grpc_method}}",
                    ),
                ),
            ),
            Panel("Typing sessions", "short", (Line("wordgate_open_sessions", "{{instance}}"),)),
            Panel(
                "Messages of streams, a second",
                "ops",
                (
                    Line(
                        "sum(rate(grpc_server_msg_received_total"
                        '{grpc_type="bidi_stream"}[$__rate_interval]))',
                        "received",
                    ),
                    Line(
                        "sum(rate(grpc_server_msg_sent_total"
                        '{grpc_type="bidi_stream"}[$__rate_interval]))',
                        "answered",
                    ),
                ),
                "Keys; the difference was superseded by the next key.",
            ),
            Panel(
                "Rows asked of the model, a second",
                "ops",
                (
                    Line(
                        "sum by (kind, urgency)"
                        " (rate(wordgate_model_rows_total[$__rate_interval]))",
                        "{{kind}} {{urgency}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        "The engine",
        (
            Panel(
                "Time of a model call",
                "s",
                _quantiles("wordgate_inference_duration_seconds_bucket", "graph", "{{graph}}"),
            ),
            Panel(
                "Rows in a model call, on the average",
                "short",
                (
                    Line(
                        "sum by (graph) (rate(wordgate_batch_rows_sum[$__rate_interval]))"
                        " / sum by (graph) (rate(wordgate_batch_rows_count[$__rate_interval]))",
                        "{{graph}}",
                    ),
                ),
                "Up to 64; more company makes a row cheaper.",
            ),
            Panel(
                "Share of the time in model calls",
                "percentunit",
                (
                    Line(
                        "sum by (instance) "
                        "(rate(wordgate_inference_duration_seconds_sum[$__rate_interval]))",
                        "{{instance}}",
                    ),
                ),
                "Up to --engine-threads (2) times 100 %.",
            ),
            Panel(
                "Pieces of histories found read before",
                "percentunit",
                (
                    Line(
                        "sum(rate(wordgate_state_cache_hits_total[$__rate_interval]))"
                        " / (sum(rate(wordgate_state_cache_hits_total[$__rate_interval]))"
                        " + sum(rate(wordgate_state_cache_misses_total[$__rate_interval])))",
                        "hits",
                    ),
                ),
            ),
            Panel(
                "State cache",
                "bytes",
                (Line("wordgate_state_cache_bytes", "{{instance}} {{model}}@{{version}}"),),
            ),
            Panel(
                "States that made room, a second",
                "ops",
                (
                    Line(
                        "sum by (model, version)"
                        " (rate(wordgate_state_cache_evictions_total[$__rate_interval]))",
                        "{{model}}@{{version}}",
                    ),
                ),
                "Many, and few hits: --state-cache-bytes is too small.",
            ),
            Panel(
                "A prediction: rows of the output layer",
                "short",
                _quantiles("wordgate_search_expansions_bucket", "job", "rows"),
            ),
            Panel(
                "A prediction: pieces read",
                "short",
                _quantiles("wordgate_predict_tokens_read_bucket", "job", "pieces"),
            ),
        ),
    ),
    Row(
        "How good it is",
        (
            Panel(
                "Typed words that stood among the first three suggestions",
                "percentunit",
                (
                    Line(
                        "wordgate:typed_words_foreseen:ratio_rate1h",
                        "{{model}}@{{version}}",
                    ),
                ),
            ),
            Panel(
                "Surprise of typed words",
                "short",
                (
                    Line(
                        "sum by (model, version) (rate(wordgate_typed_word_surprisal_nats_sum[1h]))"
                        " / sum by (model, version)"
                        " (rate(wordgate_typed_word_surprisal_nats_count[1h]))",
                        "{{model}}@{{version}}",
                    ),
                ),
                "Negative log-probability in nats, on the average; e to it is a perplexity.",
            ),
            Panel(
                "Accepted suggestions a second, by rank",
                "ops",
                (
                    Line(
                        "sum by (rank)"
                        " (rate(wordgate_accepted_suggestions_total[$__rate_interval]))",
                        "{{rank}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        "The process",
        (
            Panel(
                "Processor",
                "percentunit",
                (
                    Line(
                        'rate(process_cpu_seconds_total{job="wordgate"}[$__rate_interval])',
                        "{{instance}}",
                    ),
                ),
            ),
            Panel(
                "Memory",
                "bytes",
                (Line('process_resident_memory_bytes{job="wordgate"}', "{{instance}}"),),
            ),
            Panel(
                "Models put in the place of others, and refused",
                "short",
                (
                    Line("sum(wordgate_model_reloads_total)", "swapped"),
                    Line("sum(wordgate_model_load_failures_total)", "refused"),
                ),
            ),
            Panel(
                "Running for",
                "s",
                (Line('time() - process_start_time_seconds{job="wordgate"}', "{{instance}}"),),
            ),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """The document that Grafana reads."""
    return {
        "uid": "wordgate",
        "title": "Wordgate",
        "tags": ["wordgate"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "timezone": "browser",
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": []},
        "annotations": {"list": []},
        "panels": [{"id": number, **panel} for number, panel in enumerate(_laid_out(), start=1)],
    }


def _laid_out() -> Iterator[dict[str, Any]]:
    """Rows and panels with their places, from the left and downwards."""
    y = 0
    for row in ROWS:
        yield {"type": "row", "title": row.title, "collapsed": False, "gridPos": _at(0, y, 24, 1)}
        x, y = 0, y + 1
        for panel in row.panels:
            if x + panel.width > _COLUMNS:
                x, y = 0, y + 8
            yield _panel(panel, _at(x, y, panel.width, 8))
            x += panel.width
        y += 8


def _at(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.meaning,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"showLegend": True}, "tooltip": {"mode": "multi"}},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": _SOURCE,
                "expr": line.query,
                "legendFormat": line.legend,
            }
            for number, line in enumerate(panel.lines)
        ],
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(dashboard(), indent=1) + "\n", "utf-8")
