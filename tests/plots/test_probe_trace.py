"""Pictures of a probe over a text."""

import re
from pathlib import Path

import pytest

from wordgate.plots.probe_trace import draw_trace

pytest.importorskip("matplotlib")


def test_words_labels_and_units_are_named(tmp_path: Path) -> None:
    """Words stand below, labels and the first three units beside the lines."""
    units = {f"layer 1, unit {n}": [0.0, 0.5] for n in range(5)}
    draw_trace(["the", "$k$"], {"singular": [1.0, 0.0]}, units, tmp_path / "a.svg", "number")
    drawn = (tmp_path / "a.svg").read_text("utf-8")
    texts = set(re.findall(r"<text[^>]*>([^<]*)</text>", drawn))
    assert {"the", "$k$", "singular", "layer 1, unit 2", "number"} <= texts
    assert "layer 1, unit 3" not in texts
