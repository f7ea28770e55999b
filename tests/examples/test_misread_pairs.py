"""The example that makes pairs of a text and its misreading."""

import subprocess
import sys
from pathlib import Path

from misread_pairs import misread
from wordgate.evaluation import minimal_pairs

EXAMPLE = Path(__file__).parents[2] / "examples" / "misread_pairs.py"


def test_one_place_of_a_long_word_is_misread() -> None:
    """Both directions of a confusion are possible, and every place of it."""
    found = misread("an element is dear")
    assert {"an clement is dear", "an elenient is dear", "an elcment is dear"} <= found
    assert all(text.startswith("an ") and text.endswith(" is dear") for text in found)
    assert misread("he saw it 12345") == set()


def test_the_table_is_read_as_pairs(tmp_path: Path) -> None:
    """Each line with a long word gives one pair of different texts, the same in each run."""
    text = tmp_path / "text.txt"
    text.write_text("the modern kitchen\nit is so\na tab\tinside element\n", "utf-8")
    runs = [
        subprocess.run([sys.executable, str(EXAMPLE), str(text)], capture_output=True, check=True)
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    table = tmp_path / "pairs.tsv"
    table.write_bytes(runs[0].stdout)
    pairs = minimal_pairs.read(table)
    assert [pair.good for pair in pairs] == ["the modern kitchen", "a tab inside element"]
    assert all(pair.good != pair.bad for pair in pairs)
