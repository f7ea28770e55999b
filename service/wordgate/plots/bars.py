"""Accuracies by group as bars, with those of other systems as marks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wordgate.plots.canvas import new_figure, plain, save

_MARKERS = "vosDP^X*"
_WIDTH, _HEIGHT, _HEIGHT_PER_BAR = 9.0, 1.6, 0.34


@dataclass(frozen=True)
class BarChart:
    """Accuracies from 0 to 1 by group, and by name of another system; None leaves out a mark.

    `source`: the source of the marks, printed below the chart.
    """

    groups: Sequence[str]
    name: str
    values: Sequence[float]
    marks: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    source: str = ""


def draw_bars(chart: BarChart, path: Path, title: str = "") -> None:
    """Draw a horizontal bar chart in per cent with a line at chance, 50 %; write PNG or SVG."""
    figure = new_figure(_WIDTH, _HEIGHT + _HEIGHT_PER_BAR * len(chart.groups))
    axes = figure.subplots()
    places = list(range(len(chart.groups)))
    values = [100 * value for value in chart.values]
    axes.barh(places, values, color="#8fb0d9", label=plain(chart.name), zorder=2)
    for number, (name, marks) in enumerate(chart.marks.items()):
        found = [(100 * mark, place) for place, mark in enumerate(marks) if mark is not None]
        if found:
            axes.scatter(
                *zip(*found, strict=True),
                marker=_MARKERS[number % len(_MARKERS)],
                color=f"C{number + 1}",
                label=plain(name),
                zorder=3,
            )
    axes.axvline(50, color="black", linewidth=0.8, linestyle=":", label="chance", zorder=2.5)
    axes.set_yticks(places, [plain(group) for group in chart.groups])
    axes.invert_yaxis()
    label = "good sentence more likely (%)"
    if chart.source:
        label += f"\n{plain(chart.source)}"
    axes.set(xlim=(0, 100), xlabel=label, title=plain(title))
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=len(chart.marks) + 2)
    save(figure, path)
