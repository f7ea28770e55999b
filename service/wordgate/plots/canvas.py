"""Open a matplotlib figure, and save it as PNG or SVG. Needs the extra `plots`."""

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from wordgate.errors import InvalidFile, WordgateError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")
_DPI = 110
_FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "Microsoft YaHei",
    "Noto Emoji",
)
"""Fonts for Latin, Chinese and emoji, used where they are installed."""


def check_picture(path: Path) -> None:
    """Check that a picture can be drawn, before any work.

    Raises `InvalidFile` unless the name ends in .png or .svg, and `WordgateError` without
    matplotlib.
    """
    if path.suffix.lower() not in FORMATS:
        raise InvalidFile(path, "is neither .png nor .svg; choose one of these endings")
    if find_spec("matplotlib") is None:
        problem = "pictures require matplotlib, which is not installed"
        raise WordgateError(f"{problem}: pip install 'wordgate[plots]'")


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of this size in inches."""
    import matplotlib as mpl
    from matplotlib import font_manager
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    installed = set(font_manager.get_font_names())
    mpl.rcParams["font.family"] = [name for name in _FONTS if name in installed]
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: small, and any font may show it
    mpl.rcParams["svg.hashsalt"] = "wordgate"  # the same data give the same bytes
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plain_log_ticks(axes: "Axes", spread: float) -> None:
    """Write the ticks of a logarithmic y axis as plain numbers: 60, not 6 × 10¹.

    `spread` is the greatest value over the least; the smaller, the closer the ticks.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator

    multiples = (1, 2, 5) if spread > 30 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    axes.yaxis.set_major_locator(LogLocator(subs=multiples))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_minor_locator(LogLocator(subs=()))


def save(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG or SVG, by the ending of the name. Replaces a file in one step."""
    kind = path.suffix.lower().removeprefix(".")
    draft = path.with_name(f"unfinished-{path.name}")
    metadata = {"Date": None} if kind == "svg" else {}
    with warnings.catch_warnings():
        # Characters without a glyph are drawn as boxes; a warning for each would not help.
        warnings.filterwarnings("ignore", message="Glyph ")
        figure.savefig(draft, dpi=_DPI, format=kind, metadata=metadata)
    draft.replace(path)


def plain(text: str) -> str:
    """Escape dollar signs, which would begin a formula."""
    return text.replace("$", r"\$")
