"""Terminal tables: text wraps in narrow terminals, numbers are never truncated."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from wordgate.cli.terminal.labels import HEADINGS, label_of

Row = tuple[str, str, str]
"""A label, a value and its unit."""


def add_numbers(table: Table, *headings: str) -> None:
    """Add right-aligned columns for numbers."""
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)


def print_table(table: Table, console: Console | None = None) -> None:
    """Print a table; make it wider than the terminal if its numbers do not fit."""
    console = console or Console()
    needed = Measurement.get(console, console.options.update(max_width=10_000), table).minimum
    console.width = max(console.width, needed)
    console.print(table)


def figures_table(figures: Mapping[str, Any], title: str | None = None) -> Table:
    """Return a table of labels, values and units; nested mappings are indented."""
    table = Table("figure", title=title, title_justify="left")
    add_numbers(table, "value")
    table.add_column("unit", no_wrap=True)
    for row in _rows(figures):
        table.add_row(*map(escape, row))
    return table


def _rows(figures: Mapping[str, Any], depth: int = 0, unit: str = "") -> Iterator[Row]:
    indent = "  " * depth
    accuracies = {name.rpartition(".")[0] for name in figures if name.endswith(".accuracy")}
    for name, value in figures.items():
        is_share = name.rpartition(".")[0] in accuracies
        label, own_unit = label_of(name, "%" if is_share else unit)
        if isinstance(value, Mapping):
            if value:
                yield f"{indent}{label}", "", ""
                yield from _rows(value, depth + 1, own_unit)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield from _rows_of_list(name, f"{indent}{label}", value, own_unit)
        else:
            yield f"{indent}{label}", *_shown(value, own_unit)


def _rows_of_list(name: str, label: str, values: Sequence[Any], unit: str) -> Iterator[Row]:
    """Yield one row per value if the values are texts or have headings, else a single row."""
    if any(isinstance(value, str) for value in values):
        yield from ((f"{label}: {value}", "", "") for value in values)
        return
    headings = HEADINGS.get(name)
    if headings is None:
        yield label, ", ".join(_shown(value, unit)[0] for value in values), unit
        return
    yield label, "", ""
    for heading, value in zip(headings, values, strict=True):
        yield f"  {label[: -len(label.lstrip())]}{heading}", *_shown(value, unit)


def _shown(value: Any, unit: str) -> tuple[str, str]:
    """Format a value and its unit. Fractions with the unit % are shown as percentages."""
    if isinstance(value, bool):
        return ("yes" if value else "no"), ""
    if unit == "%":
        return (
            (f"{value:.2%}".removesuffix("%"), "%")
            if isinstance(value, float)
            else (f"{value:,}", "")
        )
    if isinstance(value, float):
        return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"), unit
    return (f"{value:,}" if isinstance(value, int) else str(value)), unit
