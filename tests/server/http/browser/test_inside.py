"""The view "Look inside" in a real browser."""

import math

import pytest
from playwright.sync_api import Locator, Page, expect

from wordgate.client import Client

TEXT = "the keys to the cabinet are on the table"


@pytest.fixture
def page(page: Page) -> Page:
    """The page at this view, without a clue."""
    page.click("#tab-inside")
    page.fill("#clue", "")
    return page


def look(page: Page, text: str = TEXT, clue: str = "") -> None:
    """Fill in a text and wait for its explanation."""
    page.fill("#sentence", text)
    page.fill("#clue", clue)
    words = text.split()
    expect(page.locator("tr.words th[scope=col]").first).to_have_text(words[0])
    expect(page.locator("tr.words th[scope=col]")).to_have_count(len(words) + 1)


def rows(page: Page) -> Locator:
    """Return the rows of the heat map."""
    return page.locator("tr.heat")


def test_the_surprisals_are_those_of_the_server(page: Page, english: Client) -> None:
    """The bars have numbers in bits; one bit is ln 2 nats."""
    look(page)
    found = english.explain(TEXT).explanation
    bits = [f"{word.surprisal / math.log(2):.1f}" for word in found.words]
    expect(page.locator("tr.bars td span")).to_have_text(bits)


def test_the_heat_map_has_the_means_of_each_layer(page: Page, english: Client) -> None:
    """Five rows per layer, from the highest layer, with a column per token."""
    look(page)
    tokens = english.explain(TEXT).explanation.tokens
    expect(rows(page)).to_have_count(10)
    for row, layer in ((0, 1), (5, 0)):
        means = [f"{token.layers[layer].forget_mean:.2f}"[1:] for token in tokens]
        expect(rows(page).nth(row).locator("td")).to_have_text(means)


def test_a_clue_has_bars_of_its_own(page: Page, english: Client) -> None:
    """Each word after the clue also shows its surprisal without it."""
    look(page, clue="keys to")
    without = [
        word.log_prob_without for word in english.explain(TEXT, without="keys to").explanation.words
    ]
    bits = [f"{-value / math.log(2):.1f}" for value in without if value is not None]
    shown = page.locator("tr.bars .column:has(.bar-without) span")
    expect(shown).to_have_text(bits)
    expect(page.locator("#legend")).to_contain_text("without “keys to”")


def test_arrow_keys_move_through_the_table(page: Page) -> None:
    """One cell is in the tab order; the numbers of the cell with the focus are shown."""
    look(page)
    page.focus("#clue")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#details h2")).to_have_text("“keys”")
    expect(page.locator("#details .alternatives li")).to_have_count(5)
    page.keyboard.press("End")
    expect(page.locator("#details h2")).to_have_text("End of the text or line")
    page.keyboard.press("Home")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#details h2")).to_have_text("Layer 2 reading “the”")
    expect(page.locator("#details")).to_contain_text("half of its content in")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#details")).to_contain_text("Input gate")


def test_pointing_at_a_cell_shows_its_numbers(page: Page) -> None:
    """Each row of a layer has its own explanation."""
    look(page)
    for row, name in enumerate(["Forget", "Input", "Output", "Candidate", "Cell state"]):
        rows(page).nth(row).locator("td").nth(2).hover()
        expect(page.locator("#details")).to_contain_text(name)


def test_tokens_of_a_word_share_its_column(page: Page) -> None:
    """A word of several tokens spans their columns."""
    page.fill("#sentence", "zyx sky")
    expect(page.locator("tr.words th[scope=col]").first).to_have_text("zyx")
    expect(page.locator("tr.tokens td").first).to_have_text("z")
    assert int(page.locator("tr.words th[scope=col]").first.get_attribute("colspan") or 0) == 3


def test_a_clue_that_is_not_in_the_text_is_named(page: Page) -> None:
    """The server's message names the field."""
    look(page)
    page.fill("#clue", "windows")
    expect(page.get_by_role("alert")).to_contain_text("without: ")


def test_the_clue_of_the_example_goes_with_its_words(page: Page) -> None:
    """A user who writes a new text is not told that it lacks the clue of the example."""
    page.reload()
    expect(page.locator("#clue")).to_have_value("keys to the")
    page.fill("#sentence", "the dog ate the cake")
    expect(page.locator("#clue")).to_have_value("")
    expect(page.locator("#problem")).to_be_hidden()


def test_an_empty_text_shows_nothing(page: Page) -> None:
    """There is nothing to explain, and no error."""
    look(page)
    page.fill("#sentence", " ")
    expect(page.locator("#heat table")).to_have_count(0)
    expect(page.locator("#problem")).to_be_hidden()


def test_chinese_characters_are_words(page: Page, chinese: Client) -> None:
    """Each character has a column, and the clue of the Chinese example is compared."""
    page.reload()
    page.select_option("#model", "zh")
    text = "我在法国长大，所以我会说法语。"
    expect(page.locator("#sentence")).to_have_value(text)
    found = chinese.explain(text, without="在法国").explanation
    shown = [word.text or "end" for word in found.words]
    expect(page.locator("tr.words th[scope=col]")).to_have_text(shown)
    expect(page.locator(".column .bar-without").first).to_be_visible()
