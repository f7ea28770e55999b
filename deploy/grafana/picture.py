#!/usr/bin/env python3
"""Draw the dashboard's charts without Grafana, from the same queries to Prometheus.

python -m deploy.grafana.picture http://127.0.0.1:9090 --seconds 120 --output load.png
"""

import json
import math
import re
import urllib.parse
import urllib.request
from argparse import ArgumentParser
from io import BytesIO
from pathlib import Path
from time import time
from typing import Any

from deploy.grafana.dashboard import ROWS, Panel
from matplotlib.figure import Figure
from PIL import Image

_RATE = "10s"
_COLUMNS = 3
_LABEL = re.compile(r"\{\{(\w+)\}\}")
_LEGEND_LINES = 4
_DPI = 110
_COLOURS = 128
_UNITS = {"s": "seconds", "reqps": "per second", "percentunit": "share", "bytes": "bytes"}


def main() -> None:
    """Draw the first charts of the dashboard to a PNG file."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("prometheus", help="URL of Prometheus")
    parser.add_argument("--seconds", type=int, default=300, help="time range in seconds, up to now")
    parser.add_argument("--charts", type=int, default=9, help="number of charts, from the first")
    parser.add_argument("--output", type=Path, required=True, help="output file, PNG")
    options = parser.parse_args()
    draw_dashboard(options.prometheus, options.seconds, options.output, options.charts)


def draw_dashboard(prometheus: str, seconds: int, output: Path, count: int = 9) -> None:
    """Draw the first `count` charts over the last `seconds` to a PNG file."""
    panels = [panel for row in ROWS for panel in row.panels][:count]
    height = math.ceil(len(panels) / _COLUMNS)
    figure = Figure(figsize=(4.4 * _COLUMNS, 3.0 * height), layout="constrained")
    charts = list(figure.subplots(height, _COLUMNS, squeeze=False).flat)
    for panel, chart in zip(panels, charts, strict=False):
        _draw(panel, chart, prometheus, seconds)
    for chart in charts[len(panels) :]:
        chart.set_axis_off()
    figure.supxlabel("seconds", fontsize=10)
    drawn = BytesIO()
    figure.savefig(drawn, dpi=_DPI)
    with Image.open(drawn) as image:
        few = image.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        few.save(output, optimize=True)


def _draw(panel: Panel, chart: Any, prometheus: str, seconds: int) -> None:
    end = time()
    unit = _UNITS.get(panel.unit, "")
    chart.set_title(panel.title, fontsize=11)
    for line in panel.lines:
        for series in _history(line.query, prometheus, end, seconds):
            values = _every_second(series["values"], end - seconds, seconds)
            if any(value > 0 for value in values):
                chart.plot(values, label=_named(line.legend, series["metric"]), linewidth=1.5)
    chart.set_ylim(bottom=0)
    chart.set_xlim(0, seconds)
    chart.set_ylabel("" if unit in panel.title else unit, fontsize=9)
    chart.tick_params(labelsize=9)
    chart.grid(alpha=0.3)
    if shown := chart.get_legend_handles_labels()[1]:
        columns = 1 + (len(shown) - 1) // _LEGEND_LINES
        chart.legend(fontsize=8, loc="best", ncols=columns, framealpha=0.7)
    else:
        chart.text(0.5, 0.5, "none", ha="center", transform=chart.transAxes, color="grey")
        chart.set_yticks([])


def _every_second(samples: list[Any], begin: float, seconds: int) -> list[float]:
    """Return one value per second; NaN, which leaves a gap, for missing samples."""
    found = {round(at - begin): float(value) for at, value in samples}
    return [found.get(second, math.nan) for second in range(seconds + 1)]


def _named(legend: str, labels: dict[str, str]) -> str:
    return _LABEL.sub(lambda found: labels.get(found[1], ""), legend)


def _history(query: str, prometheus: str, end: float, seconds: int) -> list[Any]:
    parameters = {
        "query": query.replace("$__rate_interval", _RATE),
        "start": end - seconds,
        "end": end,
        "step": 1,
    }
    url = f"{prometheus}/api/v1/query_range?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        found: list[Any] = json.load(answer)["data"]["result"]
    return found


if __name__ == "__main__":
    main()
