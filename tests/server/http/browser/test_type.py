"""The view "Type" in a real browser."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect
from tests.server.http.browser.opening import body, suggestions_after, write

from wordgate.client import Client

PREDICT = "**/wordgate.v1.PredictionService/Predict"
PHRASE = "SUGGESTION_KIND_PHRASE"


def texts(page: Page) -> list[str]:
    """Return the suggestions that the page shows."""
    expect(page.locator("#suggestions")).to_be_visible()
    return page.locator("#suggestions .word").all_inner_texts()


def value(page: Page) -> str:
    """Return the text of the field."""
    return page.locator("#text").input_value()


def answering(suggest: Callable[[str, str], list[tuple[str, str]]]) -> Callable[[Route], None]:
    """Answer requests with (text, kind) for a history and a prefix, instead of the server."""

    def answer(route: Route) -> None:
        request = body(route.request)
        shown = suggest(request.get("history", ""), request.get("prefix", ""))
        suggestions = [{"text": text, "kind": kind, "probability": 0.5} for text, kind in shown]
        document = {"suggestions": suggestions, "prefix": request.get("prefix", ""), "exact": True}
        route.fulfill(content_type="application/json", body=json.dumps(document))

    return answer


def words(*shown: str) -> Callable[[Route], None]:
    """Answer every request with these words; one with a space in it is a phrase."""
    kinds = [(text, PHRASE if " " in text else "SUGGESTION_KIND_WORD") for text in shown]
    return answering(lambda history, prefix: kinds)


def test_the_suggestions_are_those_of_the_server(page: Page, english: Client) -> None:
    """Words and phrases are listed in the order of the answer, as over gRPC."""
    write(page, "the clouds are in the s")
    found = english.predict(
        "the clouds are in the ", "s", max_suggestions=5, max_phrase_words=6, max_corrections=1
    )
    assert texts(page) == [each.text for each in found.suggestions]


def test_tab_takes_the_first_word(page: Page, english: Client) -> None:
    """Tab replaces the typed letters, adds a space, and the field keeps the focus."""
    write(page, "the c")
    first = texts(page)[0]
    page.keyboard.press("Tab")
    assert value(page) == f"the {first} "
    expect(page.locator("#text")).to_be_focused()


def test_arrows_mark_and_enter_takes(page: Page) -> None:
    """The arrow keys move through the list in a circle; Enter takes the marked word."""
    page.route(PREDICT, words("are", "were", "is"))
    write(page, "keys ")
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    marked = page.locator("[role=option][aria-selected=true] .word")
    expect(marked).to_have_text("is")
    active = page.get_attribute("#text", "aria-activedescendant")
    expect(page.locator(f"#{active} .word")).to_have_text("is")
    page.keyboard.press("Enter")
    assert value(page) == "keys is "


def test_enter_breaks_the_line_if_nothing_was_marked(page: Page) -> None:
    """The list does not keep a user from writing a new line."""
    page.route(PREDICT, words("are"))
    write(page, "keys ")
    page.keyboard.press("Enter")
    assert value(page) == "keys \n"


def test_a_digit_is_text_unless_a_choice_is_meant(page: Page) -> None:
    """`mp3` can be typed. With Alt, or once an arrow key has marked a word, a digit chooses."""
    page.route(PREDICT, words("are", "were", "is"))
    write(page, "keys w")
    with suggestions_after(page, "keys w2"):
        page.keyboard.press("2")
    assert value(page) == "keys w2"
    with suggestions_after(page, "keys were "):
        page.keyboard.press("Alt+2")
    assert value(page) == "keys were "
    page.keyboard.press("ArrowDown")
    page.keyboard.press("3")
    assert value(page) == "keys were is "


def test_escape_hides_and_tab_then_leaves(page: Page) -> None:
    """A keyboard user is not caught in the field."""
    write(page, "the ")
    page.keyboard.press("Escape")
    expect(page.locator("#suggestions")).to_be_hidden()
    page.keyboard.press("Tab")
    expect(page.locator("#clear-text")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(page.locator("#clear-text")).to_be_focused()
    assert value(page) == "the "


def test_tab_waits_for_the_first_suggestions_and_escape_cancels_them(page: Page) -> None:
    """A key that comes before the answer neither leaves the field nor is caught in it."""
    page.route(PREDICT, lambda route: None)  # never answered
    page.focus("#text")
    with page.expect_request(PREDICT):
        page.keyboard.type("k")
    page.keyboard.press("Tab")
    expect(page.locator("#text")).to_be_focused()
    with page.expect_event("requestfailed"):
        page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(page.locator("#clear-text")).to_be_focused()


def test_the_arrow_takes_all_that_is_grey(page: Page) -> None:
    """Grey text is the rest of the marked word, or of a phrase that begins with it."""
    page.route(PREDICT, words("forward", "for", "forward to", "for a"))
    write(page, "look f")
    expect(page.locator(".ghost")).to_have_text("orward to")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".ghost")).to_have_text("or a")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert value(page) == "look forward to "


def test_saved_keys_are_counted(page: Page) -> None:
    """Of "keys " two letters and one Tab were pressed, so two keys are saved."""
    page.route(PREDICT, words("keys"))
    write(page, "ke")
    page.keyboard.press("Tab")
    expect(page.locator("#keys-pressed")).to_have_text("3")
    expect(page.locator("#keys-saved")).to_have_text("2")
    expect(page.locator("#share-saved")).to_have_text("40 %")
    page.click("#clear-text")
    expect(page.locator("#keys-pressed")).to_have_text("0")
    assert value(page) == ""


def test_outdated_answers_are_dropped(page: Page) -> None:
    """The answer for "t" is not shown once "th" is typed, and "th" is asked for next."""
    held: list[Route] = []
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(body(route.request)["prefix"])
        if len(asked) == 1:
            held.append(route)
        else:
            words("three")(route)

    page.route(PREDICT, answer)
    page.focus("#text")
    page.keyboard.type("t")
    page.keyboard.type("h")
    words("two")(held[0])
    assert texts(page) == ["three"]
    assert asked == ["t", "th"]


def test_tab_waits_for_an_answer_that_is_on_its_way(page: Page) -> None:
    """Suggestions for fewer letters than typed are not taken, and Tab does not leave the field."""
    page.route(PREDICT, words("two"))
    write(page, "t")
    page.unroute(PREDICT)
    page.route(PREDICT, lambda route: None)
    page.keyboard.type("w")
    page.keyboard.press("Tab")
    assert value(page) == "tw"
    expect(page.locator("#text")).to_be_focused()


def test_a_closing_mark_takes_the_place_of_the_space(page: Page) -> None:
    """A full stop after an accepted word stands at the word."""
    page.route(PREDICT, words("sky"))
    write(page, "the s")
    page.keyboard.press("Tab")
    page.keyboard.type(".")
    assert value(page) == "the sky."


@pytest.mark.parametrize(
    ("before", "word", "after"),
    [
        ("hello,", "you", "hello, you "),
        ("the sky.", "You", "the sky. You "),
        ("the (", "sky", "the (sky "),
        ("at 3.", "5", "at 3.5 "),
        ("sky,s", "see", "sky,see "),
    ],
)
def test_a_word_after_a_closing_mark_brings_its_space(
    page: Page, before: str, word: str, after: str
) -> None:
    """A word is not joined to the mark before it; numbers and words begun by hand are."""
    answer = {"suggestions": [{"text": word, "probability": 0.5}], "prefix": "s" * (word == "see")}
    page.route(PREDICT, lambda route: route.fulfill(json=answer))
    write(page, before)
    assert before + page.locator(".ghost").inner_text() == after[:-1]
    page.keyboard.press("Tab")
    assert value(page) == after


def test_undo_takes_an_accepted_word_back(page: Page) -> None:
    """The browser's own undo knows accepted words."""
    page.route(PREDICT, words("sky"))
    write(page, "the s")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+z")
    assert value(page) == "the s"


def test_nothing_is_suggested_inside_a_word(page: Page) -> None:
    """`Predict` knows nothing after the caret."""
    write(page, "the clouds")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#suggestions")).to_be_hidden()


def test_a_word_in_the_middle_of_a_text_uses_the_space_that_is_there(page: Page) -> None:
    """Grey text is not shown before other text, and no second space is added."""
    page.route(PREDICT, words("sky"))
    page.fill("#text", "the s is blue")
    page.focus("#text")
    page.evaluate("document.getElementById('text').setSelectionRange(4, 4)")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#suggestions")).to_be_visible()
    expect(page.locator(".ghost")).to_have_text("")
    page.keyboard.press("Tab")
    page.keyboard.type("x")
    assert value(page) == "the sky xis blue"


def test_suggestions_move_nothing(page: Page) -> None:
    """The list lies above the page: what is below the field stays where it is."""
    before = page.locator("#clear-text").bounding_box()
    write(page, "the ")
    assert page.locator("#clear-text").bounding_box() == before


def test_suggestions_are_announced(page: Page) -> None:
    """A screen reader hears the words, and which one Tab takes."""
    page.route(PREDICT, words("are", "were"))
    write(page, "keys ")
    expect(page.locator("#suggested")).to_have_text("are, were. Tab takes are.")


def test_chinese_takes_no_space(page: Page, chinese: Client) -> None:
    """In Chinese the list has characters, and accepting one adds no space."""
    page.select_option("#model", "zh")
    write(page, "我在")
    found = chinese.predict("", "我在", max_suggestions=5, max_phrase_words=6)
    shown = texts(page)
    assert shown == [each.text for each in found.suggestions]
    page.keyboard.press("2")
    assert value(page) == f"我在{shown[1]}"


def test_an_input_method_is_not_disturbed(page: Page) -> None:
    """While characters are composed, nothing is asked; once they are written, it is."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.select_option("#model", "zh")
    page.focus("#text")
    keyboard = page.context.new_cdp_session(page)
    for composed in ("w", "wo"):
        keyboard.send(
            "Input.imeSetComposition", {"text": composed, "selectionStart": 2, "selectionEnd": 2}
        )
    assert value(page) == "wo"
    assert asked == []
    keyboard.send("Input.insertText", {"text": "我"})
    expect(page.locator("#suggestions")).to_be_visible()
    assert value(page) == "我"
    assert len(asked) == 1


def test_an_error_of_the_server_is_shown_in_words(page: Page) -> None:
    """The message of the server names the field and the limit; it goes with the next answer."""
    page.fill("#text", "the " * 17_000)
    expect(page.get_by_role("alert")).to_contain_text("history: has at least 68000 bytes")
    page.click("#clear-text")
    write(page, "the ")
    expect(page.locator("#problem")).to_be_hidden()


@pytest.mark.parametrize(("status", "message"), [(0, "No answer from"), (502, "HTTP status 502")])
def test_a_server_that_is_gone_is_named(page: Page, status: int, message: str) -> None:
    """Without an answer, or with one of a proxy, the page says what is wrong."""
    page.route(PREDICT, lambda route: route.fulfill(status=status) if status else route.abort())
    page.focus("#text")
    page.keyboard.type("t")
    expect(page.get_by_role("alert")).to_contain_text(message)
