"""Links and commands in the documentation are valid."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command_lines import command_lines, unknown_words

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("models/*/*/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files that a page links to exist, and so do their sections."""
    lost = [
        f"{target}#{section}"
        for target, section in links(page)
        if not (page.parent / target).exists()
        or (section and section not in sections(page.parent / target if target else page))
    ]
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_names_options_that_exist(page: Path) -> None:
    """The commands on a page use only subcommands and options that exist."""
    lines = [] if page.name == "CHANGELOG.md" else command_lines(page.read_text("utf-8"))
    assert [line for line in lines if unknown_words(line)] == []


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the file and section of each link inside the repository."""
    for address in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if "://" not in address:
            target, _, section = address.partition("#")
            yield target, section


def sections(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
