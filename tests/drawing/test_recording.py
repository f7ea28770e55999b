"""Recording of a terminal."""

import sys

import pytest

pytest.importorskip("pyte")
from drawing.recording import Run, terminal

PROGRAM = """
import sys
print("\\x1b[7mwide \\x1b[0m and \\x1b[1;32mbold\\x1b[0m")
print(input("name? ").upper())
input()
"""


def test_a_screen_has_the_colours_and_the_keys() -> None:
    """Rows are runs of one style, blank ones have none; the program reads what is pressed."""
    with terminal([sys.executable, "-c", PROGRAM], 20, 4) as shell:
        shell.settle(lambda text: "name?" in text)
        frame = shell.frame(0.5)
        shell.press("ada\r")
        shell.settle(lambda text: "ADA" in text)
        assert shell.text.splitlines()[1].rstrip() == "name? ada"
    first, second, *others = frame.rows
    assert first[0] == Run(0, "wide ", "#0d1117", "#d0d7de", False)
    assert [(run.text.strip(), run.colour, run.bold) for run in first[1:]] == [
        ("and", "", False),
        ("bold", "#57ab5a", True),
    ]
    assert second[0].text.strip() == "name?"
    assert others == [(), ()]
    assert (frame.cursor, frame.seconds) == ((6, 1), 0.5)
