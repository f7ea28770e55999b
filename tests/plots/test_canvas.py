"""Checks of pictures before any work."""

from pathlib import Path

import pytest

from wordgate.errors import InvalidFile, WordgateError
from wordgate.plots import canvas
from wordgate.plots.canvas import check_picture


@pytest.mark.parametrize("name", ["a.png", "b.SVG"])
def test_pictures_are_png_or_svg(name: str) -> None:
    """The ending decides, in any letter case."""
    check_picture(Path(name))


@pytest.mark.parametrize("name", ["a.pdf", "a", "png"])
def test_other_endings_are_rejected(name: str) -> None:
    """The error names the file and both endings."""
    with pytest.raises(InvalidFile, match=rf"^{name}: is neither \.png nor \.svg"):
        check_picture(Path(name))


def test_a_missing_library_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the command that installs it."""
    monkeypatch.setattr(canvas, "find_spec", lambda name: None)
    with pytest.raises(WordgateError, match=r"pip install 'wordgate\[plots\]'"):
        check_picture(Path("a.png"))
