"""Take the pictures of the playground, of a server of the bundled models.

Needs Chromium and a Chinese font (Debian's packages chromium and fonts-droid-fallback). Each
picture has a hash of the page in its metadata.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from itertools import takewhile
from pathlib import Path
from shutil import which
from threading import Event
from typing import TYPE_CHECKING, Any

from PIL import Image, PngImagePlugin

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "service" / "wordgate" / "server" / "http" / "playground"
FOLDER = ROOT / "docs" / "pictures"
VIEWS = ("type", "choose", "inside", "load")
NAMES = (*VIEWS, "phone", "chinese")
KEY = "Playground-SHA-256"
COLOURS = 128
SCALE = 1.5
LOAD_SECONDS = 45
TYPISTS = 4
GAP = 24
TEXT = "Thank you for the invitation to the party. I look "
CHINESE_TEXT = "周末你想不想"
LINES = (ROOT / "tests" / "data" / "sentences.txt").read_text("utf-8").splitlines()


def stale() -> list[str]:
    """Return the names of the pictures that were taken of another page."""
    return [picture(name).name for name in NAMES if hash_in(picture(name)) != page_hash()]


def picture(name: str) -> Path:
    """Return the path of a picture."""
    return FOLDER / f"playground-{name}.png"


def page_hash() -> str:
    """Return a hash of all files of the page."""
    digest = sha256()
    for file in sorted(PAGE.iterdir()):
        digest.update(f"{file.name} {sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def hash_in(path: Path) -> str | None:
    """Return the hash of the page that a picture was taken of."""
    if not path.exists():
        return None
    with Image.open(path) as image:
        return image.info.get(KEY)


def take() -> None:
    """Take all pictures."""
    from playwright.sync_api import sync_playwright
    from tests.running import serving

    chromium = which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed; apt-get install chromium")
    with serving(None, "--http-listen", "127.0.0.1:0") as server, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        address = f"http://{server.http}/"
        with window(browser, address, 1000, 640) as page:
            write(page)
            save("type", page.screenshot())
            choose(page)
            save("choose", page.screenshot(full_page=True))
            look_inside(page)
            save("inside", page.screenshot(full_page=True))
        with window(browser, address, 1000, 480) as page, load(server.address):
            page.click("#tab-load")
            page.mouse.move(0, 0)
            page.wait_for_timeout(1000 * LOAD_SECONDS)
            save("load", page.screenshot())
        with window(browser, address, 1000, 640) as page:
            write_chinese(page)
            save("chinese", page.screenshot())
        save("phone", side_by_side(list(phones(browser, address))))


def phones(browser: "Browser", address: str) -> Iterator[bytes]:
    """Yield pictures of two views on a phone, one dark."""
    for scheme, show in (("light", write), ("dark", look_inside)):
        options = {"color_scheme": scheme, "has_touch": True, "is_mobile": True}
        with window(browser, address, 360, 700, **options) as page:
            show(page)
            yield page.screenshot()


@contextmanager
def window(
    browser: "Browser", address: str, width: int, height: int, **options: Any
) -> "Iterator[Page]":
    """Open the page in a window of its own."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=SCALE, **options
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("#model:enabled")
    yield page
    context.close()


def write(page: "Page") -> None:
    """Type a text as a user does who takes each word as soon as it is the first suggestion."""
    page.focus("#text")
    page.keyboard.type(TEXT[0])
    while (shown := page.input_value("#text")) != TEXT:
        page.wait_for_timeout(250)
        # A full stop will replace an added space.
        written = os.path.commonprefix([shown, TEXT])  # noqa: RUF071
        typed = _letters(written[::-1])[::-1]
        target = _letters(TEXT[len(written) - len(typed) :])
        first = page.locator("#suggestions:visible .word").first
        if target != typed and first.count() and first.inner_text() == target:
            page.keyboard.press("Tab")
        else:
            page.keyboard.type(TEXT[len(written)])
    page.wait_for_selector(".ghost:not(:empty)")
    page.wait_for_timeout(500)


def write_chinese(page: "Page") -> None:
    """Insert a text as an input method does, with the Chinese model."""
    page.select_option("#model", "zh")
    page.focus("#text")
    for character in CHINESE_TEXT:
        page.keyboard.insert_text(character)
        page.wait_for_timeout(300)
    page.wait_for_selector(".ghost:not(:empty)")
    page.wait_for_timeout(500)


def _letters(text: str) -> str:
    """Return the letters at the start of a text."""
    return "".join(takewhile(str.isalpha, text))


def choose(page: "Page") -> None:
    """Show the candidates, ranked."""
    page.click("#tab-choose")
    page.wait_for_selector("#ranking li")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)


def look_inside(page: "Page") -> None:
    """Show a sentence's surprisal and gates."""
    page.click("#tab-inside")
    page.get_by_role("columnheader", name="are").click()
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(200)


@contextmanager
def load(address: str) -> Iterator[None]:
    """Have a few clients type during the block."""
    stop = Event()
    with ThreadPoolExecutor(TYPISTS) as pool:
        for number in range(TYPISTS):
            pool.submit(type_until, stop, address, number)
        yield
        stop.set()


def type_until(stop: Event, address: str, number: int) -> None:
    """Type every `TYPISTS`-th line, from the one of this number."""
    from wordgate.client import Client

    with Client(address) as client:
        for line in LINES[number::TYPISTS]:
            for end in range(len(line)):
                history, space, prefix = line[:end].rpartition(" ")
                client.predict(history + space, prefix)
                if stop.wait(0.05):
                    return


def side_by_side(pictures: Sequence[bytes]) -> bytes:
    """Join PNG pictures from left to right."""
    images = [Image.open(BytesIO(each)) for each in pictures]
    width = sum(image.width for image in images) + GAP * (len(images) - 1)
    joined = Image.new("RGB", (width, max(image.height for image in images)), "white")
    left = 0
    for image in images:
        joined.paste(image, (left, 0))
        left += image.width + GAP
    written = BytesIO()
    joined.save(written, "PNG")
    return written.getvalue()


def save(name: str, png: bytes) -> None:
    """Write a picture with few colours and the page's hash."""
    image = Image.open(BytesIO(png))
    few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    note = PngImagePlugin.PngInfo()
    note.add_text(KEY, page_hash())
    few.save(picture(name), optimize=True, pnginfo=note)
    print(f"{picture(name).relative_to(ROOT)}: {picture(name).stat().st_size} bytes")
