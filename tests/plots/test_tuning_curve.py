"""The error rate by LM weight."""

import re
from pathlib import Path

import pytest

from wordgate.plots.tuning_curve import draw_tuning_curve

pytest.importorskip("matplotlib")
CURVE = [(0.0, 0.3), (1.0, 0.25), (2.0, 0.27)]


def test_a_curve_names_weight_and_rates(tmp_path: Path) -> None:
    """An SVG has the tuned weight, the range that is as good, and other rates, in per cent."""
    path = tmp_path / "a.svg"
    draw_tuning_curve(CURVE, (1.0, 0.25), [0.8, 1.2], {"oracle": 0.2}, path, "60 utterances")
    texts = set(re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text("utf-8")))
    assert {"tuned weight: 1", "as good: 0.8 to 1.2", "oracle: 20.00", "60 utterances"} <= texts
    assert {"lm_weight", "error rate (%)"} <= texts


def test_a_fixed_weight_has_no_range(tmp_path: Path) -> None:
    """Without a range, as for the only score, the curve is drawn alone."""
    path = tmp_path / "a.svg"
    draw_tuning_curve(CURVE, (1.0, 0.25), [], {}, path)
    assert "as good" not in path.read_text("utf-8")
