"""Perplexities and learning rate of a training run, by step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wordgate.plots.canvas import new_figure, plain_log_ticks, save

_CURVES = (
    ("train", "perplexity", "training, per token"),
    ("held_out", "token_perplexity", "held out, per token"),
    ("held_out", "word_perplexity", "held out, per word"),
    ("held_out", "first_words_perplexity", "held out, per word, first five words of a text"),
)
_FEW_POINTS = 30
"""Curves of at most this many points get markers, so that a single point is visible."""

_DWARFING = 1.5
"""A first evaluation above this multiple of the second is ignored when scaling."""

_MARGIN = 1.08

Points = list[tuple[int, float]]


def draw_curves(records: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Plot the records of a run's metrics log; write PNG or SVG.

    The perplexity axis begins with the second evaluation if the first dwarfs the rest; the curves
    before it may leave the picture at the top.
    """
    figure = new_figure(9, 6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    curves = {label: _points(records, kind, name) for kind, name, label in _CURVES}
    for number, (label, points) in enumerate(curves.items()):
        if points:
            marker = "o" if len(points) <= _FEW_POINTS else ""
            style = {"marker": marker, "markersize": 3.5, "linewidth": 1.2, "color": f"C{number}"}
            upper.plot(*zip(*points, strict=True), label=label, **style)
    rates = [(r["step"], r["learning_rate"]) for r in records if "learning_rate" in r]
    if rates:
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
        lower.plot(*zip(*rates, strict=True), color="grey")
    upper.set(yscale="log", ylabel="perplexity")
    lower.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    _scale(upper, list(curves.values()), _points(records, "held_out", "token_perplexity"))
    upper.grid(alpha=0.3, which="both")
    save(figure, path)


def _points(records: Sequence[Mapping[str, Any]], kind: str, name: str) -> Points:
    return [(r["step"], r[name]) for r in records if r["kind"] == kind and name in r]


def _scale(axes: Any, curves: Sequence[Points], evaluations: Points) -> None:
    """Set the limits and ticks of the perplexity axis."""
    begin = 0
    if len(evaluations) > 2 and evaluations[0][1] > _DWARFING * evaluations[1][1]:
        begin = evaluations[1][0]
    shown = [value for points in curves for step, value in points if step >= begin]
    if begin and shown:
        axes.set_ylim(min(shown) / _MARGIN, max(shown) * _MARGIN)
    if shown:
        plain_log_ticks(axes, max(shown) / min(shown))
