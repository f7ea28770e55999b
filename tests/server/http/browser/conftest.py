"""A real headless Chromium, and a server of an English and a Chinese model with the playground."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed; it comes with `dev`")

from playwright.sync_api import Browser, Page, sync_playwright
from tests.bundles import CHINESE_TEXT, write_bundle
from tests.deploy.programs import program
from tests.running import RunningServer, serving
from tests.server.http.browser.opening import opened

from wordgate.client import Client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser. It ends with its file, since its event loop keeps others from running."""
    path = program("chromium", "Debian's package chromium")
    with sync_playwright() as driver:
        options = ["--no-sandbox", "--font-render-hinting=none"]
        running = driver.chromium.launch(executable_path=path, args=options)
        yield running
        running.close()


@pytest.fixture(scope="package")
def http_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of `en` (the default model) and `zh`, with HTTP on."""
    models: Path = tmp_path_factory.mktemp("models")
    write_bundle(models, name="en")
    write_bundle(models, name="zh", language="zh-Hans", text=CHINESE_TEXT)
    with serving(models, "--http-listen", "127.0.0.1:0") as server:
        yield server


@pytest.fixture(scope="package")
def english(http_server: RunningServer) -> Iterator[Client]:
    """A gRPC client of the English model, for what the page should show."""
    with Client(http_server.address, model="en") as client:
        yield client


@pytest.fixture(scope="package")
def chinese(http_server: RunningServer) -> Iterator[Client]:
    """A gRPC client of the Chinese model."""
    with Client(http_server.address, model="zh") as client:
        yield client


@pytest.fixture
def page(browser: Browser, http_server: RunningServer) -> Iterator[Page]:
    """The playground in a wide window, with its models loaded. It breaks no rule of its policy."""
    with opened(browser, f"http://{http_server.http}/") as shown:
        yield shown
