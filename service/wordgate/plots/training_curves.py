"""Perplexities and learning rate of a training run, by step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wordgate.plots.canvas import new_figure, save

_CURVES = (
    ("train", "perplexity", "training, per token"),
    ("held_out", "token_perplexity", "held out, per token"),
    ("held_out", "word_perplexity", "held out, per word"),
    ("held_out", "first_words_perplexity", "held out, per word, first five words of a text"),
)


def draw_curves(records: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Plot the records of a run's metrics log."""
    figure = new_figure(9, 6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for kind, name, label in _CURVES:
        points = [(r["step"], r[name]) for r in records if r["kind"] == kind and name in r]
        if points:
            upper.plot(*zip(*points, strict=True), label=label, linewidth=1.2)
    rates = [(r["step"], r["learning_rate"]) for r in records if "learning_rate" in r]
    if rates:
        upper.legend()
        lower.plot(*zip(*rates, strict=True), color="grey")
    upper.set(yscale="log", ylabel="perplexity")
    lower.set(xlabel="step", ylabel="learning rate")
    upper.grid(alpha=0.3, which="both")
    save(figure, path)
