"""The heat map of gates, as PNG and SVG."""

from pathlib import Path
from xml.etree import ElementTree

from matplotlib.image import imread

from wordgate.plots.gates import GateMap, draw_gates

WORDS = ("The", "$sun$", "上", "🦆", "<eos>")
GATES = GateMap(
    WORDS,
    (1.0, 12.5, 3.0, 20.0, 0.5),
    ("layer 1, input", "layer 1, forget", "layer 1, output"),
    ((0.0, 0.25, 0.5, 0.75, 1.0),) * 3,
)


def test_an_svg_has_the_words_as_text(tmp_path: Path) -> None:
    """Labels stay text, dollar signs included, and the file is well formed."""
    path = tmp_path / "gates.svg"
    draw_gates(GATES, path, "en@3")
    texts = {"".join(each.itertext()).strip() for each in ElementTree.parse(path).iter()}
    assert {*WORDS, "layer 1, forget", "en@3", "surprisal (bits)"} <= texts
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_data_give_the_same_svg(tmp_path: Path) -> None:
    """No date and no random identifier is written."""
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    draw_gates(GATES, first)
    draw_gates(GATES, second)
    assert first.read_bytes() == second.read_bytes()


def test_a_png_is_an_image(tmp_path: Path) -> None:
    """It is wider for more words, up to a limit."""
    sizes = []
    for count in (3, 60, 255):
        path = tmp_path / f"{count}.png"
        draw_gates(GateMap(["word"] * count, [1.0] * count, GATES.rows, [[0.5] * count] * 3), path)
        sizes.append(imread(path).shape[1])
    assert sizes == sorted(sizes)
    assert sizes[-1] <= 6600
