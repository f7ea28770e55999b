"""Draw accuracies and gradient norms against distance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from clue_language import DISTANCES, MAX_DISTANCE, TASKS

COLOURS = {"rnn": "#c0504d", "gru": "#4f8f4f", "lstm": "#2f5f9f"}
CHANCE = {"agreement": 1 / 2, "recall": 1 / 8}
GRADIENT_DISTANCES = range(1, MAX_DISTANCE + 1, 3)
STATES = {"initial": "before", "trained": "after"}


def draw(runs: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw a row for each task: accuracy, and gradient norms before and after training.

    The dotted line is chance. Dashed lines are the cells of an LSTM, solid ones hidden values.
    Lines are means over the seeds (geometric for gradients), areas are their ranges.
    """
    with mpl.rc_context({"svg.hashsalt": "memory", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(9, 5), layout="constrained")
        FigureCanvasSVG(figure)
        rows = figure.subplots(len(TASKS), 3, sharex="col")
        for (accuracy, initial, trained), task in zip(rows, TASKS, strict=True):
            _draw_accuracy(accuracy, runs, task)
            for axes, state in ((initial, "initial"), (trained, "trained")):
                _draw_gradients(axes, runs, task, state)
            initial.sharey(trained)
        rows[0][0].legend(frameon=False)
        for axes in rows[-1]:
            axes.set(xlabel="distance, tokens")
        figure.savefig(path, format="svg", metadata={"Date": None})


def _draw_accuracy(axes: Axes, runs: Sequence[dict[str, Any]], task: str) -> None:
    for cell, colour in COLOURS.items():
        found = [
            [run["accuracy"][task][str(distance)] for distance in DISTANCES]
            for run in runs
            if run["cell"] == cell
        ]
        if found:
            _line(axes, DISTANCES, np.array(found), colour, label=cell)
    axes.axhline(CHANCE[task], color="grey", linewidth=0.7, linestyle=":")
    axes.set(title=f"{task}: accuracy", ylim=(-0.02, 1.05), xscale="log")
    axes.set_xticks(DISTANCES, [str(distance) for distance in DISTANCES], minor=False)
    axes.minorticks_off()


def _draw_gradients(axes: Axes, runs: Sequence[dict[str, Any]], task: str, state: str) -> None:
    for cell, colour in COLOURS.items():
        for part, style in (("hidden", "-"), ("cells", "--")):
            found = [
                [run["gradient_norms"][state][task][part][d - 1] for d in GRADIENT_DISTANCES]
                for run in runs
                if run["cell"] == cell and part in run["gradient_norms"][state][task]
            ]
            if found:
                _line(axes, GRADIENT_DISTANCES, np.log10(found), colour, linestyle=style)
    axes.set(title=f"{task}: gradient {STATES[state]} training", ylabel="log10 of the norm")
    axes.grid(alpha=0.3)


def _line(axes: Axes, distances: Sequence[int], values: Any, colour: str, **style: Any) -> None:
    """Draw mean and range over the rows of `values` [seeds, distances]."""
    axes.plot(distances, values.mean(0), color=colour, linewidth=1.2, **style)
    if len(values) > 1:
        axes.fill_between(
            distances, values.min(0), values.max(0), color=colour, alpha=0.15, linewidth=0
        )
