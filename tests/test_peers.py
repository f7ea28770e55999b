"""The benchmark beside other servers is in order; it runs only by hand."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks/peers"
PROGRAMS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_program_compiles(program: Path) -> None:
    """The programs are valid Python; the environments that they need are not here."""
    compile(program.read_text("utf-8"), str(program), "exec")


def test_the_readme_names_existing_files() -> None:
    """Files that the README's commands and tables name exist, and it names every program."""
    readme = (FOLDER / "README.md").read_text("utf-8")
    named = set(re.findall(r"(?:benchmarks/peers/)?([\w-]+\.(?:py|proto|txt))\b", readme))
    made = {"text.txt", "words.txt"}
    assert {name for name in named - made if not (FOLDER / name).exists()} == set()
    assert {program.name for program in PROGRAMS} <= named
