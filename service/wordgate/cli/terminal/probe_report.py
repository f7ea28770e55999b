"""Reports of a probe: JSON, a table, and a picture."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from wordgate.cli.terminal.tables import add_numbers
from wordgate.evaluation.probes.probe import ProbeReport
from wordgate.plots.probe_trace import draw_trace


def probe_document(report: ProbeReport) -> dict[str, Any]:
    """Return a report as a JSON document."""
    return {**asdict(report), "selectivity": report.selectivity}


def probe_table(report: ProbeReport) -> Table:
    """Return a table of the held-out scores of the probe and of the best units."""
    caption = f"{report.model}: {report.examples:,} words in {report.groups:,} groups"
    table = Table(title=escape(f"probe: {report.name}"), title_justify="left", caption=caption)
    table.add_column(f"held-out {report.measure}")
    add_numbers(table, "property", "control")
    if report.measure == "accuracy":
        table.add_row("most frequent label", _shown(report.baseline), "")
    table.add_row("linear probe", _shown(report.score), _shown(report.control))
    for number, unit in enumerate(report.best_units):
        control = "" if number else _shown(report.control_best_unit)
        table.add_row(f"layer {unit.layer}, unit {unit.unit}", _shown(unit.score), control)
    return table


def draw_probe(report: ProbeReport, path: Path) -> None:
    """Draw the trace; write PNG or SVG."""
    title = f"{report.name}: held-out {report.measure} {report.score:.2f}"
    if report.control is not None:
        title += f", control {report.control:.2f} ({report.model})"
    draw_trace(report.trace.words, report.trace.outputs, report.trace.units, path, title)


def _shown(score: float | None) -> str:
    return "" if score is None else f"{score:.3f}"
