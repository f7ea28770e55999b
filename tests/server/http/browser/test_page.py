"""The playground as a page: tabs, accessibility, phones, policy, tokens."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.running import RunningServer
from tests.server.http.browser.axe import violations
from tests.server.http.browser.opening import PHONE, WIDE, opened, write
from tests.server.http.conftest import SECRET

VIEWS = ("type", "choose", "inside", "load")


def show(page: Page, view: str) -> None:
    """Show a view with something in it."""
    page.click(f"#tab-{view}")
    if view == "type":
        write(page, "the ")
    else:
        content = {"choose": "#ranking li", "inside": "tr.heat td", "load": "polyline[points]"}
        page.locator(content[view]).first.wait_for(state="attached")


def address(server: RunningServer) -> str:
    """Return the address of the page."""
    return f"http://{server.http}/"


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", WIDE), ("dark", PHONE)], ids=["light-wide", "dark-phone"]
)
def test_axe_finds_nothing(
    browser: Browser, http_server: RunningServer, scheme: str, size: tuple[int, int]
) -> None:
    """Each view passes axe-core's checks, among them contrast, in both colour schemes."""
    with opened(browser, address(http_server), size, color_scheme=scheme) as page:
        for view in VIEWS:
            show(page, view)
            assert violations(page) == []


def test_a_phone_scrolls_in_one_direction(browser: Browser, http_server: RunningServer) -> None:
    """No view is wider than a window of 360 pixels; the heat map scrolls by itself."""
    with opened(browser, address(http_server), PHONE, has_touch=True) as page:
        for view in VIEWS:
            show(page, view)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE[0], view
            for box in page.locator("[role=tab], #suggestions:visible").all():
                place = box.bounding_box()
                assert place is not None
                assert place["x"] >= 0
                assert place["x"] + place["width"] <= PHONE[0]


def test_a_tap_takes_a_suggestion(browser: Browser, http_server: RunningServer) -> None:
    """Phones have no Tab key."""
    with opened(browser, address(http_server), PHONE, has_touch=True) as page:
        show(page, "type")
        second = page.locator("[role=option]").nth(1)
        word = second.locator(".word").inner_text()
        second.tap()
        expect(page.locator("#text")).to_have_value(f"the {word} ")


def test_the_colour_scheme_of_the_user_is_respected(
    browser: Browser, http_server: RunningServer
) -> None:
    """Dark means light text on a dark page."""
    with opened(browser, address(http_server), color_scheme="dark") as page:
        body = page.locator("body")
        expect(body).to_have_css("background-color", "rgb(20, 24, 27)")
        expect(body).to_have_css("color", "rgb(230, 232, 234)")


def test_tabs_follow_keys_and_addresses(page: Page) -> None:
    """Arrow keys move through the tabs; each has an address, and the back button works."""
    page.focus("#tab-type")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-choose")).to_be_focused()
    expect(page.locator("#tab-choose")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tabpanel")).to_have_count(1)
    expect(page).to_have_url(re.compile("/#choose$"))
    expect(page).to_have_title("Choose · Wordgate")
    page.keyboard.press("End")
    expect(page.locator("#view-load")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#view-type")).to_be_visible()
    page.go_back()
    expect(page.locator("#view-load")).to_be_visible()


def test_an_address_opens_its_view(browser: Browser, http_server: RunningServer) -> None:
    """A link can lead to a view."""
    with opened(browser, f"{address(http_server)}#inside") as page:
        expect(page.locator("tr.heat td").first).to_be_visible()


def test_everything_works_without_a_pointer(page: Page) -> None:
    """From the address bar, Tab leads through the page: model, tabs, and into each view."""
    page.keyboard.press("Tab")
    expect(page.locator("#model")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#model")).to_have_value("zh")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    expect(page.locator("#tab-type")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#text")).to_be_focused()
    write(page, "the ")
    page.keyboard.press("Tab")
    expect(page.locator("#text")).not_to_have_value("the ")
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#tab-type")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-choose")).to_be_focused()
    for field in ("#before-candidates", "#candidates", "#lm-weight"):
        page.keyboard.press("Tab")
        expect(page.locator(field)).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_code_from_elsewhere_does_not_run(browser: Browser, http_server: RunningServer) -> None:
    """Neither inline scripts nor requests to other servers pass the content-security-policy."""
    page = browser.new_page()
    page.goto(address(http_server))
    page.evaluate(
        "document.head.append(Object.assign(document.createElement('script'), "
        "{ textContent: 'window.isRun = true' }))"
    )
    assert page.evaluate("window.isRun === undefined")
    assert page.evaluate("fetch('http://127.0.0.1:9/').catch(() => 'refused')") == "refused"
    page.close()


def test_a_token_is_asked_for_and_not_kept(browser: Browser, locked: RunningServer) -> None:
    """A wrong token is refused in words; the right one serves all views until a reload."""
    page = browser.new_page()
    page.goto(address(locked))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("refused this token")
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#model")).to_be_enabled()
    for view in VIEWS:
        show(page, view)
    assert violations(page) == []
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [
        0,
        0,
        "",
    ]
    page.reload()
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("alert")).to_contain_text("missing bearer token")
    page.click("#tab-choose")
    expect(dialog).to_be_visible()
    page.close()
