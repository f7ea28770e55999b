"""Reports of a comparison of two models: JSON, and a table with the verdict."""

from dataclasses import asdict, dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from wordgate.cli.terminal.labels import label_of
from wordgate.cli.terminal.tables import add_numbers
from wordgate.evaluation.bootstrap import FEWEST, RESAMPLES
from wordgate.evaluation.comparison import Change, Comparison
from wordgate.lm.model_version import ModelVersion

_SAME_UNITS = (
    "Words, characters and bytes are counted in the text, so models with different tokenizers are "
    "comparable by all three. Perplexity per token is not comparable, and left out."
)


@dataclass(frozen=True)
class Compared:
    """A comparison, its two models, and whether its units are `texts` or `messages`."""

    old: ModelVersion
    new: ModelVersion
    comparison: Comparison
    units: str


def comparison_document(compared: Compared) -> dict[str, Any]:
    """Return a comparison as a JSON document. Shares and changes are fractions."""
    found = compared.comparison
    return {
        "old": asdict(compared.old),
        "new": asdict(compared.new),
        "figures": {name: asdict(change) for name, change in found.figures.items()},
        compared.units: found.units,
        "resamples": RESAMPLES,
        "share_better": found.share_better,
        "share_worse": found.share_worse,
        "verdict": found.verdict,
    }


def comparison_table(compared: Compared) -> Table:
    """Return a table of the figures of both models, with the verdict as its caption."""
    caption = _verdict(compared)
    if compared.units == "texts":
        caption += f"\n{_SAME_UNITS}"
    table = Table(caption=escape(caption), caption_justify="left")
    table.add_column("figure", overflow="fold")
    add_numbers(table, f"OLD {compared.old}", f"NEW {compared.new}", "change", "95 % interval")
    for name, change in compared.comparison.figures.items():
        table.add_row(*_row(name, change))
    return table


def _row(name: str, change: Change) -> tuple[str, ...]:
    label, unit = label_of(name)
    if unit == "%":
        low, high = (f"{100 * end:+.2f}" for end in change.interval)
        values = f"{100 * change.old:.2f} %", f"{100 * change.new:.2f} %"
        return label, *values, f"{100 * change.change:+.2f} points", f"{low} to {high}"
    low, high = (f"{end:+.2%}".removesuffix("%") for end in change.interval)
    moved = f"{change.change:+.2%}".replace("%", " %")
    return label, f"{change.old:.4g}", f"{change.new:.4g}", moved, f"{low} to {high} %"


def _verdict(compared: Compared) -> str:
    found = compared.comparison
    shares = (
        f"NEW is better in {found.share_better:.1%} and worse in {found.share_worse:.1%} of "
        f"{RESAMPLES:,} resamples of {found.units:,} {compared.units}"
    )
    if found.units < FEWEST:
        return f"too few {compared.units} to tell: {shares}; compare on at least {FEWEST}"
    return f"{found.verdict}: {shares}"
