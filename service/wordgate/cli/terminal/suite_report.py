"""Reports of a suite of minimal pairs: a table, and a bar chart."""

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from wordgate.cli.terminal.tables import add_numbers
from wordgate.evaluation.minimal_pairs import PairsResult
from wordgate.evaluation.suites.suite import SUITES
from wordgate.plots.bars import BarChart, draw_bars

THIS_MODEL = "this model"


def suite_table(name: str, result: PairsResult) -> Table:
    """Return the accuracies in per cent, by the suite's groups, next to the figures to compare."""
    suite = SUITES[name]
    rows = suite.rows(result)
    table = Table(title="good sentence more likely, %", title_justify="left")
    table.add_column(suite.label.replace("_", " "), overflow="fold")
    add_numbers(table, "pairs", THIS_MODEL, *rows[0].others)
    for row in rows:
        numbers = [_percentage(value) for value in (row.accuracy, *row.others.values())]
        table.add_row(escape(row.name), f"{row.pairs:,}", *numbers)
    if suite.source:
        table.caption = f"published: {suite.source}"
    return table


def draw_suite(name: str, result: PairsResult, path: Path) -> None:
    """Draw the table as a bar chart; write PNG or SVG."""
    suite = SUITES[name]
    rows = suite.rows(result)
    marks = {column: [row.others[column] for row in rows] for column in rows[0].others}
    chart = BarChart(
        [row.name for row in rows],
        THIS_MODEL,
        [row.accuracy for row in rows],
        marks,
        f"published: {suite.source}" if suite.source else "",
    )
    draw_bars(chart, path, f"{name}: {result.pairs:,} pairs")


def _percentage(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
