"""The pictures in docs/pictures."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from wordgate.bundle.bundled_model import bundled_model_path

ROOT = Path(__file__).parents[1]
PICTURES = sorted((ROOT / "docs" / "pictures").iterdir())
DRAWINGS = [picture for picture in PICTURES if picture.suffix == ".svg"]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
SVG = "{http://www.w3.org/2000/svg}"


def test_all_pictures_together_are_small() -> None:
    """They have less than a megabyte."""
    assert sum(picture.stat().st_size for picture in PICTURES) < 1_000_000


def test_every_picture_is_shown_on_a_page() -> None:
    """No picture is left over."""
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert [picture.name for picture in PICTURES if f"pictures/{picture.name})" not in text] == []


def test_pictures_are_of_the_present_page_and_model() -> None:
    """After a change of the playground or of the bundled model, scripts/pictures is run again."""
    command = [sys.executable, str(ROOT / "scripts" / "pictures"), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda drawing: drawing.name)
def test_a_drawing_asks_for_nothing(drawing: Path) -> None:
    """It is valid XML without scripts, and refers only to itself."""
    root = ElementTree.parse(drawing).getroot()
    assert root.tag == f"{SVG}svg"
    assert not list(root.iter(f"{SVG}script"))
    links = [
        value
        for element in root.iter()
        for name, value in element.attrib.items()
        if name.endswith("href")
    ]
    assert [link for link in links if not link.startswith(("#", "data:image/png;"))] == []


def test_the_drawn_cell_has_the_names_of_the_served_graph() -> None:
    """Each name of a value in cell.svg is a value of every layer in step.onnx."""
    root = ElementTree.parse(ROOT / "docs" / "pictures" / "cell.svg").getroot()
    texts = [text for text in root.iter(f"{SVG}text") if "code" in text.get("class", "")]
    codes = [text.text or "" for text in texts]
    spans = [span.text or "" for span in root.iter(f"{SVG}tspan")]
    names = {code for code in [*codes, *spans] if code.replace("_", "").isalpha()}
    assert {"f", "i", "g", "o", "kept", "squashed"} <= names
    graph = (bundled_model_path() / "step.onnx").read_bytes()
    values = [f"{name}_{layer}" for name in names for layer in range(2)]
    assert [value for value in values if value.encode() not in graph] == []
