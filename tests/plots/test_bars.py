"""Bar charts of accuracies."""

import re
from pathlib import Path

import pytest

from wordgate.plots.bars import BarChart, draw_bars

pytest.importorskip("matplotlib")
CHART = BarChart(
    ["binding", "a $b$ c"],
    "this model",
    [0.5, 1.0],
    {"LSTM": [0.735, None], "none": [None, None]},
    "published: elsewhere",
)


def test_a_chart_names_its_groups_and_systems(tmp_path: Path) -> None:
    """An SVG has the groups, the systems with a mark, and the title as text."""
    draw_bars(CHART, tmp_path / "a.svg", "two $ groups")
    texts = set(re.findall(r"<text[^>]*>([^<]*)</text>", (tmp_path / "a.svg").read_text("utf-8")))
    assert {
        "binding",
        "a $b$ c",
        "this model",
        "LSTM",
        "chance",
        "two $ groups",
        "published: elsewhere",
    } <= texts
    assert "none" not in texts


def test_the_ending_chooses_the_format(tmp_path: Path) -> None:
    """A name in .png gives a PNG, and no draft is left."""
    draw_bars(CHART, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
