"""Terminal tables: labels, units and untruncated numbers."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from wordgate.cli.terminal.tables import add_numbers, figures_table, print_table


def _shown(table: Table, width: int = 80) -> str:
    out = StringIO()
    print_table(table, Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize("width", [20, 40, 80])
def test_numbers_are_never_cut(width: int) -> None:
    """Text wraps; a table exceeds the terminal's width rather than truncate numbers."""
    table = Table("candidate")
    add_numbers(table, "log-probability", "posterior")
    table.add_row("a text of several words that has to be wrapped", "-123456.7890", "100.00%")
    shown = _shown(table, width)
    assert "-123456.7890" in shown
    assert "100.00%" in shown
    assert "…" not in shown


@pytest.mark.parametrize(
    ("figures", "row"),
    [
        ({"predict_p99_ms": 8.313}, ["prediction, 99th percentile", "8.313", "ms"]),
        ({"top1": 0.14402}, ["next word was the first suggestion", "14.40", "%"]),
        ({"top1": 19}, ["next word was the first suggestion", "19", ""]),
        ({"server_candidates_per_second": 1107.4}, ["through a server", "1,107", "candidates/s"]),
        ({"chat.top1": 0.5}, ["chat: next word was the first suggestion", "50.00", "%"]),
        ({"questions.top1": 19.0}, ["questions: next word was the first suggestion", "19", ""]),
        ({"blimp.accuracy": 0.5, "blimp.binding": 0.25}, ["blimp: binding", "25.00", "%"]),
        ({"stopped_early": False}, ["stopped early", "no", ""]),
        ({"rows_per_second": {"step": {"1": 712.4}}}, ["1 row", "712.4", "rows/s"]),
        ({"recall": {"top3": [0.5, 0.6, 0.7, 0.8]}}, ["after 2 letters", "70.00", "%"]),
        ({"resident_megabytes": [194, 195]}, ["resident memory of the server", "194, 195", "MB"]),
    ],
)
def test_figures_have_labels_and_units(figures: dict[str, Any], row: list[str]) -> None:
    """Shares are percentages, speeds have units, and JSON names are not shown."""
    lines = [line.split("│") for line in _shown(figures_table(figures), 120).splitlines()]
    assert row in [[cell.strip() for cell in cells[1:-1]] for cells in lines]
