"""Open the playground in a browser, hold it to its promises, and type."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, Request, Response, expect

WIDE = (1000, 800)
PHONE = (360, 740)
_REPORT_VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


@contextmanager
def opened(
    browser: Browser, address: str, size: tuple[int, int] = WIDE, **options: Any
) -> Iterator[Page]:
    """Open the page and wait for its models.

    At the end: no script has failed, nothing was requested from elsewhere, nothing is stored, and
    the content-security-policy was not violated.
    """
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    context.add_init_script(_REPORT_VIOLATIONS)
    page = context.new_page()
    errors: list[str] = []
    requested: list[str] = []
    server = address.partition("#")[0]
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    try:
        page.goto(address)
        page.wait_for_selector("#model:enabled")
        yield page
        assert errors == []
        assert [url for url in requested if not url.startswith(server)] == []
        assert page.evaluate("violations") == []
        assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
        assert context.cookies() == []
    finally:
        context.close()


def body(request: Request) -> dict[str, Any]:
    """Return the JSON body of a request."""
    content: dict[str, Any] = request.post_data_json or {}
    return content


def write(page: Page, text: str) -> None:
    """Type a text into the empty field, and wait until the suggestions are those after it."""
    page.focus("#text")
    with suggestions_after(page, text):
        page.keyboard.type(text)


@contextmanager
def suggestions_after(page: Page, text: str) -> Iterator[None]:
    """Wait at the end of the block until the suggestions are those after this text."""

    def is_last(response: Response) -> bool:
        if not response.url.endswith("/Predict"):
            return False
        request = body(response.request)
        return bool(request["history"] + request["prefix"] == text)

    with page.expect_response(is_last) as last:
        yield
    last.value.finished()
    page.evaluate("new Promise((done) => setTimeout(done))")
    expect(page.locator("#suggestions")).to_be_visible()
