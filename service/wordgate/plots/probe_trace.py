"""The output of a probe, and the values of the best units, over the words of a text."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from wordgate.plots.canvas import new_figure, plain, save

_MIN_WIDTH, _MAX_WIDTH = 6.0, 60.0
_INCHES_PER_WORD = 0.42
_MAX_UNITS = 3


def draw_trace(
    words: Sequence[str],
    outputs: Mapping[str, Sequence[float]],
    units: Mapping[str, Sequence[float]],
    path: Path,
    title: str = "",
) -> None:
    """Draw the outputs by label above the cell values of up to three units; write PNG or SVG.

    Each value is that after the word below it.
    """
    count = len(words)
    width = min(_MAX_WIDTH, max(_MIN_WIDTH, 2.5 + _INCHES_PER_WORD * count))
    figure = new_figure(width, 5.4)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for label, values in outputs.items():
        upper.plot(range(count), values, marker="o", markersize=3, label=plain(label))
    for unit, values in list(units.items())[:_MAX_UNITS]:
        lower.plot(range(count), values, marker="o", markersize=3, label=unit)
    upper.set(ylabel="probe", title=plain(title))
    lower.set(ylabel="cell state")
    lower.set_xticks(range(count), [plain(word) for word in words], rotation=60, ha="right")
    lower.tick_params(axis="x", rotation_mode="xtick")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    save(figure, path)
