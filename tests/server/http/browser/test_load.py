"""The view "Load" in a real browser."""

from itertools import count

from playwright.sync_api import Page, Route, expect

from wordgate.client import Client


def test_figures_follow_the_server(page: Page, english: Client) -> None:
    """After some predictions, all four figures are numbers and each has a line."""
    page.click("#tab-load")
    values = page.locator("#cards dd:not(.chart)")
    expect(values).to_have_count(4)
    expect(values.nth(0)).to_have_text("0.0")
    for _ in range(20):
        english.predict("the clouds")
    for place in range(4):
        expect(values.nth(place)).not_to_have_text("0.0")
        expect(values.nth(place)).not_to_have_text("–")
    expect(values.nth(2)).to_contain_text("ms")
    assert page.locator("polyline").first.get_attribute("points")


def test_processes_behind_a_proxy_are_added_up(page: Page) -> None:
    """Two processes answer in turn, each with 10 requests and 5 keys in each of its seconds."""
    number = count()

    def answer(route: Route) -> None:
        seconds, process = divmod(next(number), 2)
        sums = {"requests": 10, "keys": 5, "rows": 6, "batches": 3}
        document = {name: seconds * each for name, each in sums.items()}
        durations = [[0.01, 10 * seconds], [None, 0]]
        route.fulfill(
            json=document | {"process": str(process), "seconds": seconds, "durations": durations}
        )

    page.route("**/load", answer)
    page.click("#tab-load")
    values = page.locator("#cards dd:not(.chart)")
    expect(values).to_have_text(["20", "10", "9.9 ms", "2.0"], timeout=30_000)


def test_pause_stops_the_requests(page: Page) -> None:
    """A user can stop what moves, and start it again."""
    with page.expect_response("**/load"):
        page.click("#tab-load")
    pause = page.get_by_role("button", name="Pause")
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(1500)
    assert asked == []
    with page.expect_request("**/load"):
        pause.click()


def test_only_the_view_that_is_shown_asks(page: Page) -> None:
    """Another tab ends the requests for figures."""
    with page.expect_response("**/load"):
        page.click("#tab-load")
    page.click("#tab-type")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(1500)
    assert asked == []
