#!/usr/bin/env python3
"""Generate the Grafana dashboard dashboards/wordgate.json from the panels below.

The metrics are documented in docs/serving.md. Run after every change:
python deploy/grafana/dashboard.py
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
    """A query and the legend of its series, a template with {{labels}}."""

    query: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """A chart. `unit` is a Grafana unit; `width` is in 24ths of the page."""

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
                "Replicas up",
                "short",
                (Line('sum(up{job="wordgate"})', "up"), Line('count(up{job="wordgate"})', "known")),
            ),
            Panel(
                "Calls per second, by status code",
                "reqps",
                (
                    Line(
                        "sum by (grpc_code) (rate(grpc_server_handled_total"
                        '{grpc_service=~"wordgate[.].+"}[$__rate_interval]))',
                        "{{grpc_code}}",
                    ),
                ),
                "ResourceExhausted: rejected, overloaded. Internal: a bug; see the server's log.",
            ),
            Panel(
                "Rejected requests per second, by reason",
                "reqps",
                (
                    Line(
                        "sum by (reason) "
                        "(rate(wordgate_requests_rejected_total[$__rate_interval]))",
                        "{{reason}}",
                    ),
                ),
                "wait: estimated queueing delay too long. quota: a token exceeded its quota.",
            ),
            Panel(
                "Call duration",
                "s",
                _quantiles(
                    "grpc_server_handling_seconds_bucket"
                    '{grpc_service=~"wordgate[.].+", grpc_type="unary"}',
                    "grpc_method",
                    "{{grpc_method}}",
                ),
                "Unary calls only; the client decides how long a stream lasts.",
            ),
            Panel(
                "Queueing delay, 99th percentile",
                "s",
                (
                    Line(
                        "histogram_quantile(0.99, sum by (priority, le) "
                        "(rate(wordgate_queue_duration_seconds_bucket[$__rate_interval])))",
                        "{{priority}}",
                    ),
                ),
                "Scores are rejected above --max-queue-delay-seconds (0.025), predictions above "
                "--max-predict-queue-delay-seconds (0.1).",
            ),
            Panel(
                "Queued rows",
                "short",
                (Line("wordgate_queued_rows", "{{instance}}"),),
                "Requests are rejected above --max-queued-rows (20,000).",
            ),
            Panel(
                "Dropped requests per second, by reason",
                "ops",
                (
                    Line(
                        "sum by (reason) (rate(wordgate_jobs_dropped_total[$__rate_interval]))",
                        "{{reason}}",
                    ),
                ),
                "cancelled: superseded keys and disconnected clients. deadline: deadline exceeded.",
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
                "More than one version of a model for a long time means an incomplete rollout.",
            ),
        ),
    ),
    Row(
        "Traffic",
        (
            Panel(
                "Calls per second, by method",
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
                "Stream messages per second",
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
                        "sent",
                    ),
                ),
                "One message per key; the difference is keys superseded by the next key.",
            ),
            Panel(
                "Model rows per second",
                "ops",
                (
                    Line(
                        "sum by (kind, priority)"
                        " (rate(wordgate_model_rows_total[$__rate_interval]))",
                        "{{kind}} {{priority}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        "Engine",
        (
            Panel(
                "Inference duration",
                "s",
                _quantiles("wordgate_inference_duration_seconds_bucket", "graph", "{{graph}}"),
            ),
            Panel(
                "Mean batch size, in rows",
                "short",
                (
                    Line(
                        "sum by (graph) (rate(wordgate_batch_rows_sum[$__rate_interval]))"
                        " / sum by (graph) (rate(wordgate_batch_rows_count[$__rate_interval]))",
                        "{{graph}}",
                    ),
                ),
                "Maximum 64; rows are cheaper in larger batches.",
            ),
            Panel(
                "Inference utilisation",
                "percentunit",
                (
                    Line(
                        "sum by (instance) "
                        "(rate(wordgate_inference_duration_seconds_sum[$__rate_interval]))",
                        "{{instance}}",
                    ),
                ),
                "Maximum: --engine-threads (2) times 100 %.",
            ),
            Panel(
                "State cache hit rate, in tokens of histories",
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
                "State cache size",
                "bytes",
                (Line("wordgate_state_cache_bytes", "{{instance}} {{model}}@{{version}}"),),
            ),
            Panel(
                "Evicted states per second",
                "ops",
                (
                    Line(
                        "sum by (model, version)"
                        " (rate(wordgate_state_cache_evictions_total[$__rate_interval]))",
                        "{{model}}@{{version}}",
                    ),
                ),
                "Many evictions and few hits: raise --state-cache-bytes.",
            ),
            Panel(
                "Output rows per prediction",
                "short",
                _quantiles("wordgate_search_expansions_bucket", "job", "rows"),
            ),
            Panel(
                "Tokens read per prediction",
                "short",
                _quantiles("wordgate_predict_tokens_read_bucket", "job", "tokens"),
            ),
        ),
    ),
    Row(
        "Prediction quality",
        (
            Panel(
                "Typed words among the first three suggestions",
                "percentunit",
                (
                    Line(
                        "wordgate:typed_words_foreseen:ratio_rate1h",
                        "{{model}}@{{version}}",
                    ),
                ),
            ),
            Panel(
                "Surprisal of typed words",
                "short",
                (
                    Line(
                        "sum by (model, version) (rate(wordgate_typed_word_surprisal_nats_sum[1h]))"
                        " / sum by (model, version)"
                        " (rate(wordgate_typed_word_surprisal_nats_count[1h]))",
                        "{{model}}@{{version}}",
                    ),
                ),
                "Mean negative log-probability in nats; its exponential is the perplexity.",
            ),
            Panel(
                "Accepted suggestions per second, by rank",
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
        "Process",
        (
            Panel(
                "CPU",
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
                "Model reloads and load failures",
                "short",
                (
                    Line("sum(wordgate_model_reloads_total)", "reloaded"),
                    Line("sum(wordgate_model_load_failures_total)", "failed"),
                ),
            ),
            Panel(
                "Uptime",
                "s",
                (Line('time() - process_start_time_seconds{job="wordgate"}', "{{instance}}"),),
            ),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as a Grafana JSON document."""
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
    """Yield rows and panels with their grid positions, left to right and top to bottom."""
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
