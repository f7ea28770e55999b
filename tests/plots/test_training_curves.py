"""Curves of a training run."""

import re
from pathlib import Path
from typing import Any

import pytest

from wordgate.plots.training_curves import draw_curves

pytest.importorskip("matplotlib")


def _records(perplexities: list[float]) -> list[dict[str, Any]]:
    """Return an evaluation of each step."""
    return [
        {"kind": "held_out", "step": number, "token_perplexity": value}
        for number, value in enumerate(perplexities, 1)
    ] + [{"kind": "train", "step": 1, "perplexity": perplexities[-1], "learning_rate": 0.01}]


def _marks(records: list[dict[str, Any]], path: Path) -> int:
    """Return the number of markers of the held-out curve, whose colour is the second."""
    draw_curves(records, path)
    curve = r'<use [^>]*style="fill: #ff7f0e'
    return max(0, len(re.findall(curve, path.read_text("utf-8"))) - 1)  # one in the legend


def _ticks(path: Path) -> list[float]:
    """Return the numbers on the perplexity axis, which exceed those of the steps."""
    texts = re.findall(r"<text[^>]*>([\d,.]+)</text>", path.read_text("utf-8"))
    return [float(text.replace(",", "")) for text in texts]


def test_few_points_have_markers(tmp_path: Path) -> None:
    """A single evaluation is visible; more than 30 points are a line."""
    assert _marks(_records([50.0]), tmp_path / "a.svg") == 1
    assert _marks(_records([50.0] * 30), tmp_path / "a.svg") == 30
    assert _marks(_records([50.0] * 31), tmp_path / "a.svg") == 0


def test_a_first_evaluation_that_dwarfs_the_rest_does_not_set_the_scale(tmp_path: Path) -> None:
    """The axis begins with the second evaluation; without such a first one, with the first."""
    cut, whole = tmp_path / "cut.svg", tmp_path / "whole.svg"
    draw_curves(_records([5000.0, 40.0, 30.0, 25.0]), cut)
    draw_curves(_records([50.0, 40.0, 30.0, 25.0]), whole)
    assert (max(_ticks(cut)), max(_ticks(whole))) == (40.0, 50.0)


def test_a_run_without_records_is_drawn_empty(tmp_path: Path) -> None:
    """A run that ends before its first record has a picture, too."""
    draw_curves([], tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
