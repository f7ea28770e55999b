"""Animated pictures of a terminal."""

from xml.etree import ElementTree

import pytest

pytest.importorskip("pyte")
from drawing.animation import animated
from drawing.recording import Frame, Run

SVG = "{http://www.w3.org/2000/svg}"
PROMPT = (Run(0, "$ a<b ", "", "", False),)
MENU = (Run(2, " word ", "#000000", "#bcbcbc", True),)
FRAMES = [
    Frame((PROMPT, ()), (2, 0), 1.0),
    Frame((PROMPT, MENU), (3, 0), 2.0),
    Frame((PROMPT, ()), (2, 0), 1.0),
]


def test_each_row_is_stored_once() -> None:
    """Three frames of four rows need two definitions, and use them where they are."""
    root = ElementTree.fromstring(animated(FRAMES, 20, 1, "a & b"))
    rows = root.findall(f"{SVG}defs/{SVG}g")
    assert ["".join(row.itertext()) for row in rows] == ["$ a<b", "word"]
    assert len(list(root.iter(f"{SVG}use"))) == 4
    assert root.findtext(f"{SVG}title") == "a & b"


def test_frames_are_shown_for_their_time() -> None:
    """Of four seconds, the second frame begins after one and the third after three."""
    drawn = animated(FRAMES, 20, 1, "")
    assert "film 4.0s step-end infinite" in drawn
    assert "0%{transform:translateY(0px)}" in drawn
    assert "25%{transform:translateY(-38px)}75%{transform:translateY(-76px)}" in drawn


def test_without_motion_one_frame_is_shown() -> None:
    """A viewer who prefers reduced motion sees the chosen frame."""
    _, still = animated(FRAMES, 20, 1, "").split("prefers-reduced-motion: reduce")
    assert "animation: none; transform: translateY(-38px)" in still
