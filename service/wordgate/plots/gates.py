"""The gates of every layer over the words of a text, as a heat map with the surprisal above."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wordgate.plots.canvas import new_figure, plain, save

_MIN_WIDTH, _MAX_WIDTH = 6.0, 60.0
_INCHES_PER_WORD = 0.32
_INCHES_PER_ROW = 0.32


@dataclass(frozen=True)
class GateMap:
    """Words with their surprisals in bits, and the mean of each gate over a word's tokens.

    `rows` are names such as `layer 2, forget`; `values` [rows][words] are 0 (shut) to 1 (open).
    """

    words: Sequence[str]
    surprisals: Sequence[float]
    rows: Sequence[str]
    values: Sequence[Sequence[float]]


def draw_gates(gates: GateMap, path: Path, title: str = "") -> None:
    """Draw bars of surprisal over a heat map of gates; write PNG or SVG."""
    count = len(gates.words)
    width = min(_MAX_WIDTH, max(_MIN_WIDTH, 2.0 + _INCHES_PER_WORD * count))
    figure = new_figure(width, 3.4 + _INCHES_PER_ROW * len(gates.rows))
    heights = [1.6, _INCHES_PER_ROW * len(gates.rows)]
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    upper.bar(range(count), gates.surprisals, color="#4a6fa5")
    upper.set(ylabel="surprisal (bits)", title=plain(title))
    upper.grid(axis="y", alpha=0.3)
    for side in ("top", "right"):
        upper.spines[side].set_visible(False)
    image = lower.imshow(gates.values, aspect="auto", cmap="viridis", vmin=0.0, vmax=1.0)
    lower.set_yticks(range(len(gates.rows)), gates.rows)
    lower.set_xticks(range(count), [plain(word) for word in gates.words], rotation=60, ha="right")
    lower.tick_params(axis="x", rotation_mode="xtick")
    figure.colorbar(image, ax=lower, label="gate: 0 shut, 1 open", pad=0.01, aspect=12)
    save(figure, path)
