"""The error rate of rescoring against the weight of the language model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from wordgate.plots.canvas import new_figure, save


def draw_tuning_curve(
    curve: Sequence[tuple[float, float]],
    tuned: tuple[float, float],
    flat: Sequence[float],
    references: Mapping[str, float],
    path: Path,
    title: str = "",
    ylabel: str = "error rate (%)",
) -> None:
    """Draw the curve through pairs of weight and error rate; write PNG or SVG.

    `tuned` is the pair of the tuned weight; `flat` bounds the weights that do as well;
    `references` are other error rates, drawn as lines. Rates are fractions, drawn in per cent.
    """
    figure = new_figure(8, 5)
    axes = figure.subplots()
    if flat:
        label = f"as good: {flat[0]:.3g} to {flat[1]:.3g}"
        axes.axvspan(*flat, color="#4a6fa5", alpha=0.15, linewidth=0, label=label)
    axes.plot(
        [weight for weight, _ in curve],
        [100 * rate for _, rate in curve],
        color="#4a6fa5",
        label="tuned and measured on the same, other weights as tuned",
    )
    axes.plot(tuned[0], 100 * tuned[1], "o", color="#4a6fa5", label=f"tuned weight: {tuned[0]:.3g}")
    for number, (name, rate) in enumerate(references.items(), 1):
        label = f"{name}: {100 * rate:.2f}"
        axes.axhline(100 * rate, color=f"C{number}", linestyle="--", linewidth=1.2, label=label)
    axes.set(xlabel="lm_weight", ylabel=ylabel, title=title, xlim=(0, curve[-1][0]))
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    save(figure, path)
